"""Builds seals and seal signatures of version 4 in two halves: what is to be signed, then the whole around it.

What was signed goes into the whole as bytes: nothing is encoded a second time after the key was used.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core

from services.seal.core.ses import der
from services.seal.core.ses.der import Tag
from services.seal.core.ses.structures import SM2_WITH_SM3, CertInfoList, ExtensionDatas, SesSealInfo

VERSION = 4
"""GB/T 38540-2020."""
VENDOR = "TONGBAN"
"""Our Vid."""

_VERSION = core.Integer(VERSION).dump()
_ALGORITHM = core.ObjectIdentifier(SM2_WITH_SM3).dump()


@dataclass(frozen=True, slots=True)
class SealPlan:
    """What goes into a seal.

    Attributes:
        seal_id: esID, ASCII.
        seal_type: the business type.
        name: the seal's name.
        certificates: DER certificates of those who may sign with it.
        create_time: when it is made.
        valid_from: from when it may be used, inclusive.
        valid_until: until when, inclusive.
        picture: the picture's bytes.
        picture_type: `PNG`, `SVG` and so on.
        width_mm: the picture's width.
        height_mm: the picture's height.
        extensions: (object identifier, value), none of them critical.
    """

    seal_id: str
    seal_type: int
    name: str
    certificates: tuple[bytes, ...]
    create_time: datetime
    valid_from: datetime
    valid_until: datetime
    picture: bytes
    width_mm: int
    height_mm: int
    picture_type: str = "PNG"
    extensions: tuple[tuple[str, bytes], ...] = ()


def _whole_seconds(at: datetime) -> datetime:
    """GB/T 38540 writes times without fractions (YYYYMMDDHHMMSSZ)."""
    return at.astimezone(UTC).replace(microsecond=0)


def _extension_values(extensions: Sequence[tuple[str, bytes]]) -> list[dict[str, object]]:
    return [{"extn_id": oid, "critical": False, "extn_value": value} for oid, value in extensions]


def build_seal_info(plan: SealPlan) -> bytes:
    """Returns the DER of SES_SealInfo: the exact bytes that the seal maker signs."""
    values: dict[str, object] = {
        "header": {"id": "ES", "version": VERSION, "vid": VENDOR},
        "es_id": plan.seal_id,
        "property": {
            "type": plan.seal_type,
            "name": plan.name,
            "cert_list_type": 1,
            "cert_list": CertInfoList(plan.certificates),
            "create_date": _whole_seconds(plan.create_time),
            "valid_start": _whole_seconds(plan.valid_from),
            "valid_end": _whole_seconds(plan.valid_until),
        },
        "picture": {
            "type": plan.picture_type,
            "data": plan.picture,
            "width": plan.width_mm,
            "height": plan.height_mm,
        },
    }
    if plan.extensions:
        values["ext_datas"] = _extension_values(plan.extensions)
    return bytes(SesSealInfo(values).dump())


def build_seal(info: bytes, maker_certificate: bytes, signature: bytes) -> bytes:
    """Returns the DER of SESeal around the signed ``info``."""
    return _around(info, maker_certificate, signature)


def build_tbs(
    seal: bytes,
    at: datetime,
    data_hash: bytes,
    property_info: str,
    extensions: Sequence[tuple[str, bytes]] = (),
) -> bytes:
    """Returns the DER of TBS_Sign: the exact bytes that the signer signs.

    Args:
        seal: the SESeal, taken in as it is.
        at: timeInfo, cut to whole seconds.
        data_hash: SM3 of the protected original, 32 bytes.
        property_info: for OFD the absolute path of Signature.xml.
        extensions: (object identifier, value), none of them critical.
    """
    parts = [_front(seal, at), _tail(data_hash, property_info)]
    if extensions:
        parts.append(der.encode(Tag.CONTEXT_0, ExtensionDatas(_extension_values(extensions)).dump()))
    return der.encode(Tag.SEQUENCE, *parts)


def build_many_tbs(seal: bytes, at: datetime, protected: Iterable[tuple[bytes, str]]) -> list[tuple[bytes, bytes]]:
    """Returns (TBS_Sign, its SM3 digest) for each (dataHash, propertyInfo), as ``build_tbs`` without extensions.

    All begin with the same seal, which is most of them: it is hashed once.
    """
    front = _front(seal, at)
    begun: dict[bytes, Any] = {}
    made: list[tuple[bytes, bytes]] = []
    for data_hash, property_info in protected:
        tail = _tail(data_hash, property_info)
        head = der.header(Tag.SEQUENCE, len(front) + len(tail))
        if head not in begun:
            begun[head] = hashlib.new("sm3", head + front)
        digest = begun[head].copy()
        digest.update(tail)
        made.append((b"".join((head, front, tail)), digest.digest()))
    return made


def _front(seal: bytes, at: datetime) -> bytes:
    time = der.encode(Tag.GENERALIZED_TIME, f"{_whole_seconds(at):%Y%m%d%H%M%SZ}".encode())
    return b"".join((_VERSION, seal, time))


def _tail(data_hash: bytes, property_info: str) -> bytes:
    path = der.encode(Tag.IA5_STRING, property_info.encode("ascii"))
    return der.encode(Tag.BIT_STRING, b"\0", data_hash) + path


def build_signature(tbs: bytes, certificate: bytes, signature: bytes) -> bytes:
    """Returns the DER of SES_Signature around the signed ``tbs``."""
    return _around(tbs, certificate, signature)


def _around(signed: bytes, certificate: bytes, signature: bytes) -> bytes:
    parts = (
        signed,
        der.encode(Tag.OCTET_STRING, certificate),
        _ALGORITHM,
        der.encode(Tag.BIT_STRING, b"\0", signature),
    )
    # Joined once: what was signed holds the whole seal and is the most of it.
    return b"".join((der.header(Tag.SEQUENCE, sum(map(len, parts))), *parts))
