"""The bytes of uploads: added as they come, read by ranges, erased. No more than two parts of one are ever in memory."""

import asyncio
from collections.abc import AsyncIterator

from libs.crypto.sm3 import hasher
from libs.db.engine import Database
from libs.errors import Aborted, reasons
from libs.ids.uuid7 import uuid7
from libs.uploads import rules, store
from libs.uploads.parts import PartStore
from libs.uploads.rules import PART_BYTES, PartSlice, Upload
from libs.uploads.store import UploadPart


class UploadContent:
    """Adds, reads and erases the bytes of one service's uploads."""

    def __init__(self, database: Database, parts: PartStore) -> None:
        self._database = database
        self._parts = parts

    async def append(self, upload: Upload, name: str, offset: int, chunks: AsyncIterator[bytes]) -> Upload:
        """Adds what comes, which begins at byte ``offset``; what is there already is passed over.

        Every whole part is kept as soon as it is there, the last one when the chunks end.

        Raises:
            Aborted: UPLOAD_OFFSET_MISMATCH, also where somebody else added at the same time.
            InvalidArgument: UPLOAD_CONTENT_MISMATCH where more comes than was announced; what was kept before stays.
        """
        rules.check_offset(upload, name, offset)
        gathered = bytearray(await self._tail(upload, name))
        async for chunk in chunks:
            rules.check_room(upload, name, offset + len(chunk))
            gathered += chunk[max(0, upload.received // PART_BYTES * PART_BYTES + len(gathered) - offset) :]
            offset += len(chunk)
            if len(gathered) >= PART_BYTES:
                upload = await self._keep(upload, name, bytes(gathered[:PART_BYTES]))
                del gathered[:PART_BYTES]
        return await self._keep(upload, name, bytes(gathered))

    async def pieces(self, upload: Upload, start: int, end: int) -> AsyncIterator[bytes]:
        """Reads bytes ``start`` to ``end`` (not included), part by part; raises Internal where one is missing or damaged."""
        wanted = list(rules.slices(start, end))
        first, last = wanted[0].number, wanted[-1].number
        async with self._database.read() as connection:
            found = await store.PARTS.all(connection, id=upload.id, first=first, last=last)
        by_number = {part.number: part for part in found}
        for each in wanted:
            yield await self._piece(by_number.get(each.number), each)

    async def digest(self, upload: Upload) -> str:
        """Reads all that is kept back and returns its digest, ``sm3:<hex>``."""
        digester = hasher()
        async for piece in self.pieces(upload, 0, upload.received):
            await asyncio.to_thread(digester.update, piece)
        return f"sm3:{digester.hexdigest()}"

    async def erase(self, key: str) -> None:
        """Erases all parts of a deleted upload, and then what is known of it. Idempotent."""
        async with self._database.read() as connection:
            found = await store.ALL_PARTS.all(connection, id=key)
        for part in found:
            await self._drop(part.id)
        async with self._database.read() as connection:
            await store.FORGET.execute(connection, {"id": key})

    async def _piece(self, part: UploadPart | None, wanted: PartSlice) -> bytes:
        content = await self._parts.get(part.id) if part else None
        if content is None or len(content) < wanted.end:
            raise reasons.internal(f"part {wanted.number} of an upload is missing")
        return content[wanted.start : wanted.end]

    async def _tail(self, upload: Upload, name: str) -> bytes:
        """What is kept of the part that is not whole yet."""
        whole = upload.received // PART_BYTES * PART_BYTES
        if whole == upload.received:
            return b""
        async with self._database.read() as connection:
            part = await store.PARTS.first(
                connection, id=upload.id, first=whole // PART_BYTES, last=whole // PART_BYTES
            )
        content = await self._parts.get(part.id) if part else None
        # Who adds at the same time may have put a longer one in its place.
        if content is None or len(content) != upload.received - whole:
            raise _overtaken(upload, name)
        return content

    async def _keep(self, upload: Upload, name: str, content: bytes) -> Upload:
        """Writes the part that the upload is at, and takes it into account; nothing to do where it has grown by nothing."""
        number, within = divmod(upload.received, PART_BYTES)
        if len(content) <= within:
            return upload
        part, at = uuid7(), {"id": upload.id, "start": upload.received}
        async with self._database.read() as connection:
            begun = await store.BEGIN_PART.first(connection, part=part, number=number, **at)
        if begun is None:
            raise _overtaken(upload, name)
        await self._parts.put(part, content)
        upto = number * PART_BYTES + len(content)
        async with self._database.read() as connection:
            kept = await store.KEEP_PART.first(connection, part=part, size=len(content), upto=upto, **at)
        if kept is None:
            await self._drop(part)
            raise _overtaken(upload, name)
        if within:
            await self._drop_shorter(upload.id, number, len(content))
        return kept

    async def _drop_shorter(self, key: str, number: int, size: int) -> None:
        """Erases what a part was before it grew: many small additions shall not take more room than the file."""
        async with self._database.read() as connection:
            found = await store.SHORTER_PARTS.all(connection, id=key, number=number, size=size)
        for part in found:
            await self._drop(part.id)

    async def _drop(self, part: str) -> None:
        # The bytes first: what stops in between is found by its record.
        await self._parts.delete(part)
        async with self._database.read() as connection:
            await store.FORGET_PART.execute(connection, {"id": part})


def _overtaken(upload: Upload, name: str) -> Aborted:
    return reasons.upload_offset_mismatch(
        f"{name} was added to, completed or deleted meanwhile", resource=name, received_bytes=str(upload.received)
    )
