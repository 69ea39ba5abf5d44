"""The document font: what is cut out of Noto Sans CJK is a sound TrueType font of its own."""

from io import BytesIO

import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from libs.documents.fonts import document_face
from libs.errors import InvalidArgument

TEXT = "常州市天宁区：No. 2024𠮷"


def _ink(font: BytesIO, text: str) -> Image.Image:
    image = Image.new("L", (900, 80), 255)
    ImageDraw.Draw(image).text((5, 5), text, font=ImageFont.truetype(font, 48), fill=0)
    return image


def test_subset_holds_exactly_its_characters_and_every_table_parses() -> None:
    subset = document_face().subset(TEXT)
    font = TTFont(BytesIO(subset.data), checkChecksums=2)
    for tag in font.keys():  # noqa: SIM118 - a font is no dictionary
        assert font[tag] is not None
    assert {chr(code) for code in font.getBestCmap()} == set(TEXT)
    assert font["maxp"].numGlyphs == len(set(TEXT)) + 1
    assert font["name"].getDebugName(6) == "NotoSansCJKsc-Regular"


def test_both_character_maps_give_the_glyph_ids_that_the_writers_use() -> None:
    subset = document_face().subset(TEXT)
    font = TTFont(BytesIO(subset.data))
    formats = {table.format: table.cmap for table in font["cmap"].tables}
    assert set(formats) == {4, 12}
    for char, number in subset.glyph_ids.items():
        assert font.getGlyphID(formats[12][ord(char)]) == number
        assert ord(char) > 0xFFFF or font.getGlyphID(formats[4][ord(char)]) == number


def test_widths_agree_with_the_font_file() -> None:
    subset = document_face().subset(TEXT)
    font = TTFont(BytesIO(subset.data))
    widths = font["hmtx"].metrics
    assert all(widths[font.getBestCmap()[ord(char)]][0] == width for char, width in subset.advances.items())
    assert document_face().width("常州") == 2.0


def test_text_drawn_with_the_subset_has_ink() -> None:
    data = document_face().subset(TEXT).data
    assert min(_ink(BytesIO(data), TEXT).tobytes()) < 50


def test_same_characters_in_any_order_give_the_same_bytes() -> None:
    face = document_face()
    assert face.subset("天宁区").data == face.subset("区宁天天").data


def test_no_characters_at_all_still_make_a_font() -> None:
    assert TTFont(BytesIO(document_face().subset("").data))["maxp"].numGlyphs == 1


def test_character_without_glyph_is_refused_by_its_code_point() -> None:
    assert "\U00020000" not in document_face()
    with pytest.raises(InvalidArgument, match=r"U\+20000") as caught:
        document_face().subset("\U00020000")
    assert caught.value.violations[0].rule == "font.coverage"
