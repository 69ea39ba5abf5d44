"""Graphic units of an OFD page: text, path and image objects (GB/T 33190-2016 chapters 9 to 11)."""

from collections.abc import Mapping, Sequence
from math import cos, radians, sin
from xml.sax.saxutils import escape

from libs.documents.drawing import Box, Color, DrawnPage, Element, Picture, Segment, TextLine, VectorPath, number

FONT_ID = 1
_ABOVE, _BELOW = 1.0, 0.35  # what a line of text may need above and below its base line, in em


class ObjectWriter:
    """Writes elements as XML and counts their ids.

    Attributes:
        next_id: the first id that is still free.
        pictures: the images met so far by resource id.
    """

    def __init__(self, sheet: DrawnPage | None, advances: Mapping[str, int], first_id: int) -> None:
        """Begins at ``first_id``; ``advances`` are the font's widths in 1/1000 em; paths alone need no sheet."""
        self._sheet = sheet
        self._advances = advances
        self.next_id = first_id
        self.pictures: dict[int, Picture] = {}

    def write(self, elements: Sequence[Element]) -> str:
        """Returns the objects of ``elements`` in their order."""
        return "".join(self._object(element) for element in elements)

    def _object(self, element: Element) -> str:
        if isinstance(element, TextLine):
            return self._text(element)
        return _path(element, self._take_id()) if isinstance(element, VectorPath) else self._image(element)

    def _take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _image(self, picture: Picture) -> str:
        resource = self._take_id()
        self.pictures[resource] = picture
        box = picture.box
        return (
            f'<ofd:ImageObject ID="{self._take_id()}" Boundary="{_boundary(box)}" ResourceID="{resource}" '
            f'CTM="{number(box.width)} 0 0 {number(box.height)} 0 0"/>'
        )

    def _text(self, text: TextLine) -> str:
        if not text.content:
            return ""
        steps = [self._advances[char] * text.size / 1000 + text.spacing for char in text.content]
        stroke = f' Stroke="true" LineWidth="{text.bold:.3f}"' if text.bold else ""
        opacity = f' Alpha="{text.opacity}"' if text.opacity < 255 else ""
        outline = _color("StrokeColor", text.color) if text.bold else ""
        place, x, y = self._place(text, sum(steps))
        delta = f' DeltaX="{_deltas(steps[:-1])}"' if len(steps) > 1 else ""
        return (
            f'<ofd:TextObject ID="{self._take_id()}" {place} Font="{FONT_ID}" Size="{number(text.size)}"'
            f"{stroke}{opacity}>{_color('FillColor', text.color)}{outline}"
            f'<ofd:TextCode X="{number(x)}" Y="{number(y)}"{delta}>{escape(text.content)}</ofd:TextCode>'
            "</ofd:TextObject>"
        )

    def _place(self, text: TextLine, width: float) -> tuple[str, float, float]:
        """Returns the boundary (with matrix, when turned) and the start of the base line in it."""
        if not text.angle or self._sheet is None:
            above = text.size * _ABOVE
            box = Box(text.x, text.y - above, width, above + text.size * _BELOW)
            return f'Boundary="{_boundary(box)}"', 0, above
        turn = radians(text.angle)
        matrix = f"{cos(turn):.5f} {-sin(turn):.5f} {sin(turn):.5f} {cos(turn):.5f} {number(text.x)} {number(text.y)}"
        page = _boundary(Box(0, 0, self._sheet.width, self._sheet.height))
        return f'Boundary="{page}" CTM="{matrix}"', 0, 0


def _path(path: VectorPath, identifier: int) -> str:
    left, top, box = _extent(path)
    stroke, fill = path.stroke is not None, path.fill is not None
    return (
        f'<ofd:PathObject ID="{identifier}" Boundary="{box}" Stroke="{_flag(stroke)}" Fill="{_flag(fill)}" '
        f'LineWidth="{number(path.line_width)}">{_color("StrokeColor", path.stroke)}{_color("FillColor", path.fill)}'
        f"<ofd:AbbreviatedData>{_outline(path.segments, left, top)}</ofd:AbbreviatedData></ofd:PathObject>"
    )


def _extent(path: VectorPath) -> tuple[float, float, str]:
    """Returns the corner that coordinates count from, and the boundary, widened by the line."""
    xs = [value for _, points in path.segments for value in points[0::2]]
    ys = [value for _, points in path.segments for value in points[1::2]]
    margin = path.line_width if path.stroke is not None else 0
    left, top = round(min(xs) - margin, 2), round(min(ys) - margin, 2)
    return left, top, _boundary(Box(left, top, max(xs) + margin - left, max(ys) + margin - top))


def _outline(segments: Sequence[Segment], left: float, top: float) -> str:
    origin = (left, top) * 3
    words: list[str] = []
    for letter, points in segments:
        words.append(letter)
        words += [number(value - base) for value, base in zip(points, origin, strict=False)]
    return " ".join(words)


def _boundary(box: Box) -> str:
    return f"{number(box.x)} {number(box.y)} {number(box.width)} {number(box.height)}"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _color(tag: str, color: Color | None) -> str:
    return "" if color is None else f'<ofd:{tag} Value="{color[0]} {color[1]} {color[2]}"/>'


def _deltas(steps: Sequence[float]) -> str:
    """Writes advances; three or more equal ones in a row as ``g count value`` (GB/T 33190-2016 11.3)."""
    words: list[str] = []
    written = [f"{step:.3f}".rstrip("0").rstrip(".") for step in steps]
    position = 0
    while position < len(written):
        end = position
        while end < len(written) and written[end] == written[position]:
            end += 1
        count = end - position
        words += ["g", str(count), written[position]] if count > 2 else written[position:end]
        position = end
    return " ".join(words)
