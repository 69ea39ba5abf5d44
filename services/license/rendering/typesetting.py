"""Lines of Chinese text: breaking, centring, spreading. Lengths in millimetres."""

from libs.documents.drawing import BLACK, Color, TextLine
from libs.documents.fonts import document_face

_NEVER_FIRST = frozenset("，。、；：？！）》」』】〕”’％,.;:?!)]}%")
_NEVER_LAST = frozenset("（《「『【〔“‘([{")


def width(text: str, size: float, spacing: float = 0.0) -> float:
    """Returns the width of a line, without the space behind its last character."""
    return document_face().width(text) * size + spacing * max(len(text) - 1, 0)


def fitting_size(text: str, size: float, room: float, spacing_em: float = 0.0) -> float:
    """Returns ``size``, or the smaller size at which ``text`` fills ``room``."""
    return min(size, size * room / max(width(text, size, size * spacing_em), 0.001))


def break_lines(text: str, size: float, room: float) -> list[str]:
    """Breaks ``text`` to lines of at most ``room``; keeps line feeds, and runs of Latin letters and digits together.

    No line begins with a closing or ends with an opening mark (GB/T 15834-2011 5.1).
    """
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        lines += _break_paragraph(" ".join(paragraph.split()), size, room)
    return lines


def _break_paragraph(text: str, size: float, room: float) -> list[str]:
    face = document_face()
    lines, start, used = [], 0, 0.0
    for position, char in enumerate(text):
        step = face.glyph(char).advance * size / 1000
        if used + step > room and position > start:
            cut = _cut(text, start, position)
            lines.append(text[start:cut].strip())
            start, used = cut, width(text[cut:position], size)
        used += step
    return [*lines, text[start:].strip()]


def _cut(text: str, start: int, end: int) -> int:
    """Returns the best place in (start, end] to begin the next line."""
    for cut in range(end, start, -1):
        if _may_break(text[cut - 1], text[cut]):
            return cut
    return end


def _may_break(before: str, after: str) -> bool:
    if after in _NEVER_FIRST or before in _NEVER_LAST:
        return False
    return not (_is_latin(before) and _is_latin(after))


def _is_latin(char: str) -> bool:
    return char.isascii() and not char.isspace()


def centred(
    text: str, x: float, y: float, size: float, *, color: Color = BLACK, spacing: float = 0.0, bold: float = 0.0
) -> TextLine:
    """Sets ``text`` so that its middle stands at ``x``."""
    left = x - width(text, size, spacing) / 2
    return TextLine(left, y, size, text, color=color, spacing=spacing, bold=bold)


def spread(text: str, x: float, y: float, size: float, room: float, *, color: Color = BLACK) -> TextLine:
    """Sets a label so that its characters fill ``room`` evenly (分散对齐)."""
    slack = max(room - width(text, size), 0.0)
    gap = slack / (len(text) - 1) if len(text) > 1 else 0.0
    return TextLine(x, y, size, text, color=color, spacing=gap)
