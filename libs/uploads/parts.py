"""The bytes of parts in the object store, encrypted as documents are and bound to the part that they belong to."""

import asyncio

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from libs.crypto.envelope import Column, FieldCipher
from libs.crypto.errors import DecryptionFailed
from libs.errors import Unavailable, reasons

_CONTENT = Column("upload_parts", "content")


class PartStore:
    """Puts and gets parts by their id. Each is written once; safe for several processes on one store."""

    def __init__(self, store: ObjectStore, cipher: FieldCipher) -> None:
        self._store = store
        self._cipher = cipher

    async def put(self, part: str, content: bytes) -> None:
        """Writes a part, whole or not at all; raises Unavailable DEPENDENCY_UNAVAILABLE."""
        stored = await asyncio.to_thread(self._cipher.encrypt, _CONTENT, part, content)
        try:
            await obstore.put_async(self._store, _path(part), stored, use_multipart=False)
        except (BaseError, OSError) as error:
            raise _unavailable() from error

    async def get(self, part: str) -> bytes | None:
        """Returns a part, or None where there is none.

        Raises:
            Internal: INTERNAL if the stored bytes are not those that were put.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        try:
            answer = await obstore.get_async(self._store, _path(part))
            stored = bytes(await answer.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _unavailable() from error
        try:
            return await asyncio.to_thread(self._cipher.decrypt, _CONTENT, part, stored)
        except DecryptionFailed as error:
            raise reasons.internal(f"the stored bytes of part {part} are damaged") from error

    async def delete(self, part: str) -> None:
        """Erases a part; raises Unavailable DEPENDENCY_UNAVAILABLE. Idempotent."""
        try:
            await obstore.delete_async(self._store, _path(part))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _unavailable() from error


def _path(part: str) -> str:
    # The last digits of a UUIDv7 are random: folders fill evenly. No document's path begins so.
    return f"uploads/{part[-2:]}/{part}"


def _unavailable() -> Unavailable:
    return reasons.dependency_unavailable("the document store does not answer", retry_after=1.0, dependency="documents")
