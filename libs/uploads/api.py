"""UploadService over a service's own uploads; every service registers it."""

from collections.abc import AsyncIterator

from libs.access.actor import Actor
from libs.config import UploadsConfig
from libs.db.command import command_of
from libs.db.engine import Database
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import Violation, invalid_field, reasons, state_conflict
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.messages import Names, timestamp
from libs.uploads import rules, store
from libs.uploads.beginning import begin
from libs.uploads.content import UploadContent
from libs.uploads.rules import Upload, UploadQuota
from tongban.uploads.v1 import upload_service_pb2 as pb

_STATES = Names(pb.UploadState)


class UploadApi:
    """Takes files in pieces, and gives them back to who brought them."""

    def __init__(
        self, service: str, database: Database, uow: UnitOfWork, content: UploadContent, config: UploadsConfig
    ) -> None:
        self._service = service
        self._database = database
        self._uow = uow
        self._content = content
        self._quota = quota_of(config)

    async def create_upload(self, request: pb.CreateUploadRequest, call: Call) -> pb.Upload:
        """Begins an upload, within the caller's quota."""
        self._must_be_ours("service", request.service)
        told, owner = request.upload, owner_of(call.actor)

        async def work(tx: Transaction) -> pb.Upload:
            made = await begin(
                tx.connection,
                self._quota,
                key=uuid7(),
                owner=owner,
                media_type=told.media_type,
                size=told.size_bytes,
                digest=told.digest,
            )
            return self._message(made)

        return await self._uow.run(command_of(request, call=call), work)

    async def get_upload(self, request: pb.GetUploadRequest, call: Call) -> pb.Upload:
        """Tells how far an upload is."""
        return self._message(await self._own(request.name, call))

    async def append_upload(self, request: AsyncIterator[pb.AppendUploadRequest], call: Call) -> pb.Upload:
        """Adds bytes as they come."""
        first = await anext(request, None)
        if first is None or not first.HasField("head"):
            raise _out_of_order("head")
        head = first.head
        upload = await self._own(head.name, call)
        rules.check_open(upload, head.name)
        return self._message(await self._content.append(upload, head.name, head.offset, _chunks(request)))

    async def complete_upload(self, request: pb.CompleteUploadRequest, call: Call) -> pb.Upload:
        """Compares what is there with what was announced, outside of any transaction: a large file takes seconds."""
        command = command_of(request, call=call)
        stored = await self._uow.stored(command)
        if isinstance(stored, pb.Upload):
            return stored
        upload = await self._own(request.name, call)
        digest = await self._whole(upload, request)

        async def work(tx: Transaction) -> pb.Upload:
            done = await store.COMPLETE.first(tx.connection, id=upload.id, digest=digest, lifetime=rules.LIFETIME)
            if done is None:
                raise state_conflict(request.name, "no longer open", rules.UploadState.OPEN.value)
            return self._message(done)

        return await self._uow.run(command, work)

    async def _whole(self, upload: Upload, request: pb.CompleteUploadRequest) -> str:
        """Returns the digest of an upload that is what was announced."""
        rules.check_open(upload, request.name)
        announced = rules.announced_digest(upload, request.name, request.digest)
        rules.check_whole(upload, request.name)
        rules.check_digest(request.name, announced, await self._content.digest(upload))
        return announced

    async def delete_upload(self, request: pb.DeleteUploadRequest, call: Call) -> pb.Upload:
        """Gives an upload up; its bytes are erased by the sweep."""

        async def work(tx: Transaction) -> pb.Upload:
            found = await store.BY_ID.first(tx.connection, id=self._identifier(request.name))
            upload = rules.check_owned(found, request.name, owner_of(call.actor))
            gone = await store.DELETE.first(tx.connection, id=upload.id)
            return self._message(rules.check_gone(gone, request.name))

        return await self._uow.run(command_of(request, call=call), work)

    async def download_upload(
        self, request: pb.DownloadUploadRequest, call: Call
    ) -> AsyncIterator[pb.DownloadUploadResponse]:
        """Hands out a range of a complete upload."""
        upload = await self._own(request.name, call)
        rules.check_complete(upload, request.name)
        start, end = rules.range_of(upload, request.offset, request.limit_bytes)
        yield pb.DownloadUploadResponse(upload=self._message(upload))
        async for piece in self._content.pieces(upload, start, end):
            yield pb.DownloadUploadResponse(chunk=piece)

    async def _own(self, name: str, call: Call) -> Upload:
        """Reads the caller's upload; what is told of it, and the bytes, are the caller's own."""
        found = await store.find(self._database, self._identifier(name))
        upload = rules.check_owned(found, name, owner_of(call.actor))
        call.own()
        return upload

    def _must_be_ours(self, field: str, service: str) -> None:
        if service != self._service:
            raise invalid_field(field, "service", f"these are the uploads of {self._service}")

    def _identifier(self, name: str) -> str:
        service, _, identifier = name.split("/")
        self._must_be_ours("name", service)
        return identifier

    def _message(self, upload: Upload) -> pb.Upload:
        return pb.Upload(
            name=f"{self._service}/uploads/{upload.id}",
            size_bytes=upload.size,
            media_type=upload.media_type,
            digest=upload.digest,
            received_bytes=upload.received,
            state=_STATES.number(upload.state.value),
            create_time=timestamp(upload.create_time),
            expire_time=timestamp(upload.expire_time),
        )


def quota_of(config: UploadsConfig) -> UploadQuota:
    """Returns what one caller may have at a service."""
    return UploadQuota(config.most, config.megabytes * 1_000_000)


def owner_of(actor: Actor) -> str:
    """Returns whose an upload is that the caller begins: the token's subject and, beside them, who acts in their place."""
    return f"{actor.subject} {actor.delegate}".strip()


async def _chunks(parts: AsyncIterator[pb.AppendUploadRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise _out_of_order("chunk")
        yield part.chunk


def _out_of_order(expected: str) -> Exception:
    violation = Violation(
        expected, f"stream.{expected}_expected", "the messages are out of order: first a head, then chunks"
    )
    return reasons.field_invalid(violation.description, violations=(violation,))
