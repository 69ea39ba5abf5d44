"""Writes DER anew as BER (X.690, 8): the same values in lengths, forms and pieces that DER would not choose."""

import random
from collections.abc import Callable

Forms = Callable[[int, bytes], bytes]
"""Puts one element together from its tag and its content."""

_STRINGS = frozenset((0x04, 0x0C, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1C, 0x1E))
_MOST_PIECES = 4


def shortest(tag: int, content: bytes) -> bytes:
    """As DER has it."""
    return bytes((tag,)) + _length(len(content)) + content


def longer(tag: int, content: bytes, zeros: int = 1) -> bytes:
    """With more octets of length than are needed."""
    size = len(content).to_bytes(max(1, (len(content).bit_length() + 7) // 8))
    return bytes((tag, 0x80 | (len(size) + zeros))) + bytes(zeros) + size + content


def endless(tag: int, content: bytes) -> bytes:
    """Of indefinite length, where the form allows it."""
    return bytes((tag, 0x80)) + content + b"\0\0" if tag & 0x20 else shortest(tag, content)


def in_pieces(tag: int, *pieces: bytes, form: Forms = shortest) -> bytes:
    """A string that is constructed of pieces."""
    return form(tag | 0x20, b"".join(shortest(0x04 if tag not in (0x03, 0x04) else tag, piece) for piece in pieces))


def any_form(choose: random.Random) -> Forms:
    """A form that is drawn for each element."""

    def form(tag: int, content: bytes) -> bytes:
        if tag in _STRINGS and choose.random() < 0.4:
            cuts = sorted(choose.choices(range(len(content) + 1), k=choose.randrange(_MOST_PIECES)))
            pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
            return in_pieces(tag, *pieces, form=choose.choice([shortest, longer, endless]))
        if tag == 0x03 and choose.random() < 0.2:
            # In one piece alone: openssl does not put several together again.
            return in_pieces(tag, content, form=choose.choice([shortest, endless]))
        return choose.choice([shortest, longer, endless])(tag, content)

    return form


def anew(der: bytes, form: Forms, kept: bytes = b"") -> bytes:
    """Returns the elements of ``der``, one after another, each in the form that ``form`` gives it, but for ``kept``."""
    found, at = b"", 0
    while at < len(der):
        tag, start, end = _head(der, at)
        content = der[start:end]
        if der[at:end] == kept:
            found += kept
        else:
            found += form(tag, anew(content, form, kept) if tag & 0x20 else content)
        at = end
    return found


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    first, start = data[at + 1], at + 2
    if first < 0x80:
        return data[at], start, start + first
    start += first & 0x7F
    return data[at], start, start + int.from_bytes(data[at + 2 : start])


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((0x80 | len(octets),)) + octets
