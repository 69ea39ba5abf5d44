"""What a service does with uploads: takes the bytes of one that a request names, and hands out files as one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from libs.access.actor import Actor, Standing
from libs.crypto.sm3 import sm3
from libs.db.engine import Database
from libs.errors import invalid_field, reasons
from libs.ids.uuid7 import uuid7
from libs.uploads import rules, store
from libs.uploads.api import owner_of
from libs.uploads.content import UploadContent
from libs.uploads.rules import UploadQuota


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
    quota: UploadQuota

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

    async def check_room(self, actor: Actor, size: int) -> None:
        """Refuses a file of so many bytes that would be handed out, before anything is done for it.

        Raises:
            InvalidArgument: FIELD_INVALID for another region: it gets the bytes, and has no uploads here.
            ResourceExhausted: UPLOAD_QUOTA_EXCEEDED.
        """
        if actor.standing is Standing.REGION:
            raise invalid_field("as_upload", "as_upload.region", "another region has no uploads here")
        async with self.database.read() as connection:
            rules.check_quota(self.quota, await store.HELD.one(connection, owner=owner_of(actor)), size)

    async def give(self, content: bytes, media_type: str, actor: Actor) -> str:
        """Hands a file out as a complete upload of the caller's, to be fetched by ranges for a day; returns its name.

        What a process leaves that dies in between ends by itself, as every upload does. What was done for the file stands by
        now: it is refused by ``check_room`` before, and not here.
        """
        key, digest = uuid7(), f"sm3:{sm3(content).hex()}"
        name = f"{self.service}/uploads/{key}"
        told = {"owner": owner_of(actor), "media_type": media_type, "size": len(content), "digest": digest}
        async with self.database.read() as connection:
            upload = await store.ADD.one(connection, id=key, lifetime=rules.LIFETIME, **told)
        await self.content.append(upload, name, 0, _pieces(content))
        async with self.database.read() as connection:
            done = await store.COMPLETE.first(connection, id=key, digest=digest, lifetime=rules.LIFETIME)
        if done is None:
            raise reasons.internal(f"{name} was not written to its end")
        return name


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), rules.PART_BYTES):
        yield content[start : start + rules.PART_BYTES]
