"""What ASN.1 of unknown origin may cost, checked before anything decodes it.

Decoders do work that grows faster than their input: an object identifier of 300 KB takes a minute, an integer of the
same size as long to print. Nothing that the standards describe comes near these limits, so what passes them is refused
after one walk over the lengths, which is linear and stops at the first fault.
"""

from dataclasses import dataclass

_INTEGER, _OCTET_STRING, _OID, _UTC_TIME, _GENERALIZED_TIME = 0x02, 0x04, 0x06, 0x17, 0x18
_CONSTRUCTED = 0x20
_LONGEST = {
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


def check_asn1(der: bytes, limits: Asn1Limits) -> None:
    """Walks over the elements of ``der``; raises Asn1Refused where a decoder could be made to work without measure.

    OCTET STRINGs are walked too where they hold ASN.1 (as certificates' extensions do); one that does not is plain bytes.
    """
    if len(der) > limits.size:
        raise Asn1Refused(f"more than {limits.size} bytes")
    _Walk(der, limits).all(0, len(der), 0)


class _Walk:
    """One walk, with what is left to spend."""

    __slots__ = ("_data", "_left", "_limits")

    def __init__(self, data: bytes, limits: Asn1Limits) -> None:
        self._data = data
        self._limits = limits
        self._left = limits.elements

    def all(self, at: int, end: int, depth: int) -> None:
        """Walks over the elements from ``at`` to ``end``."""
        if depth > self._limits.depth:
            raise Asn1Refused(f"nested more than {self._limits.depth} deep")
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Asn1Refused(f"more than {self._limits.elements} elements")
            tag, start, stop = self._head(at, end)
            self._one(tag, start, stop, depth)
            at = stop

    def _head(self, at: int, end: int) -> tuple[int, int, int]:
        """Returns the tag of the element at ``at``, and where its content begins and ends."""
        data = self._data
        tag, at = data[at], at + 1
        if tag & 0x1F == 0x1F:
            raise Asn1Refused("a tag above 30")
        if at >= end:
            raise Asn1Refused("cut off")
        length, at = data[at], at + 1
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4 or at + octets > end:
                raise Asn1Refused("a length without measure")
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + length > end:
            raise Asn1Refused("an element is longer than what holds it")
        return tag, at, at + length

    def _one(self, tag: int, start: int, stop: int, depth: int) -> None:
        if tag & _CONSTRUCTED:
            self.all(start, stop, depth + 1)
        elif stop - start > _LONGEST.get(tag, stop):
            raise Asn1Refused(f"an element of kind {tag:#04x} has {stop - start} bytes")
        elif tag == _OID:
            self._arcs(start, stop)
        elif tag == _OCTET_STRING and stop - start > _PLAIN:
            self._inside(start, stop, depth)

    def _arcs(self, start: int, stop: int) -> None:
        length = 0
        for octet in self._data[start:stop]:
            length = length + 1 if octet & 0x80 else 0
            if length >= _LONGEST_ARC:
                raise Asn1Refused("an arc of an object identifier is larger than a UUID")

    def _inside(self, start: int, stop: int, depth: int) -> None:
        left = self._left
        try:
            tag, _, end = self._head(start, stop)
        except (Asn1Refused, IndexError):
            return
        # An extension's value is one element; bytes that only look like the beginning of one are bytes.
        if end == stop and (tag & _CONSTRUCTED or tag in _LONGEST):
            self.all(start, stop, depth + 1)
        else:
            self._left = left
