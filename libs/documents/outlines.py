"""The one reader of the Chinese font: characters to outlines, straight from the file mapped into memory.

fontTools' ``TTFont`` unpacks the whole face (16 MB of outlines, 65535 glyph names) to read one glyph: 45 to 65 MB a
process. Here only directories are kept (under 1 MB); the outlines stay in the file, whose pages all services share, and
fontTools runs the charstring of the one glyph asked for. Formats: ISO/IEC 14496-22; Adobe Technical Notes 5176, 5177.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import iter_unpack, unpack_from
from types import SimpleNamespace
from typing import Any

from fontTools.misc.psCharStrings import T2CharString
from noto_cjk_sans_otc import FONT_PATH

_SIMPLIFIED_CHINESE_FACE = 2
_WINDOWS_ENGLISH = (3, 1, 0x409)
# Operators of CFF dictionaries (Technical Note 5176, tables 9, 10 and 23); 12 is an escape.
_CHAR_STRINGS, _PRIVATE, _SUBRS, _DEFAULT_WIDTH, _NOMINAL_WIDTH = 17, 18, 19, 20, 21
_FD_ARRAY, _FD_SELECT = 1236, 1237
_ESCAPE, _INT16, _INT32, _REAL = 12, 28, 29, 30
_NIBBLES = {"a": ".", "b": "E", "c": "E-", "e": "-"}


class _Index:
    """A CFF INDEX: byte strings that stay in the file until one is asked for."""

    def __init__(self, data: mmap, start: int) -> None:
        self._data = data
        (self._count,) = unpack_from(">H", data, start)
        # An empty one is its count alone.
        self._size = data[start + 2] if self._count else 0
        self._offsets = start + 3
        self._items = self._offsets + (self._count + 1) * self._size - 1
        self.end = self._items + self._offset(self._count) if self._count else start + 2

    def __len__(self) -> int:
        return int(self._count)

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._data[self._items + self._offset(number) : self._items + self._offset(number + 1)]

    def _offset(self, number: int) -> int:
        start = self._offsets + number * self._size
        return int.from_bytes(self._data[start : start + self._size], "big")


class _Subroutines:
    """The subroutines of charstrings, in the form in which fontTools calls them."""

    def __init__(self, index: "_Index | tuple[bytes, ...]") -> None:
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Any:
        return T2CharString(self._index[number])


class CffFace:
    """One face of a CFF font collection. Holds nothing that changes, so that threads may share it.

    Attributes:
        units_per_em: font units in an em.
        ascender, descender: top and bottom of the body of a CJK glyph, font units (OS/2).
        names: the face's English names by number.
    """

    def __init__(self, path: Path, number: int) -> None:
        """Opens face ``number`` (from 0) of the collection at ``path``."""
        with path.open("rb") as file:
            self._data = mmap(file.fileno(), 0, access=ACCESS_READ)
        (directory,) = unpack_from(">I", self._data, 12 + 4 * number)
        (count,) = unpack_from(">H", self._data, directory + 4)
        records = self._data[directory + 12 : directory + 12 + 16 * count]
        self._tables = {tag.decode(): (start, size) for tag, _, start, size in iter_unpack(">4sIII", records)}
        (self.units_per_em,) = unpack_from(">H", self.table("head"), 18)
        self.ascender, self.descender = unpack_from(">hh", self.table("OS/2"), 68)
        self.names = _english_names(self.table("name"))
        self._first, self._last, self._glyph = _character_groups(self.table("cmap"))
        self._open_outlines(self._tables["CFF "][0])

    def _open_outlines(self, start: int) -> None:
        names = _Index(self._data, start + self._data[start + 2])
        tops = _Index(self._data, names.end)
        strings = _Index(self._data, tops.end)
        self._global = _Subroutines(_Index(self._data, strings.end))
        top = _dictionary(tops[0])
        self._charstrings = _Index(self._data, start + int(top[_CHAR_STRINGS][0]))
        fonts = _Index(self._data, start + int(top[_FD_ARRAY][0]))
        self._privates = [self._private(start, _dictionary(fonts[each])) for each in range(len(fonts))]
        self._range_starts, self._range_fonts = _font_ranges(self._data, start + int(top[_FD_SELECT][0]))

    def _private(self, start: int, font: dict[int, list[float]]) -> SimpleNamespace:
        """Returns what the charstrings of a font dictionary share, under the names that fontTools looks for."""
        size, offset = (int(number) for number in font[_PRIVATE])
        own = _dictionary(self._data[start + offset : start + offset + size])
        subrs = _Index(self._data, start + offset + int(own[_SUBRS][0])) if _SUBRS in own else ()
        return SimpleNamespace(
            Subrs=_Subroutines(subrs),
            defaultWidthX=own.get(_DEFAULT_WIDTH, [0])[0],
            nominalWidthX=own.get(_NOMINAL_WIDTH, [0])[0],
        )

    def table(self, tag: str) -> bytes:
        """Returns the bytes of a table, such as ``head``."""
        start, size = self._tables[tag]
        return self._data[start : start + size]

    def glyph_of(self, char: str) -> int | None:
        """Returns the number of the glyph that shows ``char``, None where the face has none."""
        code = ord(char)
        group = bisect_left(self._last, code)
        if group == len(self._last) or code < self._first[group]:
            return None
        return self._glyph[group] + code - self._first[group]

    def draw(self, glyph: int, pen: Any) -> int:
        """Draws a glyph with a pen of fontTools, in font units, y up; returns its advance width."""
        private = self._privates[self._range_fonts[bisect_right(self._range_starts, glyph) - 1]]
        charstring = T2CharString(self._charstrings[glyph], private=private, globalSubrs=self._global)
        charstring.draw(pen)
        return int(charstring.width)


def _character_groups(table: bytes) -> "tuple[array[int], array[int], array[int]]":
    """Returns first code, last code and first glyph of each group of a format 12 subtable, which knows all planes."""
    records = table[4 : 4 + 8 * unpack_from(">H", table, 2)[0]]
    starts = [start for _, _, start in iter_unpack(">HHI", records)]
    start = next(start for start in starts if unpack_from(">H", table, start)[0] == 12)
    (count,) = unpack_from(">I", table, start + 12)
    groups = array("I", unpack_from(f">{3 * count}I", table, start + 16))
    return groups[0::3], groups[1::3], groups[2::3]


def _english_names(table: bytes) -> dict[int, str]:
    """Returns the names by number, as written for Windows in American English."""
    count, texts = unpack_from(">HH", table, 2)
    records = iter_unpack(">6H", table[6 : 6 + 12 * count])
    return {
        number: table[texts + start : texts + start + size].decode("utf-16-be")
        for platform, encoding, language, number, size, start in records
        if (platform, encoding, language) == _WINDOWS_ENGLISH
    }


def _font_ranges(data: mmap, start: int) -> "tuple[array[int], bytes]":
    """Returns of each range of glyphs the first one, and which font dictionary it belongs to (FDSelect format 3)."""
    kind, count = unpack_from(">BH", data, start)
    if kind != 3:
        raise RuntimeError(f"the font selects its dictionaries by format {kind}, not 3")
    ranges = list(iter_unpack(">HB", data[start + 3 : start + 3 + 3 * count]))
    return array("H", [first for first, _ in ranges]), bytes(font for _, font in ranges)


def _dictionary(data: bytes) -> dict[int, list[float]]:
    """Reads a CFF DICT: operands by operator; an escaped operator counts from 1200."""
    found: dict[int, list[float]] = {}
    operands: list[float] = []
    stream = iter(data)
    for byte in stream:
        if byte < 22:
            found[1200 + next(stream) if byte == _ESCAPE else byte] = operands
            operands = []
        else:
            operands.append(_operand(byte, stream))
    return found


def _operand(byte: int, stream: Iterator[int]) -> float:
    if byte == _REAL:
        return _real(stream)
    if byte in (_INT16, _INT32):
        return int.from_bytes([next(stream) for _ in range(2 if byte == _INT16 else 4)], "big", signed=True)
    if byte < 247:
        return byte - 139
    return (byte - 247) * 256 + next(stream) + 108 if byte < 251 else -(byte - 251) * 256 - next(stream) - 108


def _real(stream: Iterator[int]) -> float:
    """Reads a number of nibbles: digits, ``a`` the point, ``b`` and ``c`` the exponent, ``e`` the minus, ``f`` the end."""
    nibbles = ""
    while "f" not in nibbles:
        nibbles += f"{next(stream):02x}"
    digits = nibbles[: nibbles.index("f")]
    return float("".join(_NIBBLES.get(nibble, nibble) for nibble in digits))


@lru_cache(maxsize=1)
def noto_sans_sc() -> CffFace:
    """Returns the process's one Noto Sans CJK SC (SIL Open Font License)."""
    return CffFace(FONT_PATH, _SIMPLIFIED_CHINESE_FACE)
