"""Parses SESeal and SES_Signature, versions 4 (GB/T 38540-2020) and 5 (GM/T 0031-2025), keeping the received bytes."""

from dataclasses import dataclass
from datetime import datetime

from asn1crypto import core

from libs.crypto.asn1_budget import Asn1Limits, check_asn1
from services.seal.ses import der
from services.seal.ses.der import DerError, Element, Tag
from services.seal.ses.structures import SesSealInfo, TbsSign

LIMITS = Asn1Limits(size=2 << 20, elements=2_000)
"""Of a seal or a seal signature: room for a picture of 1 MiB and MAX_CERTIFICATES signers."""
VERSIONS = (4, 5)
"""The structure versions that are read."""
MAX_CERTIFICATES = 200
"""More signers in one seal are refused."""


class SesError(ValueError):
    """The bytes are not a seal or seal signature of a version that is read; the message names the rule."""


@dataclass(frozen=True, slots=True)
class ParsedSeal:
    """A seal, as received.

    Attributes:
        raw: the SESeal as received.
        info_raw: the SES_SealInfo as received.
        signed_raws: what the maker may have signed, the standard's way first.
        version: 4 or 5.
        vendor: the maker's product (Vid).
        seal_id: esID.
        seal_type: the business type.
        name: the seal's name.
        certificates: signers' DER certificates (certListType 1).
        certificate_digests: signers' certificate digests by algorithm name (certListType 2).
        create_time: createDate.
        valid_from: validStart, inclusive.
        valid_until: validEnd, inclusive.
        picture_type: `PNG`, `SVG` and so on.
        picture: the picture's bytes.
        width_mm: the picture's width.
        height_mm: the picture's height.
        maker_certificate: the maker's DER certificate.
        algorithm: signAlgID, dotted.
        signature: the maker's signature value, DER.
        time_stamp: the time stamp over it, or None.
    """

    raw: bytes
    info_raw: bytes
    signed_raws: tuple[bytes, ...]
    version: int
    vendor: str
    seal_id: str
    seal_type: int
    name: str
    certificates: tuple[bytes, ...]
    certificate_digests: tuple[tuple[str, bytes], ...]
    create_time: datetime
    valid_from: datetime
    valid_until: datetime
    picture_type: str
    picture: bytes
    width_mm: int
    height_mm: int
    maker_certificate: bytes
    algorithm: str
    signature: bytes
    time_stamp: bytes | None


@dataclass(frozen=True, slots=True)
class ParsedSignature:
    """A seal signature, as received.

    Attributes:
        raw: the SES_Signature as received.
        tbs_raw: the TBS_Sign as received: what the signer signed.
        version: toSign.version.
        seal: the seal inside.
        time: timeInfo, the time that the signer claims.
        data_hash: the digest of the protected original.
        property_info: for OFD the path of Signature.xml.
        certificate: the signer's DER certificate.
        algorithm: signatureAlgID, dotted.
        signature: the signature value, DER.
        time_stamp: the time stamp over it, or None.
    """

    raw: bytes
    tbs_raw: bytes
    version: int
    seal: ParsedSeal
    time: datetime
    data_hash: bytes
    property_info: str
    certificate: bytes
    algorithm: str
    signature: bytes
    time_stamp: bytes | None


def parse_seal(raw: bytes) -> ParsedSeal:
    """Parses a SESeal; raises SesError where it is not one."""
    try:
        check_asn1(raw, LIMITS)
        return _seal(raw)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise SesError(f"SESeal: {error}") from error


def parse_signature(raw: bytes) -> ParsedSignature:
    """Parses a SES_Signature; raises SesError where it is not one."""
    try:
        check_asn1(raw, LIMITS)
        return _signature(raw)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise SesError(f"SES_Signature: {error}") from error


def _outer(raw: bytes) -> tuple[list[Element], bytes | None]:
    """Cuts {to be signed, cert, algorithm, signature, [0] time stamp}, which SESeal and SES_Signature share."""
    parts = der.elements(der.one(raw, Tag.SEQUENCE).content)
    if len(parts) == 2:
        raise DerError("version 1 (GM/T 0031-2014) is not read")
    tags = [Tag.SEQUENCE, Tag.OCTET_STRING, Tag.OBJECT_IDENTIFIER, Tag.BIT_STRING, Tag.CONTEXT_0]
    if len(parts) not in (4, 5) or any(part.tag != tag for part, tag in zip(parts, tags, strict=False)):
        raise DerError("its parts are not those of the standard")
    stamp = der.bits(der.one(parts[4].content, Tag.BIT_STRING)) if len(parts) == 5 else None
    return parts, stamp


def _checked(kind: type[core.Sequence], raw: bytes) -> core.Sequence:
    """Decodes ``raw`` as ``kind`` down to the last field, so that a fault shows here and not later."""
    value = kind.load(raw, strict=True)
    _ = value.native
    return value


def _time(value: core.GeneralizedTime) -> datetime:
    at = value.native
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise DerError("a time without Z")
    return at


def _seal(raw: bytes) -> ParsedSeal:
    (info, certificate, algorithm, value, *_), stamp = _outer(raw)
    known = _checked(SesSealInfo, info.raw)
    header, prop, picture = known["header"], known["property"], known["picture"]
    version = header["version"].native
    if header["id"].native != "ES" or version not in VERSIONS:
        raise DerError(f"header {header['id'].native!r}, version {version}")
    if stamp is not None and version == 4:
        raise DerError("version 4 has no time stamp in the seal")
    by_value = prop["cert_list_type"].native == 1
    entries = prop["cert_list"]
    if not 1 <= len(entries) <= MAX_CERTIFICATES:
        raise DerError(f"{len(entries)} signers")
    return ParsedSeal(
        raw=raw,
        info_raw=info.raw,
        signed_raws=(info.raw,),
        version=version,
        vendor=header["vid"].native,
        seal_id=known["es_id"].native,
        seal_type=prop["type"].native,
        name=prop["name"].native,
        certificates=tuple(entry.native for entry in entries) if by_value else (),
        certificate_digests=() if by_value else tuple((e["type"].native, e["value"].native) for e in entries),
        create_time=_time(prop["create_date"]),
        valid_from=_time(prop["valid_start"]),
        valid_until=_time(prop["valid_end"]),
        picture_type=picture["type"].native,
        picture=picture["data"].native,
        width_mm=picture["width"].native,
        height_mm=picture["height"].native,
        maker_certificate=certificate.content,
        algorithm=core.ObjectIdentifier.load(algorithm.raw, strict=True).dotted,
        signature=der.bits(value),
        time_stamp=stamp,
    )


def _signature(raw: bytes) -> ParsedSignature:
    (tbs, certificate, algorithm, value, *_), stamp = _outer(raw)
    parts = der.elements(tbs.content)
    if len(parts) not in (5, 6):
        raise DerError("TBS_Sign: its parts are not those of the standard")
    known = _checked(TbsSign, tbs.raw)
    return ParsedSignature(
        raw=raw,
        tbs_raw=tbs.raw,
        version=known["version"].native,
        seal=_seal(parts[1].raw),
        time=_time(known["time_info"]),
        data_hash=der.bits(parts[3]),
        property_info=known["property_info"].native,
        certificate=certificate.content,
        algorithm=core.ObjectIdentifier.load(algorithm.raw, strict=True).dotted,
        signature=der.bits(value),
        time_stamp=stamp,
    )
