"""Files to and from a region, of any size: sent and fetched block by block, and gone on with where they broke off.

What a request takes as an upload is sent so, and what a service hands out as one is fetched so (tongban.uploads.v1). No more than a
block is in memory, and the program's other work goes on while a disk is read.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import BinaryIO

from libs.client.calls import AsyncRegionCalls, Run
from libs.crypto.sm3 import Hasher, hasher
from libs.errors import Aborted, reasons
from tongban.uploads.v1 import upload_service_pb2 as pb

BLOCK_BYTES = 8 * 1024 * 1024
"""What is sent or asked for at once, and sent again where that fails."""
Progress = Callable[[int, int], None]
"""Is told how many bytes of how many are done."""


def _nobody(_done: int, _total: int) -> None:
    """Is told what nobody looks at."""


class AsyncFiles:
    """Sends and fetches files as one caller."""

    def __init__(self, caller: AsyncRegionCalls) -> None:
        self._caller = caller

    async def begin(self, service: str, file: BinaryIO, media_type: str) -> pb.Upload:
        """Begins an upload of a file that can be sought in; ``go_on`` sends its bytes.

        Args:
            service: whose request will name it: ``identity``, ``license``, ``seal``, ``cases`` or ``sharing``.
            file: the file, from its first byte to its last.
            media_type: what it is, such as ``application/ofd``.
        """
        size, digest = await asyncio.to_thread(_measured, file)
        upload = pb.Upload(size_bytes=size, media_type=media_type, digest=digest)
        return await self._caller.call(pb.CreateUploadRequest(service=service, upload=upload), pb.Upload)

    async def go_on(self, name: str, file: BinaryIO, progress: Progress = _nobody) -> pb.Upload:
        """Sends what the region has not got yet of an upload, and completes it; returns it as it then is.

        Called again after whatever broke off, also by another process, it goes on from the last byte that was kept.
        """
        upload = await self._caller.call(pb.GetUploadRequest(name=name), pb.Upload)
        while upload.state == pb.UPLOAD_STATE_OPEN and upload.received_bytes < upload.size_bytes:
            progress(upload.received_bytes, upload.size_bytes)
            upload = await self._block(upload, file)
        progress(upload.received_bytes, upload.size_bytes)
        if upload.state == pb.UPLOAD_STATE_OPEN:
            upload = await self._caller.call(pb.CompleteUploadRequest(name=name), pb.Upload)
        return upload

    async def send(self, service: str, file: BinaryIO, media_type: str, progress: Progress = _nobody) -> pb.Upload:
        """Begins an upload, sends it and completes it; its name is what a request then takes."""
        return await self.go_on((await self.begin(service, file, media_type)).name, file, progress)

    async def fetch(self, name: str, into: BinaryIO, progress: Progress = _nobody) -> pb.Upload:
        """Fetches a complete upload into a file, after what that holds already, and compares the digest of all.

        Args:
            name: ``<service>/uploads/<uuid>``.
            into: a file opened to be read and written (``r+b``, ``w+b``); its beginning may be there from an attempt before.
            progress: is told how far it is.

        Raises:
            TongbanError: INTERNAL where the bytes are not those of the upload; what ``UploadService`` refuses with.
        """
        upload = await self._caller.call(pb.GetUploadRequest(name=name), pb.Upload)
        computed = hasher()
        held = await asyncio.to_thread(_digested, into, computed)
        while held < upload.size_bytes:
            progress(held, upload.size_bytes)
            content = await self._fetched(name, held)
            await asyncio.to_thread(_written, into, computed, content)
            held += len(content)
        progress(held, upload.size_bytes)
        if f"sm3:{computed.hexdigest()}" != upload.digest:
            raise reasons.internal(f"{name} came otherwise than it was completed")
        return upload

    async def _block(self, upload: pb.Upload, file: BinaryIO) -> pb.Upload:
        content = await asyncio.to_thread(_read, file, upload.received_bytes)
        head = pb.AppendUploadRequest(head=pb.AppendHead(name=upload.name, offset=upload.received_bytes))
        try:
            return await self._caller.upload(
                head, lambda chunk: pb.AppendUploadRequest(chunk=chunk), content, pb.Upload, None
            )
        except Aborted:
            # Another try of ours, or another process, added meanwhile: it is asked where it is now.
            return await self._caller.call(pb.GetUploadRequest(name=upload.name), pb.Upload)

    async def _fetched(self, name: str, offset: int) -> bytes:
        asked = pb.DownloadUploadRequest(name=name, offset=offset, limit_bytes=BLOCK_BYTES)
        found = await self._caller.download(asked, pb.DownloadUploadResponse, _head, None)
        content = await found.read()
        if not content:
            raise reasons.internal(f"{name} ends before its size")
        return content


class Files:
    """As ``AsyncFiles``, for code that waits."""

    def __init__(self, caller: AsyncRegionCalls, run: Run) -> None:
        self._files = AsyncFiles(caller)
        self._run = run

    def begin(self, service: str, file: BinaryIO, media_type: str) -> pb.Upload:
        """As ``AsyncFiles.begin``."""
        return self._done(self._run(self._files.begin(service, file, media_type)))

    def go_on(self, name: str, file: BinaryIO, progress: Progress = _nobody) -> pb.Upload:
        """As ``AsyncFiles.go_on``."""
        return self._done(self._run(self._files.go_on(name, file, progress)))

    def send(self, service: str, file: BinaryIO, media_type: str, progress: Progress = _nobody) -> pb.Upload:
        """As ``AsyncFiles.send``."""
        return self._done(self._run(self._files.send(service, file, media_type, progress)))

    def fetch(self, name: str, into: BinaryIO, progress: Progress = _nobody) -> pb.Upload:
        """As ``AsyncFiles.fetch``."""
        return self._done(self._run(self._files.fetch(name, into, progress)))

    @staticmethod
    def _done(upload: object) -> pb.Upload:
        assert isinstance(upload, pb.Upload)
        return upload


def _head(part: pb.DownloadUploadResponse) -> pb.Upload | None:
    return part.upload if part.HasField("upload") else None


def _read(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(BLOCK_BYTES)


def _written(into: BinaryIO, computed: Hasher, content: bytes) -> None:
    into.write(content)
    computed.update(content)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block


def _measured(file: BinaryIO) -> tuple[int, str]:
    computed = hasher()
    size = _digested(file, computed)
    return size, f"sm3:{computed.hexdigest()}"


def _digested(file: BinaryIO, computed: Hasher) -> int:
    """Digests a file from its first byte to its last, where it is left; returns its size."""
    file.seek(0)
    size = 0
    for block in _blocks(file):
        computed.update(block)
        size += len(block)
    return size
