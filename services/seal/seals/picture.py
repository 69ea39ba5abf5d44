"""Draws the picture of a seal: ring, five-point star, the owner's name on the arc, a line below, the seal code.

One drawing in millimetres gives both the SVG (paths only, so that no font is needed to show it) and the PNG that stands
in the SES structure. Lengths are millimetres, angles degrees clockwise from the top; the origin is the left top corner.
"""

import io
from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw

from libs.errors import reasons
from services.seal.seals.glyphs import Outline, Point, Transform, glyph, move

PIXELS_PER_MM = 12
"""The resolution of the PNG, about 305 dpi."""
_SUPERSAMPLE = 4
_RED = (0xD9, 0x00, 0x1B)
_STAR_POINTS = 5
# The inner corners of a regular five-point star lie at this part of its radius: sin 18° / sin 54°.
_STAR_WAIST = 0.381966


@dataclass(frozen=True, slots=True)
class SealText:
    """What stands on a round seal.

    Attributes:
        arc: the owner's name, 2 to 40 characters.
        bottom: the line under the star, at most 12 characters, or empty.
        code: the seal code on the lower rim, 13 or 14 digits, or empty.
    """

    arc: str
    bottom: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture before it is a file.

    Attributes:
        diameter: the side of the square it fills, millimetres.
        title: what it shows, for readers that can't see it.
        ring: centre line radius and width of the ring.
        shapes: filled outlines.
    """

    diameter: float
    title: str
    ring: tuple[float, float]
    shapes: tuple[Outline, ...]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one character stands: the middle of its body, its turn, the width and height of its body."""

    centre: Point
    turn: float
    width: float
    height: float


def draw(text: SealText, diameter_mm: int) -> Drawing:
    """Draws a round seal; raises SEAL_TEXT_UNDRAWABLE where the font has no glyph for a character."""
    size = float(diameter_mm)
    ring = size * 0.028
    shapes = [_star(size)]
    shapes += _characters(text.arc, _arc_slots(len(text.arc), size, 230.0 if text.bottom else 256.0))
    shapes += _characters(text.bottom, _line_slots(len(text.bottom), size))
    shapes += _characters(text.code, _code_slots(len(text.code), size))
    return Drawing(size, text.arc + text.bottom, (size / 2 - ring / 2, ring), tuple(shapes))


def _on_circle(size: float, radius: float, angle: float) -> Point:
    turn = radians(angle)
    return (size / 2 + radius * sin(turn), size / 2 - radius * cos(turn))


def _star(size: float) -> Outline:
    """The star: a third of the diameter across (42 mm seal, 14 mm star), one point up."""
    outer = size / 6
    corners = [
        _on_circle(size, outer if step % 2 == 0 else outer * _STAR_WAIST, step * 180 / _STAR_POINTS)
        for step in range(2 * _STAR_POINTS)
    ]
    return Outline.polygon(corners)


def _arc_slots(count: int, size: float, widest: float) -> list[_Slot]:
    """Places the name from left bottom over the top to right bottom, feet to the centre, at most ``widest`` degrees."""
    if count == 0:
        return []
    height = size * 0.135
    rim = size / 2 - size * 0.028 - size * 0.032
    radius = rim - height / 2
    # Few characters stand closer than the arc allows, or the name would fall apart.
    step = min(widest / max(count - 1, 1), 40.0)
    # The feet are nearer to the centre than the middle, so that the room there bounds the width.
    room = radians(step) * (radius - height / 4) * 0.92
    width = min(height * 0.82, room)
    height = min(height, width / 0.45)
    radius = rim - height / 2
    first = -step * (count - 1) / 2
    angles = [first + step * place for place in range(count)]
    return [_Slot(_on_circle(size, radius, angle), angle, width, height) for angle in angles]


def _line_slots(count: int, size: float) -> list[_Slot]:
    """Places the line under the star, from left to right."""
    if count == 0:
        return []
    height = size * 0.1
    pitch = min(height * 1.02, size * 0.47 / count)
    left = size / 2 - pitch * (count - 1) / 2
    y = size / 2 + size * 0.265
    return [_Slot((left + pitch * place, y), 0.0, pitch * 0.96, height) for place in range(count)]


def _code_slots(count: int, size: float) -> list[_Slot]:
    """Places the code along the lower rim, read from left to right, heads to the centre."""
    height = size * 0.05
    radius = size / 2 - size * 0.028 - size * 0.014 - height / 2
    step = 4.6
    first = step * (count - 1) / 2
    return [
        _Slot(_on_circle(size, radius, 180 + angle), angle, height, height)
        for angle in (first - step * place for place in range(count))
    ]


def _characters(text: str, slots: list[_Slot]) -> list[Outline]:
    return [_place(text, place, slot) for place, slot in enumerate(slots)]


def _place(text: str, place: int, slot: _Slot) -> Outline:
    """Moves a glyph from font units (y up, em 1) into its slot (y down, millimetres)."""
    found = glyph(text[place])
    if found is None:
        raise reasons.seal_text_undrawable(f"no glyph for U+{ord(text[place]):04X}", position=str(place + 1))
    turn = radians(slot.turn)
    across, along = slot.width, slot.height
    # Narrow to the slot, flip y, turn clockwise, move to the slot's centre.
    matrix = Transform(
        across * cos(turn), across * sin(turn), along * sin(turn), -along * cos(turn), slot.centre[0], slot.centre[1]
    )
    return move(found, matrix)


def to_svg(drawing: Drawing) -> bytes:
    """Returns the picture as SVG, in millimetres, on a transparent ground."""
    size = f"{drawing.diameter:g}"
    radius, width = drawing.ring
    colour = "#{:02x}{:02x}{:02x}".format(*_RED)
    path = "".join(shape.svg_path() for shape in drawing.shapes)
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}mm" height="{size}mm" viewBox="0 0 {size} {size}">'
        f"<title>{escape(drawing.title)}</title>"
        f'<circle cx="{drawing.diameter / 2:g}" cy="{drawing.diameter / 2:g}" r="{radius:.3f}" fill="none" '
        f'stroke="{colour}" stroke-width="{width:.3f}"/>'
        f'<path fill="{colour}" d="{path}"/></svg>\n'
    )
    return text.encode()


def to_png(drawing: Drawing) -> bytes:
    """Returns the picture as PNG, 12 pixels a millimetre, red on a transparent ground."""
    scale = PIXELS_PER_MM * _SUPERSAMPLE
    side = round(drawing.diameter * PIXELS_PER_MM)
    mask = Image.new("L", (side * _SUPERSAMPLE, side * _SUPERSAMPLE), 0)
    pen = ImageDraw.Draw(mask)
    radius, width = drawing.ring
    _circle(pen, drawing.diameter / 2 * scale, (radius + width / 2) * scale, 255)
    _circle(pen, drawing.diameter / 2 * scale, (radius - width / 2) * scale, 0)
    for shape in drawing.shapes:
        for points, filled in shape.polygons(scale):
            pen.polygon(points, fill=255 if filled else 0)
    return _as_png(mask.resize((side, side), Image.Resampling.BOX))


def _circle(pen: ImageDraw.ImageDraw, centre: float, radius: float, fill: int) -> None:
    pen.ellipse((centre - radius, centre - radius, centre + radius, centre + radius), fill=fill)


@cache
def _palette() -> tuple[bytes, bytes]:
    """Sixteen strengths of one red: a tenth of the size of a true-colour PNG, and no difference to the eye."""
    return bytes(_RED) * 16, bytes(step * 17 for step in range(16))


def _as_png(strength: Image.Image) -> bytes:
    colours, alphas = _palette()
    picture = strength.point([(value + 8) // 17 for value in range(256)])
    indexed = Image.frombytes("P", picture.size, picture.tobytes())
    indexed.putpalette(colours)
    out = io.BytesIO()
    dots = PIXELS_PER_MM * 25.4
    indexed.save(out, "PNG", bits=4, transparency=alphas, optimize=True, dpi=(dots, dots))
    return out.getvalue()
