"""Reads ASN.1 as it comes in certificates of others: DER and BER (X.690), tolerant of what OpenSSL tolerates.

What is read stays as received. Callers bound the input first (``asn1_budget.check_asn1``), so that nothing here costs more
than one walk. Everything raises ValueError on what it can't make sense of.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from libs.crypto.asn1_budget import CONSTRUCTED, LONGEST, STRINGS, content_end, head

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID = 0x01, 0x02, 0x03, 0x04, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31


@dataclass(frozen=True, slots=True)
class Tlv:
    """One element: its identifier octet, all its bytes as received, and its content.

    A string that is constructed of pieces (X.690, 8.6.4, 8.7.3) has the tag and content of the same string in one piece.
    """

    tag: int
    whole: bytes
    content: bytes

    def expect(self, tag: int) -> "Tlv":
        """Returns the element itself if it has this tag."""
        if self.tag != tag:
            raise ValueError(f"tag {self.tag:#04x} where {tag:#04x} is expected")
        return self

    @property
    def children(self) -> list["Tlv"]:
        """The elements inside of a constructed one."""
        return list(elements(self.content))

    @property
    def integer(self) -> int:
        """The value of an INTEGER."""
        if len(self.expect(INTEGER).content) > LONGEST[INTEGER]:
            raise ValueError("an integer without measure")
        return int.from_bytes(self.content, "big", signed=True)

    @property
    def octets(self) -> bytes:
        """The content of a BIT STRING of whole octets."""
        if self.expect(BIT_STRING).content[:1] != b"\0":
            raise ValueError("a bit string that does not consist of whole octets")
        return self.content[1:]

    def implicit(self, tag: int) -> bytes:
        """The content of an OCTET STRING that stands under the context tag ``tag``, in one piece or in several."""
        if self.tag == tag | CONSTRUCTED:
            return b"".join(piece.expect(OCTET_STRING).content for piece in self.children)
        return self.expect(tag).content


def elements(data: bytes) -> Iterator[Tlv]:
    """Gives the elements that stand one after another in ``data``."""
    at = 0
    while at < len(data):
        element, at = _next(data, at)
        yield element


def first(data: bytes, tag: int) -> Tlv:
    """Returns the element that ``data`` begins with."""
    return _next(data, 0)[0].expect(tag)


def only(data: bytes, tag: int) -> Tlv:
    """Returns the one element that ``data`` is."""
    found = list(elements(data))
    if len(found) != 1:
        raise ValueError("not one element alone")
    return found[0].expect(tag)


def _next(data: bytes, at: int) -> tuple[Tlv, int]:
    tag, start, stop = head(data, at, len(data))
    content_stop, stop = content_end(data, start, len(data)) if stop is None else (stop, stop)
    whole, content = data[at:stop], data[start:content_stop]
    if tag & ~CONSTRUCTED in STRINGS and tag & CONSTRUCTED:
        return Tlv(tag ^ CONSTRUCTED, whole, _together(tag ^ CONSTRUCTED, content)), stop
    return Tlv(tag, whole, content), stop


def _together(tag: int, pieces: bytes) -> bytes:
    """Puts a string together; of the pieces of a BIT STRING only the last may have unused bits (X.690, 8.6.4)."""
    if tag != BIT_STRING:
        return b"".join(piece.content for piece in elements(pieces))
    found = [piece.expect(BIT_STRING).content for piece in elements(pieces)]
    if not found or any(piece[:1] != b"\0" for piece in found[:-1]):
        raise ValueError("a bit string of pieces that do not fit together")
    return found[-1][:1] + b"".join(piece[1:] for piece in found)


def canonical(element: Tlv) -> bytes:
    """Encodes an element anew by the lengths and forms of DER; the order of a SET OF stays."""
    content = element.content
    if element.tag & CONSTRUCTED:
        content = b"".join(map(canonical, element.children))
    return _encoded(element.tag, content)


def as_set(parts: Iterable[bytes]) -> bytes:
    """Returns a SET OF elements that are encoded already, in their order."""
    return _encoded(SET, b"".join(parts))


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes(max(1, (len(content).bit_length() + 7) // 8))
    return bytes((tag,)) + (size if len(content) < 0x80 else bytes((0x80 | len(size),)) + size) + content


def dotted(element: Tlv) -> str:
    """Returns an object identifier in its dotted form."""
    content = element.expect(OID).content
    if not content or content[-1] & 0x80 or len(content) > LONGEST[OID]:
        raise ValueError("an object identifier that is empty, cut off or without measure")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


_ENCODINGS = {0x0C: ("utf-8", "gb18030"), 0x1E: ("utf-16-be",), 0x1C: ("utf-32-be",)}
_SINGLE_BYTE = ("utf-8", "latin-1")
"""PrintableString, IA5String, TeletexString and the like: what they should not hold is UTF-8 more often than anything."""


def text(element: Tlv) -> str:
    """Returns the text of a string of whatever kind; never fails, since a name is for people."""
    for encoding in _ENCODINGS.get(element.tag, _SINGLE_BYTE):
        try:
            return element.content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return element.content.decode("latin-1")


_UTC = re.compile(rb"(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?()(Z|[+-]\d{4})", re.ASCII)
_GENERALIZED = re.compile(rb"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,9}))?(Z|[+-]\d{4})?", re.ASCII)
_FIRST_OF_LAST_CENTURY = 50


def moment(element: Tlv) -> datetime:
    """Returns a UTCTime or GeneralizedTime, also one without seconds or with an offset; no zone at all means UTC."""
    pattern = {UTC_TIME: _UTC, GENERALIZED_TIME: _GENERALIZED}.get(element.tag)
    found = pattern.fullmatch(element.content) if pattern else None
    if found is None:
        raise ValueError("not a time")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if element.tag == UTC_TIME:
        year += 1900 if year >= _FIRST_OF_LAST_CENTURY else 2000
    fraction, zone = found.groups()[6:]
    microsecond = int((fraction or b"0").ljust(6, b"0")[:6])
    try:
        at = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=_zone(zone or b"Z"))
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a time: {error}") from error


def _zone(given: bytes) -> timezone:
    if given == b"Z":
        return UTC
    size = timedelta(hours=int(given[1:3]), minutes=int(given[3:5]))
    return timezone(size if given.startswith(b"+") else -size)
