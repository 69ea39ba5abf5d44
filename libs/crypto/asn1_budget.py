"""What ASN.1 of unknown origin may cost, checked before anything decodes it.

Decoders do work that grows faster than their input: an object identifier of 300 KB takes a minute, an integer of the
same size as long to print. Nothing that the standards describe comes near these limits, so what passes them is refused
after one walk over the lengths, which is linear and stops at the first fault. The walk knows BER as well as DER (X.690):
lengths that are indefinite or longer than needed, and strings in pieces, which count as the string that they make.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_INTEGER, _BIT_STRING, _OCTET_STRING, _OID, _UTC_TIME, _GENERALIZED_TIME = 0x02, 0x03, 0x04, 0x06, 0x17, 0x18
CONSTRUCTED = 0x20
STRINGS = frozenset((_BIT_STRING, _OCTET_STRING, 0x0C, *range(0x12, 0x1D), 0x1E))
"""Tags of what may be constructed of pieces: strings, and times, which are strings too."""
LONGEST = {
    0x01: 1,  # BOOLEAN
    _INTEGER: 1030,  # an RSA modulus of 8192 bits
    0x05: 0,  # NULL
    _OID: 64,
    0x0A: 16,  # ENUMERATED
    _UTC_TIME: 32,
    _GENERALIZED_TIME: 32,
}
"""The most bytes of content of each kind of element; what is not listed holds text or bytes and is bounded as a whole."""
_LONGEST_ARC = 19  # octets: 128 bits, a UUID (ITU-T X.667)
_PLAIN = 128
"""An OCTET STRING up to this many bytes is not looked into: it can't cost, and a digest may look like anything."""
_LONGEST_LENGTH = 8  # octets, leading zeros included
_END = b"\0\0"
"""End-of-contents (X.690, 8.1.5)."""

_SHORTEST_FORM, _NOT_SMALL = 127, 255


def _most_small(tag: int) -> int:
    """Returns how many bytes of content an element may have about which nothing but its size is to be checked; -1: none."""
    if tag & 0x1F == 0x1F or (tag & CONSTRUCTED and tag & ~CONSTRUCTED in STRINGS):
        return -1
    if tag == _OID:
        return _LONGEST_ARC - 1
    return min(LONGEST.get(tag, _SHORTEST_FORM), _SHORTEST_FORM)


_SMALL = tuple(_most_small(tag) for tag in range(256))
"""By identifier octet: most elements are small, and the walk is over them at once."""

ENDLESS, LONGER, IN_PIECES = "an indefinite length", "a length that is not the shortest", "a string in pieces"


@dataclass(frozen=True, slots=True)
class Asn1Limits:
    """How much one structure may hold.

    Attributes:
        size: bytes in all.
        elements: how many elements, those inside of OCTET STRINGs included.
        depth: how deep they may nest.
    """

    size: int
    elements: int = 5_000
    depth: int = 24


class Asn1Refused(ValueError):
    """The bytes pass a limit, or their lengths do not fit together."""


def check_asn1(data: bytes, limits: Asn1Limits) -> tuple[str, ...]:
    """Walks over the elements of ``data``; raises Asn1Refused where a decoder could be made to work without measure.

    OCTET STRINGs are walked too where they hold ASN.1 (as certificates' extensions do); one that does not is plain bytes.

    Returns:
        In what it is BER and not DER, each kind of deviation once.
    """
    if len(data) > limits.size:
        raise Asn1Refused(f"more than {limits.size} bytes")
    walk = _Walk(limits)
    walk.all(data, 0, len(data), 0)
    return tuple(sorted(walk.deviations))


def head(data: bytes, at: int, end: int) -> tuple[int, int, int | None]:
    """Returns the tag of the element at ``at``, and where its content begins and ends: None for an indefinite length.

    Of a tag above 30 the first octet is returned; nothing that is read here has one.
    """
    tag, at = data[at], at + 1
    if tag & 0x1F == 0x1F:
        at = _after_tag(data, at, end)
    if at >= end:
        raise Asn1Refused("cut off")
    length, at = data[at], at + 1
    if length == 0x80 and tag & CONSTRUCTED:
        return tag, at, None
    if length >= 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= _LONGEST_LENGTH or at + octets > end:
            raise Asn1Refused("a length without measure")
        length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
    if at + length > end:
        raise Asn1Refused("an element is longer than what holds it")
    return tag, at, at + length


def content_end(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Returns where contents of indefinite length that begin at ``at`` end, and where what follows them begins."""
    depth = 1
    while at < end:
        if data[at : at + 2] == _END:
            at, depth = at + 2, depth - 1
            if not depth:
                return at - 2, at
            continue
        _, start, stop = head(data, at, end)
        at, depth = (start, depth + 1) if stop is None else (stop, depth)
    raise Asn1Refused("an indefinite length without an end")


def _after_tag(data: bytes, at: int, end: int) -> int:
    for place in range(at, min(at + 4, end)):
        if not data[place] & 0x80:
            return place + 1
    raise Asn1Refused("a tag without measure")


class _Walk:
    """One walk, with what is left to spend.

    Attributes:
        deviations: what was met that DER does not have.
    """

    __slots__ = ("_left", "_limits", "deviations")

    def __init__(self, limits: Asn1Limits) -> None:
        self._limits = limits
        self._left = limits.elements
        self.deviations: set[str] = set()

    def all(self, data: bytes, at: int, end: int, depth: int) -> None:
        """Walks over the elements from ``at`` to ``end``."""
        if at < end:
            self._check_depth(depth)
        while at < end:
            length = data[at + 1] if at + 1 < end else _NOT_SMALL
            start, tag = at + 2, data[at]
            if length > _SMALL[tag] or start + length > end:
                at = self._one(data, at, end, depth)
                continue
            self._spend()
            if tag & CONSTRUCTED:
                self.all(data, start, start + length, depth + 1)
            at = start + length

    def _check_depth(self, depth: int) -> None:
        if depth > self._limits.depth:
            raise Asn1Refused(f"nested more than {self._limits.depth} deep")

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Asn1Refused(f"more than {self._limits.elements} elements")

    def _one(self, data: bytes, at: int, end: int, depth: int) -> int:
        """Walks over the element at ``at``; returns where it ends."""
        self._spend()
        tag, start, stop = head(data, at, end)
        if stop is None:
            self.deviations.add(ENDLESS)
            content_stop, stop = self._until_end(data, start, end, depth + 1)
        else:
            content_stop = stop
            if not _is_shortest(data, at, start, stop):
                self.deviations.add(LONGER)
            if tag & CONSTRUCTED:
                self.all(data, start, stop, depth + 1)
        if not tag & CONSTRUCTED:
            self._plain(tag, data, start, stop, depth)
        elif tag & ~CONSTRUCTED in STRINGS:
            self.deviations.add(IN_PIECES)
            content = b"".join(_pieces(data, start, content_stop))
            self._plain(tag & ~CONSTRUCTED, content, 0, len(content), depth)
        return stop

    def _until_end(self, data: bytes, at: int, end: int, depth: int) -> tuple[int, int]:
        while data[at : at + 2] != _END:
            if at >= end:
                raise Asn1Refused("an indefinite length without an end")
            self._check_depth(depth)
            at = self._one(data, at, end, depth)
        return at, at + 2

    def _plain(self, tag: int, data: bytes, start: int, stop: int, depth: int) -> None:
        if stop - start > LONGEST.get(tag, stop):
            raise Asn1Refused(f"an element of kind {tag:#04x} has {stop - start} bytes, more than {LONGEST[tag]} bytes")
        if tag == _OID:
            self._arcs(data, start, stop)
        elif tag == _OCTET_STRING and stop - start > _PLAIN:
            self._inside(data, start, stop, depth)

    def _arcs(self, data: bytes, start: int, stop: int) -> None:
        length = 0
        for octet in data[start:stop]:
            length = length + 1 if octet & 0x80 else 0
            if length >= _LONGEST_ARC:
                raise Asn1Refused("an arc of an object identifier is larger than a UUID")

    def _inside(self, data: bytes, start: int, stop: int, depth: int) -> None:
        # An extension's value is one element; bytes that only look like the beginning of one are bytes.
        try:
            tag, _, end = head(data, start, stop)
        except (Asn1Refused, IndexError):
            return
        if end is None and data[stop - 2 : stop] == _END:
            end = stop
        if end == stop and (tag & CONSTRUCTED or tag in LONGEST):
            self.all(data, start, stop, depth + 1)


def _is_shortest(data: bytes, at: int, start: int, stop: int) -> bool:
    """Tells whether the length that stands before ``start`` is in the form of DER (X.690, 10.1)."""
    size = stop - start
    needed = 1 if size < 0x80 else 1 + (size.bit_length() + 7) // 8
    first = start - needed
    if data[at] & 0x1F == 0x1F:
        return True
    return first == at + 1 and data[first] == (size if needed == 1 else 0x80 | needed - 1)


def _pieces(data: bytes, at: int, end: int) -> Iterable[bytes]:
    """Gives what the pieces of a string hold, those of pieces in pieces too; it was walked already."""
    while at < end:
        tag, start, stop = head(data, at, end)
        inner, stop = content_end(data, start, end) if stop is None else (stop, stop)
        yield from _pieces(data, start, inner) if tag & CONSTRUCTED else (data[start:inner],)
        at = stop
