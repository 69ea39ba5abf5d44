"""What may be uploaded, added and taken: decided purely."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from libs.errors import InvalidArgument, invalid_field, not_found, reasons, state_conflict

PART_BYTES = 1024 * 1024
"""Bytes of every part but the last. Part n holds the file from byte n MiB on, so that a range is found by counting."""
LIFETIME = timedelta(days=1)
"""How long an upload is kept: from its beginning and, once it is complete, from then on."""


class UploadState(Enum):
    """Where an upload stands; the names are those of UploadState in the contract."""

    OPEN = "OPEN"
    COMPLETE = "COMPLETE"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way here.

    Attributes:
        owner: who began it: the subject of the token, and who acts for it.
        size: in bytes, as announced.
        digest: ``sm3:<hex>``; empty where it was not told yet.
        received: how many bytes are kept, from the first on.
        expire_time: when it is given up by itself, by the database's clock.
    """

    id: str
    owner: str
    media_type: str
    size: int
    digest: str
    received: int
    state: UploadState
    create_time: datetime
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class UploadQuota:
    """What one caller may have at one service: so many uploads, with so many bytes announced."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class PartSlice:
    """A piece of one part: bytes ``start`` to ``end`` (not included) of part ``number``."""

    number: int
    start: int
    end: int


def check_quota(quota: UploadQuota, held: UploadQuota, size: int) -> None:
    """Raises UPLOAD_QUOTA_EXCEEDED where who holds ``held`` may not begin another upload of ``size`` bytes."""
    if held.count >= quota.count:
        raise reasons.upload_quota_exceeded("too many uploads at once", rule="count", limit=str(quota.count))
    if held.size + size > quota.size:
        raise reasons.upload_quota_exceeded("too many bytes at once", rule="bytes", limit=str(quota.size))


def check_owned(found: Upload | None, name: str, owner: str) -> Upload:
    """Returns the upload if it is the caller's and not deleted; what is another's does not exist (RESOURCE_NOT_FOUND)."""
    if found is None or found.owner != owner or found.state is UploadState.DELETED:
        raise not_found(name)
    return found


def check_gone(deleted: Upload | None, name: str) -> Upload:
    """Returns what was deleted; raises RESOURCE_NOT_FOUND where somebody else was first."""
    if deleted is None:
        raise not_found(name)
    return deleted


def check_open(upload: Upload, name: str) -> None:
    """Raises STATE_CONFLICT unless the upload takes bytes."""
    if upload.state is not UploadState.OPEN:
        raise state_conflict(name, upload.state.value, UploadState.OPEN.value)


def check_complete(upload: Upload, name: str) -> None:
    """Raises STATE_CONFLICT unless the upload can be read and named in requests."""
    if upload.state is not UploadState.COMPLETE:
        raise state_conflict(name, upload.state.value, UploadState.COMPLETE.value)


def check_offset(upload: Upload, name: str, offset: int) -> None:
    """Raises UPLOAD_OFFSET_MISMATCH where bytes between the last kept and the first that come would be missing."""
    if offset > upload.received:
        raise reasons.upload_offset_mismatch(
            f"{name} has {upload.received} bytes", resource=name, received_bytes=str(upload.received)
        )


def check_room(upload: Upload, name: str, end: int) -> None:
    """Raises UPLOAD_CONTENT_MISMATCH ``size`` where the bytes that come would end behind what was announced."""
    if end > upload.size:
        raise mismatch(name, "size")


def check_whole(upload: Upload, name: str) -> None:
    """Raises UPLOAD_CONTENT_MISMATCH ``size`` where bytes are missing."""
    if upload.received != upload.size:
        raise mismatch(name, "size")


def announced_digest(upload: Upload, name: str, told: str) -> str:
    """Returns the digest that the bytes must have: told at the end, or at the beginning.

    Raises:
        InvalidArgument: FIELD_INVALID where it was told at neither, UPLOAD_CONTENT_MISMATCH where the two differ.
    """
    if not (told or upload.digest):
        raise invalid_field("digest", "digest.required", "must be told here where it was not at the beginning")
    if told and upload.digest and told != upload.digest:
        raise mismatch(name, "digest")
    return told or upload.digest


def check_digest(name: str, announced: str, found: str) -> None:
    """Raises UPLOAD_CONTENT_MISMATCH ``digest`` where the bytes are others than those announced."""
    if announced != found:
        raise mismatch(name, "digest")


def mismatch(name: str, rule: str) -> InvalidArgument:
    """Builds the refusal of bytes that are not what was announced; ``rule`` is ``size`` or ``digest``."""
    return reasons.upload_content_mismatch(f"{name} is not what was announced: {rule}", resource=name, rule=rule)


def range_of(upload: Upload, offset: int, limit: int) -> tuple[int, int]:
    """Returns the first byte and the one behind the last of what is asked for; ``limit`` 0 is to the end.

    Raises FIELD_INVALID where it would begin behind the last byte.
    """
    if offset >= upload.size:
        raise invalid_field("offset", "offset.range", f"must be less than {upload.size}")
    return offset, min(upload.size, offset + limit) if limit else upload.size


def slices(start: int, end: int) -> Iterator[PartSlice]:
    """Yields which pieces of which parts bytes ``start`` to ``end`` (not included) are."""
    while start < end:
        number, within = divmod(start, PART_BYTES)
        upto = min(PART_BYTES, within + end - start)
        yield PartSlice(number, within, upto)
        start += upto - within
