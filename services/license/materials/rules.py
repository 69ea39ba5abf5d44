"""The store of materials (电子材料库): what may be handed in, who may read it, when it may be used again."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from libs.errors import (
    InvalidArgument,
    PermissionDenied,
    invalid_field,
    not_found,
    reasons,
)
from services.license.core.reading import KEEPER_OF_CASES, HandledCase, Reader

SIZE_LIMIT = 20 * 1024 * 1024
CHUNK_LIMIT = 1024 * 1024
MAGIC: dict[str, bytes] = {
    "application/ofd": b"PK\x03\x04",
    "application/pdf": b"%PDF-",
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
}


class MaterialState(Enum):
    """Where a material stands; the names are those of MaterialState in the contract."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    ERASED = "ERASED"


@dataclass(frozen=True, slots=True)
class AnnouncedFile:
    """What an upload says of the file that follows: digest ``sm3:<hex>``, media type, size in bytes."""

    digest: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Material:
    """A file that somebody handed in.

    Attributes:
        file_name: its name, encrypted.
        size: in bytes.
        case_name: the case that it was handed in for, as this region writes it.
        handling_region: the region that handles that case.
        reusable: whether its owner agreed to its use in further cases.
        uploader: who handed it in.
    """

    id: str
    owner: str
    category: str
    file_name: bytes
    digest: str
    media_type: str
    size: int
    case_name: str
    handling_region: str
    reusable: bool
    valid_until: date | None
    uploader: str
    create_time: datetime
    update_time: datetime
    reuse_count: int = 0
    state: MaterialState = MaterialState.ACTIVE
    erase_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"materials/{self.id}"


def check_announced(document: AnnouncedFile) -> None:
    """Checks what an upload announces, before a byte is taken.

    Raises FIELD_INVALID for an empty file or a media type that is not taken, MATERIAL_TOO_LARGE over 20 MiB.
    """
    if document.media_type not in MAGIC:
        allowed = ", ".join(sorted(MAGIC))
        raise invalid_field("metadata.document.media_type", "media_type.in", f"must be one of {allowed}")
    if document.size == 0:
        raise invalid_field("metadata.document.size_bytes", "size_bytes.gt", "must be more than 0")
    if document.size > SIZE_LIMIT:
        raise reasons.material_too_large("the file is larger than the store takes", limit_bytes=str(SIZE_LIMIT))


def check_received(announced: AnnouncedFile, received: int) -> None:
    """Raises MATERIAL_CONTENT_MISMATCH as soon as more bytes have come than were announced."""
    if received > announced.size:
        raise _mismatch("size")


def check_content(announced: AnnouncedFile, size: int, digest: str, head: bytes) -> None:
    """Checks the whole content; ``digest`` is computed by the caller, ``head`` the first bytes (8 or more).

    Raises MATERIAL_CONTENT_MISMATCH with the rule ``size``, ``digest`` or ``media_type``.
    """
    if size != announced.size:
        raise _mismatch("size")
    if digest != announced.digest:
        raise _mismatch("digest")
    if not head.startswith(MAGIC[announced.media_type]):
        raise _mismatch("media_type")


def stream_invalid(rule: str) -> InvalidArgument:
    """Builds the error for upload messages in a wrong order; ``rule`` is ``metadata_first``, ``chunk_expected`` or ``no_chunk_expected``."""
    return reasons.material_stream_invalid(f"the messages are out of order: {rule}", rule=rule)


def is_own(material: Material, reader: Reader) -> bool:
    """Tells whether the material is the reader's: its owner's, or that of the staff or machine who handed it in."""
    return material.owner in reader.subjects or (bool(reader.official) and material.uploader == reader.official)


def check_read(
    material: Material, reader: Reader, home_region: str, case_name: str, case: HandledCase | None = None
) -> None:
    """Checks that the reader may have the material, for ``case_name`` (canonical, may be empty).

    The owner and the office that handed it in may; so may who works on the case (``case``: what is known of it, if it is
    worked on now) that it was handed in for or that its owner put it into, the cases service for any case, which is its
    own, and the handling region for the case that it was handed in for. To other regions a material that they may not read
    does not exist.

    Raises NOT_OWNER or, for other regions and for what is erased, RESOURCE_NOT_FOUND. People are kept out before
    (``libs.access.owners.hide_from_others``).
    """
    if material.state is MaterialState.ERASED:
        raise not_found(material.name)
    if is_own(material, reader):
        return
    for_case = bool(material.case_name) and case_name == material.case_name
    if reader.region_code != home_region:
        if not for_case or reader.region_code != material.handling_region:
            raise not_found(material.name)
        return
    if reader.client == KEEPER_OF_CASES and case_name:
        return
    works_on = case is not None and not reader.subjects and case.is_of(reader)
    if case is None or not works_on or not (for_case or case.brings(material.name, material.owner)):
        raise somebody_elses(material.name)


def somebody_elses(name: str) -> PermissionDenied:
    """Builds the error for a file that is neither the reader's own nor of a case that the reader works on."""
    return reasons.not_owner(f"{name} is somebody else's, or of a case that the reader doesn't work on")


def state_on(material: Material, today: date) -> MaterialState:
    """Returns the state as of ``today``, whether or not the end has been marked yet."""
    ended = material.valid_until is not None and material.valid_until < today
    return MaterialState.EXPIRED if ended and material.state is MaterialState.ACTIVE else material.state


def check_reuse(material: Material, owner: str, category: str, today: date) -> None:
    """Checks that a material may stand in for ``category`` in a further case of ``owner``.

    Raises MATERIAL_NOT_REUSABLE with the rule ``owner``, ``category``, ``consent``, ``expired`` or ``erased``.
    """
    state = state_on(material, today)
    rules = (
        ("owner", material.owner == owner),
        ("category", material.category == category),
        ("erased", state is not MaterialState.ERASED),
        ("expired", state is not MaterialState.EXPIRED),
        ("consent", material.reusable),
    )
    for rule, holds in rules:
        if not holds:
            raise reasons.material_not_reusable(
                f"{material.name} can't be used again: {rule}",
                resource=material.name,
                rule=rule,
            )


def _mismatch(rule: str) -> InvalidArgument:
    return reasons.material_content_mismatch(f"the bytes are not what was announced: {rule}", rule=rule)
