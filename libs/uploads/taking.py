"""What a service does with an upload that a request names: takes its bytes, for who brought them."""

from dataclasses import dataclass
from typing import Protocol

from libs.access.actor import Actor
from libs.db.engine import Database
from libs.errors import invalid_field
from libs.uploads import rules, store
from libs.uploads.api import owner_of
from libs.uploads.content import UploadContent


class TakesFile(Protocol):
    """A request that brings a file, or names an upload."""

    content: bytes
    upload: str


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A complete upload as a request takes it; ``digest`` is ``sm3:<hex>`` of the content, compared when it was completed."""

    content: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class UploadedFiles:
    """The complete uploads of one service, by their names."""

    service: str
    database: Database
    content: UploadContent

    async def source(self, request: TakesFile, actor: Actor, limit: int) -> bytes:
        """Returns the file of a request with ``oneof source {bytes content, string upload}``; raises as ``take``."""
        if not request.upload:
            return request.content
        return (await self.take(request.upload, actor, limit, "upload")).content

    async def take(self, name: str, actor: Actor, limit: int, field: str) -> UploadedFile:
        """Returns the whole file; it stays, for further requests, until its time is over.

        Args:
            name: ``<service>/uploads/<uuid>``.
            actor: who asks.
            limit: the most bytes that the request takes.
            field: the field that names the upload.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also where it is somebody else's.
            FailedPrecondition: STATE_CONFLICT where it is not complete.
            InvalidArgument: FIELD_INVALID where it lies at another service, or is larger than the limit.
        """
        service, _, key = name.split("/")
        if service != self.service:
            raise invalid_field(field, "service", f"must be an upload of {self.service}")
        upload = rules.check_owned(await store.find(self.database, key), name, owner_of(actor))
        rules.check_complete(upload, name)
        if upload.size > limit:
            raise invalid_field(field, "size_bytes.lte", f"must have at most {limit} bytes")
        content = b"".join([piece async for piece in self.content.pieces(upload, 0, upload.size)])
        return UploadedFile(content, upload.media_type, upload.digest)
