"""The tables of a TrueType font file, written from finished glyphs (ISO/IEC 14496-22)."""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_CHECKSUM_MAGIC = 0xB1B0AFBA
_LONG_OFFSETS = 1


class Glyph(NamedTuple):
    """One simple glyph.

    Attributes:
        advance: advance width in font units.
        left: left side bearing, equal to the outline's smallest x.
        points: number of points.
        contours: number of contours.
        outline: the entry of table ``glyf``, padded to four bytes; empty for a blank.
    """

    advance: int
    left: int
    points: int
    contours: int
    outline: bytes


def font_file(glyphs: Sequence[Glyph], tables: Mapping[str, bytes]) -> bytes:
    """Returns the font file of ``glyphs``; the first is ``.notdef``.

    ``tables`` brings cmap, name, post and OS/2 as they are, and head and hhea as patterns whose counts are set here.
    """
    head = bytearray(tables["head"])
    head[8:12] = bytes(4)
    struct.pack_into(">h", head, 50, _LONG_OFFSETS)
    complete = {
        **tables,
        "head": bytes(head),
        "hhea": tables["hhea"][:34] + struct.pack(">H", len(glyphs)),
        "hmtx": b"".join(struct.pack(">Hh", glyph.advance, glyph.left) for glyph in glyphs),
        "glyf": b"".join(glyph.outline for glyph in glyphs) or bytes(4),
        "loca": _loca(glyphs),
        "maxp": _maxp(glyphs),
    }
    return _directory(complete)


def cmap_table(codes: Sequence[int]) -> bytes:
    """Maps the ascending ``codes`` to glyphs 1, 2, 3 and so on: format 4 for all readers, format 12 for rare planes."""
    runs = _runs(codes)
    basic = _format_4([run for run in runs if run[0] <= 0xFFFF])
    full = _format_12(runs)
    return struct.pack(">HHHHIHHI", 0, 2, 3, 1, 20, 3, 10, 20 + len(basic)) + basic + full


def name_table(names: Mapping[int, str]) -> bytes:
    """Writes the names (name id to text) for the Windows platform in English."""
    records, strings = b"", b""
    for number, text in sorted(names.items()):
        encoded = text.encode("utf-16-be")
        records += struct.pack(">6H", 3, 1, 0x409, number, len(encoded), len(strings))
        strings += encoded
    return struct.pack(">3H", 0, len(names), 6 + len(records)) + records + strings


def post_table() -> bytes:
    """Writes version 3, which holds no glyph names."""
    return struct.pack(">IIhhIIIII", 0x00030000, 0, -125, 50, 0, 0, 0, 0, 0)


def _runs(codes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Joins neighbours to (first code, last code, first glyph); a run never crosses the end of a plane."""
    runs: list[tuple[int, int, int]] = []
    for glyph, code in enumerate(codes, start=1):
        if runs and runs[-1][1] + 1 == code and code & 0xFFFF:
            runs[-1] = (runs[-1][0], code, runs[-1][2])
        else:
            runs.append((code, code, glyph))
    return runs


def _format_4(runs: Sequence[tuple[int, int, int]]) -> bytes:
    # The last code 0xFFFF is a noncharacter that the format demands as its end mark.
    ends = [last for _, last, _ in runs] + [0xFFFF]
    starts = [first for first, _, _ in runs] + [0xFFFF]
    deltas = [(glyph - first) & 0xFFFF for first, _, glyph in runs] + [1]
    count = len(ends)
    power = 1 << (count.bit_length() - 1)
    head = (4, 16 + 8 * count, 0, 2 * count, 2 * power, power.bit_length() - 1, 2 * (count - power))
    return struct.pack(f">7H{count}HH{3 * count}H", *head, *ends, 0, *starts, *deltas, *[0] * count)


def _format_12(runs: Sequence[tuple[int, int, int]]) -> bytes:
    groups = b"".join(struct.pack(">3I", *run) for run in runs)
    return struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(runs)) + groups


def _loca(glyphs: Sequence[Glyph]) -> bytes:
    offsets = [0]
    for glyph in glyphs:
        offsets.append(offsets[-1] + len(glyph.outline))
    return struct.pack(f">{len(offsets)}I", *offsets)


def _maxp(glyphs: Sequence[Glyph]) -> bytes:
    points = max(glyph.points for glyph in glyphs)
    contours = max(glyph.contours for glyph in glyphs)
    return struct.pack(">I14H", 0x00010000, len(glyphs), points, contours, 0, 0, 1, *[0] * 8)


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF


def _directory(tables: Mapping[str, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    header = struct.pack(">I4H", 0x00010000, count, 16 * power, power.bit_length() - 1, 16 * (count - power))
    entries, body, head_at = b"", b"", 0
    for tag, data in sorted(tables.items()):
        offset = 12 + 16 * count + len(body)
        if tag == "head":
            head_at = offset
        entries += struct.pack(">4sIII", tag.encode(), _checksum(data), offset, len(data))
        body += data + bytes(-len(data) % 4)
    font = bytearray(header + entries + body)
    struct.pack_into(">I", font, head_at + 8, (_CHECKSUM_MAGIC - _checksum(bytes(font))) & 0xFFFFFFFF)
    return bytes(font)
