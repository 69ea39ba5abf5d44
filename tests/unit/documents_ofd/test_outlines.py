"""The reader of the Chinese font sees what fontTools sees."""

from collections.abc import Iterator

import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont
from noto_cjk_sans_otc import FONT_PATH

from libs.documents.outlines import noto_sans_sc


@pytest.fixture(scope="module")
def font() -> Iterator[TTFont]:
    with TTFont(FONT_PATH, fontNumber=2, lazy=True) as opened:
        yield opened


# Han of two planes, Latin, digits, kana, full-width and half-width forms: they lie in different font dictionaries.
@pytest.mark.parametrize("char", [*"六安市〇国𠮷Ag7かガ：ｱ￥é ─"])
def test_outline_and_width_agree_with_fonttools(font: TTFont, char: str) -> None:
    name = font.getBestCmap()[ord(char)]
    theirs, ours = RecordingPen(), RecordingPen()
    font.getGlyphSet()[name].draw(theirs)
    number = noto_sans_sc().glyph_of(char)
    assert number is not None
    assert number == font.getGlyphID(name)
    assert noto_sans_sc().draw(number, ours) == font["hmtx"][name][0]
    assert ours.value == theirs.value


def test_exactly_the_characters_of_the_face_have_a_glyph(font: TTFont) -> None:
    codes = font.getBestCmap()
    face = noto_sans_sc()
    around = {code + step for code in codes for step in (-1, 0, 1)} & set(range(0x110000)) | {0, 0x10FFFF}
    assert {code for code in around if face.glyph_of(chr(code)) is not None} == set(codes)


def test_measures_and_names_are_those_of_the_face(font: TTFont) -> None:
    face = noto_sans_sc()
    assert face.units_per_em == font["head"].unitsPerEm
    assert (face.ascender, face.descender) == (font["OS/2"].sTypoAscender, font["OS/2"].sTypoDescender)
    assert all(face.names[number] == font["name"].getDebugName(number) for number in (1, 2, 4, 6))
