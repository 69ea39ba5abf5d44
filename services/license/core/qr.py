"""The QR code on a licence: an address of the public verification page, so that any phone's camera can follow it.

``<public base url>/verify?r=<region>&c=<identifier>.<check>``. The region says where to ask, so that no reader ever has
to trust the host in the address; the check binds the paper to the face that was issued.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from libs.errors import InvalidArgument, reasons
from libs.ids.region import REGION_ID
from libs.values.canonical import VERSION, tagged_fields
from libs.values.kinds import Value
from services.license.core.catalogue import Holder
from services.license.core.validity import LicenseTerm, compact

_CONTENT = re.compile(r"(1\.2\.156\.3005\.2(?:\.[0-9A-Z]+){5})\.([0-9a-f]{8})")
_REGION = re.compile(REGION_ID, re.ASCII)


@dataclass(frozen=True, slots=True)
class QrContent:
    """What a QR code says: the region's id, licence identifier, and the check of 8 hexadecimal digits."""

    region_code: str
    identifier: str
    check: str


def face_bytes(
    identifier: str, number: str, holders: Sequence[Holder], validity: LicenseTerm, face: Mapping[str, Value]
) -> bytes:
    """Returns the canonical bytes of a face: what the check is made over, by SM3."""
    content = {
        "ZZBS": identifier,
        "ZZBH": number,
        "CZZT": [[holder.display_name, holder.document_type, holder.document_number] for holder in holders],
        "ZZYXQQSRQ": compact(validity.start),
        "ZZYXQJZRQ": compact(validity.end),
        "face": {"v": VERSION, "fields": tagged_fields(face)},
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def check_of(face_digest: bytes) -> str:
    """Returns the check for the SM3 digest of ``face_bytes``: its first 8 hexadecimal digits, in lower case."""
    return face_digest.hex()[:8]


def qr_text(public_base_url: str, content: QrContent) -> str:
    """Returns what the QR code says. ``public_base_url`` is the gateway's address as the public sees it."""
    return f"{public_base_url.rstrip('/')}/verify?r={content.region_code}&c={content.identifier}.{content.check}"


def parse_qr(text: str) -> QrContent:
    """Returns what a QR code says; the identifier's own check character is left to the caller.

    Raises QR_CONTENT_INVALID with the rule ``address``, ``region`` or ``content``.
    """
    path, query = _address(text)
    if not path.endswith("/verify"):
        raise _invalid("address")
    regions, contents = query.get("r", []), query.get("c", [])
    if len(regions) != 1 or not _REGION.fullmatch(regions[0]):
        raise _invalid("region")
    match = _CONTENT.fullmatch(contents[0]) if len(contents) == 1 else None
    if match is None:
        raise _invalid("content")
    return QrContent(regions[0], match[1], match[2])


def _address(text: str) -> tuple[str, dict[str, list[str]]]:
    try:
        parts = urlsplit(text.strip())
        query = parse_qs(parts.query, max_num_fields=10)
    except ValueError as error:
        raise _invalid("address") from error
    if parts.scheme not in ("http", "https"):
        raise _invalid("address")
    return parts.path, query


def _invalid(rule: str) -> InvalidArgument:
    return reasons.qr_content_invalid(f"not the QR code of a licence: {rule}", rule=rule)
