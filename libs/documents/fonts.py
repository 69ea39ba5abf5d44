"""The embedded Chinese font: Noto Sans CJK SC, cut down to the characters of one document.

fontTools' own subsetter takes seconds on this face and its FontBuilder about 8 ms for 150 characters. Here each glyph
is turned from CFF into TrueType outlines once per process (0.3 ms), and a document's font is put together from those
finished pieces with ``struct`` in well under a millisecond.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen

from libs.documents.outlines import CffFace, noto_sans_sc
from libs.documents.truetype import Glyph, cmap_table, font_file, name_table, post_table
from libs.errors import invalid_field

_MAX_CURVE_ERROR = 1.0  # units of 1/1000 em: invisible below a glyph height of one metre
_NAMES_KEPT = (0, 1, 2, 3, 4, 5, 6, 13, 14)


@dataclass(frozen=True, slots=True)
class FontSubset:
    """A complete TrueType font that holds just the characters of one document.

    Attributes:
        name: the PostScript name of the face.
        data: the font file.
        glyph_ids: glyph index of each character, in the order of the code points.
        advances: advance width of each character in units of 1/1000 em.
    """

    name: str
    data: bytes
    glyph_ids: Mapping[str, int]
    advances: Mapping[str, int]


class Typeface:
    """One face of a CFF font collection whose outlines are converted to TrueType on first use. Safe between threads."""

    def __init__(self, source: CffFace) -> None:
        """Takes the face; keeps of it what is converted."""
        self._source = source
        self._tables = {tag: source.table(tag) for tag in ("head", "hhea", "OS/2")}
        names = {number: source.names.get(number, "") for number in _NAMES_KEPT}
        self.name = names[6]
        self.family = names[1]
        self._tables["name"] = name_table(names)
        self._tables["post"] = post_table()
        self._glyphs: dict[str, Glyph] = {}

    def __contains__(self, char: str) -> bool:
        """Tells whether the face can show ``char``."""
        return char in self._glyphs or self._source.glyph_of(char) is not None

    def glyph(self, char: str) -> Glyph:
        """Returns the glyph of one character.

        Raises:
            InvalidArgument: FIELD_INVALID (rule ``font.coverage``) when the face lacks it: a licence with a hole in the
                holder's name must not be issued.
        """
        known = self._glyphs.get(char)
        return known if known is not None else self._convert(char)

    def width(self, text: str) -> float:
        """Returns the width of ``text`` set solid, in em."""
        return sum(self.glyph(char).advance for char in text) / 1000

    def subset(self, characters: Iterable[str]) -> FontSubset:
        """Builds the font of one document; the same set of characters always gives the same bytes."""
        return _subset(self, "".join(sorted(set(characters))))

    def assemble(self, characters: str) -> FontSubset:
        """Puts the font together; ``characters`` are sorted and without repeats. Use ``subset``, which caches."""
        notdef = Glyph(1000, 0, 0, 0, b"")
        glyphs = [notdef, *(self.glyph(char) for char in characters)]
        data = font_file(glyphs, {**self._tables, "cmap": cmap_table([ord(char) for char in characters])})
        return FontSubset(
            name=self.name,
            data=data,
            glyph_ids={char: number for number, char in enumerate(characters, start=1)},
            advances={char: self.glyph(char).advance for char in characters},
        )

    def _convert(self, char: str) -> Glyph:
        number = self._source.glyph_of(char)
        if number is None:
            raise invalid_field("text", "font.coverage", f"the document font has no glyph for U+{ord(char):04X}")
        return self._glyphs.setdefault(char, _to_truetype(self._source, number))


def _to_truetype(source: CffFace, number: int) -> Glyph:
    pen = TTGlyphPen(None)
    advance = source.draw(number, Cu2QuPen(pen, _MAX_CURVE_ERROR, reverse_direction=True))
    outline = pen.glyph()
    if not outline.numberOfContours:
        return Glyph(advance, 0, 0, 0, b"")
    outline.recalcBounds(None)
    data: bytes = outline.compile(None, recalcBBoxes=False)
    data += bytes(-len(data) % 4)
    return Glyph(advance, int(outline.xMin), len(outline.coordinates), int(outline.numberOfContours), data)


@lru_cache(maxsize=32)
def _subset(face: Typeface, characters: str) -> FontSubset:
    # Cached because the OFD and the PDF of a licence follow each other with the same characters.
    return face.assemble(characters)


@lru_cache(maxsize=1)
def document_face() -> Typeface:
    """Returns the process's one Noto Sans CJK SC, opened on first use in a few milliseconds."""
    return Typeface(noto_sans_sc())
