"""Files on their way to a real service, as one caller brings them."""

import uuid
from dataclasses import dataclass
from typing import Any

import grpc

from libs.crypto.sm3 import sm3
from libs.rpc import status
from tests.support.patience import PATIENCE
from tests.support.service import Service
from tongban.uploads.v1 import upload_service_pb2 as pb
from tongban.uploads.v1 import upload_service_pb2_grpc

MIB = 1024 * 1024
CHUNK = 256 * 1024
PERSON = "persons/00000000-0000-7000-8000-0000000000a1"


def content_of(size: int) -> bytes:
    """Bytes that are alike nowhere."""
    return b"".join(sm3(b"%d" % number) for number in range(size // 32 + 1))[:size]


def digest_of(content: bytes) -> str:
    """As the contract writes it."""
    return "sm3:" + sm3(content).hex()


def cut(content: bytes, size: int = CHUNK) -> list[bytes]:
    """The content in chunks."""
    return [content[begin : begin + size] for begin in range(0, len(content), size)]


@dataclass
class Uploading:
    """The upload service of a license service, as one caller."""

    service: Service
    subject: str = PERSON
    at: str = "license"
    kind: str = "PERSON"

    def __post_init__(self) -> None:
        self.stub: Any = upload_service_pb2_grpc.UploadServiceStub(self.service.channel)
        self.metadata = self.service.metadata(self.subject, self.kind, "uploads.*")

    async def call(self, rpc: str, request: Any) -> pb.Upload:
        """Calls; raises what the service meant."""
        try:
            found: pb.Upload = await getattr(self.stub, rpc)(request, metadata=self.metadata, timeout=PATIENCE)
            return found
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error, self.at) from error

    async def create(self, size: int, request_id: str = "", **announced: Any) -> pb.Upload:
        """Begins an upload."""
        upload = pb.Upload(size_bytes=size, media_type="application/pdf", **announced)
        request_id = request_id or str(uuid.uuid4())
        return await self.call(
            "CreateUpload", pb.CreateUploadRequest(service=self.at, upload=upload, request_id=request_id)
        )

    async def append(self, name: str, offset: int, content: bytes, size: int = CHUNK) -> pb.Upload:
        """Adds bytes."""
        chunks = [pb.AppendUploadRequest(chunk=each) for each in cut(content, size)]
        head = pb.AppendUploadRequest(head=pb.AppendHead(name=name, offset=offset))
        return await self.call("AppendUpload", iter([head, *chunks]))

    async def get(self, name: str) -> pb.Upload:
        """How far it is."""
        return await self.call("GetUpload", pb.GetUploadRequest(name=name))

    async def complete(self, name: str, digest: str = "", request_id: str = "") -> pb.Upload:
        """Ends it."""
        request_id = request_id or str(uuid.uuid4())
        return await self.call(
            "CompleteUpload", pb.CompleteUploadRequest(name=name, digest=digest, request_id=request_id)
        )

    async def delete(self, name: str) -> pb.Upload:
        """Gives it up."""
        return await self.call("DeleteUpload", pb.DeleteUploadRequest(name=name, request_id=str(uuid.uuid4())))

    async def download(self, name: str, offset: int = 0, limit: int = 0) -> tuple[pb.Upload, bytes]:
        """Reads it."""
        request = pb.DownloadUploadRequest(name=name, offset=offset, limit_bytes=limit)
        try:
            found = [part async for part in self.stub.DownloadUpload(request, metadata=self.metadata, timeout=PATIENCE)]
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error, self.at) from error
        return found[0].upload, b"".join(part.chunk for part in found[1:])

    async def whole(self, content: bytes) -> pb.Upload:
        """Brings a file as a whole."""
        upload = await self.create(len(content), digest=digest_of(content))
        await self.append(upload.name, 0, content)
        return await self.complete(upload.name)

    async def fill(self, held: int = 0) -> None:
        """Begins uploads until there is room for no further byte, beside the ``held`` bytes that they have already."""
        left = self.service.process.config.uploads.megabytes * 1_000_000 - held
        while left:
            size = min(left, 1024 * MIB)
            await self.create(size)
            left -= size
