"""Parses SESeal and SES_Signature, keeping the received bytes.

GB/T 38540-2020 (version 4), GM/T 0031-2025 (5), and the older GM/T 0031-2014 (1), which is read only. Read leniently
where makers deviate and nothing hangs on it: kinds of strings and times, BER where the standards ask for DER. What was
tolerated is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from libs.crypto.asn1_budget import Asn1Limits, check_asn1
from libs.crypto.x509 import tlv
from libs.crypto.x509.tlv import BIT_STRING, OCTET_STRING, SEQUENCE, Tlv, only
from services.seal.core.ses import der

LIMITS = Asn1Limits(size=2 << 20, elements=2_000)
"""Of a seal or a seal signature: room for a picture of 1 MiB and MAX_CERTIFICATES signers."""
VERSIONS: tuple[int, ...] = (4, 5)
"""The versions of the newer structure that are read."""
OLDER_VERSIONS: tuple[int, ...] = (1, 2, 3)
"""What header and TBS_Sign of the older structure state; it is told by its shape."""
MAX_CERTIFICATES = 200
"""More signers in one seal are refused."""
_TIME_STAMP, _TIME_LENGTH = 0xA0, 15
_IA5, _UTF8, _PRINTABLE = 0x16, 0x0C, 0x13
_STRINGS = frozenset((0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1B, 0x1C, 0x1E))
_BY_VALUE, _BY_DIGEST = 1, 2


class SesError(ValueError):
    """The bytes are not a seal or seal signature; the message names the rule."""


class SesUnsupported(SesError):
    """They may be one, but of a version or form that is not read here."""


@dataclass(frozen=True, slots=True)
class ParsedSeal:
    """A seal, as received.

    Attributes:
        raw: the SESeal as received.
        info_raw: the SES_SealInfo as received.
        signed_raws: what the maker may have signed, the standard's way first.
        version: 4 or 5; 1 (or what else its header states) for the older structure.
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
        tolerated: what deviates from the standard and was read all the same.
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
    tolerated: tuple[str, ...] = ()


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
        tolerated: what deviates from the standard and was read all the same, in the seal too.
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
    tolerated: tuple[str, ...] = ()


def parse_seal(raw: bytes) -> ParsedSeal:
    """Parses a SESeal; raises SesError where it is not one that is read."""
    try:
        return _seal(raw, _Reading(check_asn1(raw, LIMITS)))
    except SesError:
        raise
    except (ValueError, IndexError, OverflowError) as error:
        raise SesError(f"SESeal: {error}") from error


def parse_signature(raw: bytes) -> ParsedSignature:
    """Parses a SES_Signature; raises SesError where it is not one that is read."""
    try:
        return _signature(raw, _Reading(check_asn1(raw, LIMITS)))
    except SesError:
        raise
    except (ValueError, IndexError, OverflowError) as error:
        raise SesError(f"SES_Signature: {error}") from error


class _Reading:
    """Reads single values and notes what deviates."""

    def __init__(self, deviations: Iterable[str]) -> None:
        self.tolerated = [f"not DER: {each}" for each in deviations]

    def text(self, element: Tlv, field: str, tag: int = _IA5) -> str:
        """Returns a string of whatever kind: vendors write UTF-8 into an IA5String."""
        if element.tag not in _STRINGS:
            raise ValueError(f"{field} is no string")
        value = tlv.text(element)
        if element.tag != tag:
            self.tolerated.append(f"{field} is a string of another kind")
        elif tag == _IA5 and not value.isascii():
            self.tolerated.append(f"{field} holds more than ASCII in an IA5String")
        return value

    def time(self, element: Tlv, field: str, tag: int = tlv.GENERALIZED_TIME) -> datetime:
        """Returns a time of whatever form."""
        at = tlv.moment(element)
        if element.tag != tag:
            self.tolerated.append(f"{field} is a time of another kind")
        if not element.content.endswith(b"Z"):
            self.tolerated.append(f"{field} is not given in UTC")
        return at


def _split(raw: bytes) -> tuple[list[Tlv], bytes | None]:
    """Cuts {to be signed, cert, algorithm, signature, [0] time stamp}, which SESeal and SES_Signature share."""
    parts = only(raw, SEQUENCE).children
    tags = [SEQUENCE, OCTET_STRING, tlv.OID, BIT_STRING, _TIME_STAMP]
    if len(parts) not in (4, 5) or any(part.tag != tag for part, tag in zip(parts, tags, strict=False)):
        raise ValueError("its parts are not those of the standard")
    return parts, only(parts[4].content, BIT_STRING).octets if len(parts) == 5 else None


def _is_older(raw: bytes) -> bool:
    return len(only(raw, SEQUENCE).children) == 2


class _Frame(NamedTuple):
    """What stands around a seal's info."""

    info: Tlv
    certificate: Tlv
    algorithm: Tlv
    value: Tlv
    stamp: bytes | None
    signed: tuple[bytes, ...]
    versions: tuple[int, ...]


def _frame(raw: bytes, reading: _Reading) -> _Frame:
    if not _is_older(raw):
        (info, certificate, algorithm, value, *_), stamp = _split(raw)
        return _Frame(info, certificate, algorithm, value, stamp, (info.whole,), VERSIONS)
    info, sign = only(raw, SEQUENCE).children
    certificate, algorithm, value = sign.expect(SEQUENCE).children
    reading.tolerated.append("a seal of version 1 (GM/T 0031-2014)")
    # What its maker signs (GM/T 0031-2014); some sign the info alone, as in the later versions.
    whole = der.encode(der.Tag.SEQUENCE, info.whole, certificate.whole, algorithm.whole)
    return _Frame(info, certificate, algorithm, value, None, (whole, info.whole), OLDER_VERSIONS)


def _seal(raw: bytes, reading: _Reading) -> ParsedSeal:
    frame = _frame(raw, reading)
    header, es_id, prop, picture, *extensions = (part for part in frame.info.expect(SEQUENCE).children)
    version, vendor = _header(header, frame, reading)
    if len(extensions) > 1 or (frame.stamp is not None and version == 4):
        raise ValueError("it holds more than the standard knows")
    shown = picture.expect(SEQUENCE).children
    return ParsedSeal(
        raw=raw,
        info_raw=frame.info.whole,
        signed_raws=frame.signed,
        version=version,
        vendor=vendor,
        seal_id=reading.text(es_id, "esID"),
        **_property(prop.expect(SEQUENCE).children, reading),
        picture_type=reading.text(shown[0], "the picture's type"),
        picture=shown[1].expect(OCTET_STRING).content,
        width_mm=shown[2].integer,
        height_mm=shown[3].integer,
        maker_certificate=frame.certificate.expect(OCTET_STRING).content,
        algorithm=tlv.dotted(frame.algorithm),
        signature=frame.value.octets,
        time_stamp=frame.stamp,
        tolerated=tuple(reading.tolerated),
    )


def _header(header: Tlv, frame: _Frame, reading: _Reading) -> tuple[int, str]:
    """Reads the version and the vendor."""
    kind, version, vendor = header.expect(SEQUENCE).children
    if reading.text(kind, "id") != "ES":
        raise ValueError("its header is not that of a seal")
    if version.integer not in frame.versions:
        raise SesUnsupported(f"a seal of version {version.integer % 1000} is not read here")
    return version.integer, reading.text(vendor, "Vid")


def _property(parts: list[Tlv], reading: _Reading) -> dict[str, Any]:
    """Reads SES_ESPropertyInfo; the older one has no certListType and UTCTimes."""
    older = len(parts) == 6
    list_type = _BY_VALUE if older else parts.pop(2).integer
    kind, name, certificates, created, start, end = parts
    entries = certificates.expect(SEQUENCE).children
    if not 1 <= len(entries) <= MAX_CERTIFICATES or list_type not in (_BY_VALUE, _BY_DIGEST):
        raise ValueError(f"{len(entries)} signers in a list of type {list_type % 1000}")
    tag = tlv.UTC_TIME if older else tlv.GENERALIZED_TIME
    by_value = list_type == _BY_VALUE
    return {
        "seal_type": kind.integer,
        "name": reading.text(name, "name", _UTF8),
        "certificates": tuple(entry.expect(OCTET_STRING).content for entry in entries) if by_value else (),
        "certificate_digests": () if by_value else tuple(_digest(entry, reading) for entry in entries),
        "create_time": reading.time(created, "createDate", tag),
        "valid_from": reading.time(start, "validStart", tag),
        "valid_until": reading.time(end, "validEnd", tag),
    }


def _digest(entry: Tlv, reading: _Reading) -> tuple[str, bytes]:
    kind, value = entry.expect(SEQUENCE).children
    return reading.text(kind, "a digest's type", _PRINTABLE), value.expect(OCTET_STRING).content


def _signature(raw: bytes, reading: _Reading) -> ParsedSignature:
    if _is_older(raw):
        tbs, value = only(raw, SEQUENCE).children
        version, seal, time, data_hash, info, certificate, algorithm = tbs.expect(SEQUENCE).children
        stamp, at = None, _older_time(time.octets, reading)
    else:
        (tbs, certificate, algorithm, value, *_), stamp = _split(raw)
        version, seal, time, data_hash, info, *extensions = tbs.expect(SEQUENCE).children
        if len(extensions) > 1:
            raise ValueError("TBS_Sign holds more than the standard knows")
        at = reading.time(time, "timeInfo")
    parsed = _seal(seal.whole, reading)
    property_info = reading.text(info, "propertyInfo")
    return ParsedSignature(
        raw=raw,
        tbs_raw=tbs.whole,
        version=version.integer,
        seal=parsed,
        time=at,
        data_hash=data_hash.octets,
        property_info=property_info,
        certificate=certificate.expect(OCTET_STRING).content,
        algorithm=tlv.dotted(algorithm),
        signature=value.octets,
        time_stamp=stamp,
        tolerated=tuple(reading.tolerated),
    )


def _older_time(content: bytes, reading: _Reading) -> datetime:
    """Reads timeInfo of GM/T 0031-2014, a BIT STRING: the text of a time or a time in DER; a time stamp is not read."""
    if content[:1] == b"\x30":
        raise SesUnsupported("a time stamp as timeInfo is not read here")
    if content[:1] in (b"\x17", b"\x18"):
        (element,) = tlv.elements(content)
    else:
        kind = tlv.UTC_TIME if len(content) < _TIME_LENGTH - 1 else tlv.GENERALIZED_TIME
        element = Tlv(kind, content, content)
    try:
        return reading.time(element, "timeInfo", element.tag)
    except ValueError as error:
        # The standard says no more than that it is a time.
        raise SesUnsupported("timeInfo is in no form that is read here") from error
