"""One range of bytes, as a Range header asks for it (RFC 9110, 14.1.2)."""

import re
from dataclasses import dataclass

_ONE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins behind the last byte, or asks for no byte at all."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``size`` bytes from byte ``start`` on."""

    start: int
    size: int


def wanted(header: str, size: int) -> ByteRange | None:
    """Returns the range that is asked for of a file of ``size`` bytes; None for all of it.

    What can't be read, and several ranges at once, may be answered with the whole (RFC 9110, 14.2), and are.

    Raises:
        Unsatisfiable: 416 is the answer.
    """
    found = _ONE.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return _last(int(found[2]), size)
    start, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if found[2] and last < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return ByteRange(start, min(last, size - 1) - start + 1)


def _last(count: int, size: int) -> ByteRange:
    if count == 0:
        raise Unsatisfiable
    return ByteRange(max(0, size - count), min(count, size))
