"""QR codes (GB/T 18284, ISO/IEC 18004) as vector drawings."""

import re
from functools import lru_cache

import segno

from libs.documents.drawing import BLACK, Box, Segment, VectorPath

_MASK = 2
_DARK = re.compile(b"\x01+")
_OVERLAP = 1.02


@lru_cache(maxsize=64)
def qr_runs(text: str) -> tuple[int, tuple[tuple[int, int, int], ...]]:
    """Returns the number of modules in a row, and every run of dark modules as (row, first column, column behind it).

    The mask is fixed: every reader decodes each of the eight, and trying all of them costs 2.5 ms.
    """
    matrix = segno.make(text, error="m", micro=False, mask=_MASK, boost_error=False).matrix
    runs = ((y, *found.span()) for y, row in enumerate(matrix) for found in _DARK.finditer(row))
    return len(matrix), tuple(runs)


def qr_path(text: str, box: Box) -> VectorPath:
    """Draws the QR code of ``text`` into the square ``box``, black and without quiet zone: leave 4 modules around it.

    Each run is a thick line, a little thicker than a module: between boxes that only touch, viewers leave hair lines.
    """
    count, runs = qr_runs(text)
    step = box.width / count
    columns = [box.x + step * column for column in range(count + 1)]
    segments: list[Segment] = []
    for row, start, end in runs:
        y = box.y + (row + 0.5) * step
        segments += [("M", (columns[start], y)), ("L", (columns[end], y))]
    return VectorPath(tuple(segments), stroke=BLACK, line_width=step * _OVERLAP)
