"""The picture of a seal: complete, upright, the same as SVG and as PNG."""

import io
import re
from itertools import pairwise
from math import atan2, degrees, hypot

import pytest
from fontTools.pens.boundsPen import BoundsPen
from fontTools.svgLib.path import parse_path
from lxml import etree
from PIL import Image

from libs.errors import InvalidArgument
from services.seal.seals.glyphs import Outline, glyph
from services.seal.seals.picture import PIXELS_PER_MM, Drawing, SealText, draw, to_png, to_svg

SVG = "{http://www.w3.org/2000/svg}"
NAME = "测试市天宁区行政审批局"
TEXT = SealText(NAME, "电子证照专用章", "32040200000012")


def centre(shape: Outline) -> tuple[float, float]:
    """The middle of a shape's box, from the seal's centre, y down."""
    xs, ys = zip(*points(shape), strict=True)
    return (min(xs) + max(xs)) / 2 - 21, (min(ys) + max(ys)) / 2 - 21


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    return draw(TEXT, 42)


def test_the_name_runs_clockwise_from_left_bottom_to_right_bottom(drawing: Drawing) -> None:
    arc = [centre(shape) for shape in drawing.shapes[1 : 1 + len(NAME)]]
    angles = [degrees(atan2(x, -y)) for x, y in arc]
    assert angles == sorted(angles)
    assert -125 < angles[0] < -105
    assert 105 < angles[-1] < 125
    assert all(14 < hypot(x, y) < 19 for x, y in arc)
    steps = [after - before for before, after in pairwise(angles)]
    assert max(steps) - min(steps) < 8


def points(shape: Outline) -> list[tuple[float, float]]:
    """All points of a shape, in the order of the font."""
    return [point for contour in shape.contours for segment in contour for point in segment.points]


def test_characters_stand_with_their_feet_to_the_centre() -> None:
    """上 stands on a long level stroke: wherever it stands, that stroke is nearest to the centre, and square to it."""
    upright = glyph("上")
    assert upright is not None
    ground = min(y for _, y in points(upright))
    feet = [place for place, (_, y) in enumerate(points(upright)) if y == ground]
    assert len(feet) == 2
    for shape in draw(SealText("上" * 9), 42).shapes[1:]:
        placed = points(shape)
        distances = [hypot(x - 21, y - 21) for x, y in placed]
        assert max(distances[place] for place in feet) < sum(distances) / len(distances)
        assert distances[feet[0]] == pytest.approx(distances[feet[1]], abs=0.2)


def test_the_bottom_line_is_level_and_the_code_reads_from_left_to_right(drawing: Drawing) -> None:
    line = [centre(shape) for shape in drawing.shapes[1 + len(NAME) : -14]]
    code = [centre(shape) for shape in drawing.shapes[-14:]]
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert all(8 < y < 14 for _, y in line)
    assert [x for x, _ in code] == sorted(x for x, _ in code)
    assert all(14 < y < 20 for _, y in code)


def test_the_star_stands_on_two_feet_with_one_point_up(drawing: Drawing) -> None:
    star = [segment.points[0] for segment in drawing.shapes[0].contours[0]]
    assert star[0] == pytest.approx((21, 14))
    assert min(y for _, y in star) == pytest.approx(14)
    assert max(hypot(x - 21, y - 21) for x, y in star) == pytest.approx(7)


def test_the_svg_needs_no_font_and_is_measured_in_millimetres(drawing: Drawing) -> None:
    root = etree.fromstring(to_svg(drawing))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("42mm", "42mm", "0 0 42 42")
    assert {node.tag for node in root} == {f"{SVG}title", f"{SVG}circle", f"{SVG}path"}
    assert root.findtext(f"{SVG}title") == NAME + TEXT.bottom
    pen = BoundsPen(None)
    parse_path(root.find(f"{SVG}path").get("d"), pen)
    assert all(1 < bound < 41 for bound in pen.bounds)


def test_the_svg_escapes_its_title() -> None:
    title = draw(SealText("测试<&>公司"), 40).title
    assert etree.fromstring(to_svg(draw(SealText("测试<&>公司"), 40))).findtext(f"{SVG}title") == title


def test_the_png_is_red_on_a_transparent_ground_and_agrees_with_the_shapes(drawing: Drawing) -> None:
    picture = Image.open(io.BytesIO(to_png(drawing)))
    assert picture.size == (42 * PIXELS_PER_MM, 42 * PIXELS_PER_MM)
    pixels = picture.convert("RGBA")
    alpha = pixels.getchannel("A")
    corner, star, ring, gap = (alpha.getpixel(place) for place in ((0, 0), (252, 252), (252, 5), (252, 120)))
    assert (corner, star, ring, gap) == (0, 255, 255, 0)
    assert [pixels.getchannel(band).getextrema() for band in "RGB"] == [(0xD9, 0xD9), (0, 0), (0x1B, 0x1B)]


def test_holes_stay_open_and_what_stands_in_them_is_filled() -> None:
    """回 is a frame in a frame: fill, hole, fill, hole from the outside in."""
    shape = glyph("回")
    assert shape is not None
    assert [filled for _, filled in shape.polygons(1)] == [True, False, True, False]


def test_the_same_text_gives_the_same_bytes() -> None:
    assert to_png(draw(TEXT, 42)) == to_png(draw(TEXT, 42))
    assert to_svg(draw(TEXT, 42)) == to_svg(draw(TEXT, 42))


@pytest.mark.parametrize("count", [2, 5, 19, 40])
@pytest.mark.parametrize("diameter", [40, 42, 45, 50, 60])
def test_every_length_and_diameter_stays_within_the_ring(count: int, diameter: int) -> None:
    made = draw(SealText("测" * count, "专用章" * 4, "3204020000012"), diameter)
    radius, width = made.ring
    assert radius + width / 2 == pytest.approx(diameter / 2)
    for shape in made.shapes:
        assert all(hypot(x - diameter / 2, y - diameter / 2) < radius - width / 2 for x, y in points(shape))


def test_a_character_without_a_glyph_is_named_by_its_place() -> None:
    with pytest.raises(InvalidArgument, match=re.escape("U+E000")) as caught:
        draw(SealText("测试\ue000局"), 42)
    assert (caught.value.reason, caught.value.metadata) == ("SEAL_TEXT_UNDRAWABLE", {"position": "3"})
