"""Cuts DER into its elements without decoding them, so that signatures are checked over the bytes received."""

from dataclasses import dataclass
from enum import IntEnum


class Tag(IntEnum):
    """The identifier octets that the SES structures use."""

    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    OBJECT_IDENTIFIER = 0x06
    IA5_STRING = 0x16
    GENERALIZED_TIME = 0x18
    SEQUENCE = 0x30
    CONTEXT_0 = 0xA0


class DerError(ValueError):
    """The bytes are not one well-formed DER element where one is expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, all its bytes as received, and its content."""

    tag: int
    raw: bytes
    content: bytes


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Reads the length octets at ``at``; returns the length and where the content begins (X.690, 10.1)."""
    if at >= len(data):
        raise DerError("the length is missing")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    octets = data[at + 1 : at + 1 + (first & 0x7F)]
    length = int.from_bytes(octets, "big")
    if not 1 <= len(octets) <= 4 or len(octets) != first & 0x7F or length < 0x80 or octets[0] == 0:
        raise DerError("the length is not in its shortest definite form")
    return length, at + 1 + len(octets)


def _read(data: bytes, at: int) -> tuple[Element, int]:
    if data[at] & 0x1F == 0x1F:
        raise DerError("tags above 30 don't occur here")
    length, start = _length(data, at + 1)
    end = start + length
    if end > len(data):
        raise DerError("an element is longer than what holds it")
    return Element(data[at], data[at:end], data[start:end]), end


def one(data: bytes, tag: Tag) -> Element:
    """Returns the one element that ``data`` is; raises DerError where it has another tag or something follows."""
    if not data:
        raise DerError("nothing there")
    element, end = _read(data, 0)
    if end != len(data):
        raise DerError("something follows the element")
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag.name} is expected")
    return element


def elements(content: bytes) -> list[Element]:
    """Returns the elements that stand one after another in ``content``."""
    found: list[Element] = []
    at = 0
    while at < len(content):
        element, at = _read(content, at)
        found.append(element)
    return found


def bits(element: Element) -> bytes:
    """Returns the octets of a BIT STRING that has no unused bits."""
    if element.tag != Tag.BIT_STRING or element.content[:1] != b"\0":
        raise DerError("not a BIT STRING of whole octets")
    return element.content[1:]


def header(tag: Tag, size: int) -> bytes:
    """Returns the identifier and length octets of an element whose content has ``size`` bytes."""
    if size < 0x80:
        return bytes((tag, size))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def encode(tag: Tag, *content: bytes) -> bytes:
    """Returns the element with ``tag`` around ``content``, put one after another."""
    body = b"".join(content)
    return header(tag, len(body)) + body
