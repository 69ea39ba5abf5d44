"""What stands on a page, said once for all formats: OFD and PDF are both written from a ``DrawnPage``.

All lengths are millimetres from the page's upper left corner, y downwards, as in OFD (GB/T 33190-2016). Every value is
immutable and hashable, so that writers can keep what they made of a background.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from libs.errors import invalid_field

Color = tuple[int, int, int]
"""Red, green and blue, each 0 to 255."""

Segment = tuple[str, tuple[float, ...]]
"""``("M", (x, y))`` moves, ``("L", (x, y))`` draws a line, ``("B", (x1, y1, x2, y2, x, y))`` a cubic, ``("C", ())``
closes."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, upper left corner first."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class VectorPath:
    """An outline, stroked, filled or both. Areas are filled by the nonzero rule.

    Attributes:
        segments: the outline.
        stroke: colour of the line, or None.
        fill: colour of the area, or None.
        line_width: of the stroke.
    """

    segments: tuple[Segment, ...]
    stroke: Color | None = None
    fill: Color | None = None
    line_width: float = 0.2


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text in the document's font.

    Attributes:
        x: left end of the base line.
        y: height of the base line.
        size: the em.
        content: the characters.
        color: of the characters.
        spacing: added after each character.
        bold: width of the line drawn around each character to thicken it; 0 for none.
        opacity: 0 (not seen) to 255.
        angle: degrees counter-clockwise around the left end of the base line.
    """

    x: float
    y: float
    size: float
    content: str
    color: Color = BLACK
    spacing: float = 0.0
    bold: float = 0.0
    opacity: int = 255
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG drawn into a box; its transparency is kept."""

    box: Box
    png: bytes


Element = VectorPath | TextLine | Picture


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """One page.

    Attributes:
        width: of the paper.
        height: of the paper.
        background: what all documents of a kind share; writers cache it, and it holds no text.
        elements: drawn over the background in this order.
    """

    width: float
    height: float
    background: tuple[VectorPath, ...]
    elements: tuple[Element, ...]

    def characters(self) -> set[str]:
        """Returns the characters that the document's font must hold."""
        return {char for element in self.elements if isinstance(element, TextLine) for char in element.content}


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a document says of itself.

    Attributes:
        title: shown by readers.
        author: the issuing authority.
        created: when it was made, with its zone.
        custom: metadata as pairs (OFD: CustomDatas; PDF: information dictionary).
    """

    title: str
    author: str
    created: datetime
    custom: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuses what XML can't hold: FIELD_INVALID, rule ``document.characters``."""
        words = (self.title, self.author, *(word for pair in self.custom for word in pair))
        if any(_NOT_XML.search(word) for word in words):
            raise invalid_field("metadata", "document.characters", "a control character stands in the metadata")


def line(x1: float, y1: float, x2: float, y2: float) -> tuple[Segment, ...]:
    """Returns the outline of a straight line."""
    return ("M", (x1, y1)), ("L", (x2, y2))


def rectangle(box: Box) -> tuple[Segment, ...]:
    """Returns the outline of ``box``."""
    right, bottom = box.x + box.width, box.y + box.height
    return ("M", (box.x, box.y)), ("L", (right, box.y)), ("L", (right, bottom)), ("L", (box.x, bottom)), ("C", ())


def circle(x: float, y: float, radius: float) -> tuple[Segment, ...]:
    """Returns the outline of a circle around (x, y) as four cubics."""
    k = 0.5523 * radius
    return (
        ("M", (x + radius, y)),
        ("B", (x + radius, y + k, x + k, y + radius, x, y + radius)),
        ("B", (x - k, y + radius, x - radius, y + k, x - radius, y)),
        ("B", (x - radius, y - k, x - k, y - radius, x, y - radius)),
        ("B", (x + k, y - radius, x + radius, y - k, x + radius, y)),
        ("C", ()),
    )


def number(value: float) -> str:
    """Writes a length to the hundredth of a millimetre, as short as it goes."""
    return f"{round(value, 2):g}"
