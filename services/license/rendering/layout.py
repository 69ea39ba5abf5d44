"""Places a licence on an A4 page: title, number, fields, QR code at the lower left, authority and seal at the right."""

from dataclasses import dataclass
from math import cos, radians, sin

from libs.documents.drawing import BLACK, Box, Color, DrawnPage, Element, Picture, TextLine
from libs.documents.qr import qr_path
from libs.errors import invalid_field
from services.license.rendering.frame import certificate_frame
from services.license.rendering.page import LicensePage, date_text, minute_text, validity_text
from services.license.rendering.typesetting import break_lines, centred, fitting_size, spread, width

_SHORT, _LONG = 210.0, 297.0
_TITLE_RED: Color = (150, 28, 28)
_LABEL_GRAY: Color = (70, 60, 50)
_NOTE_GRAY: Color = (110, 100, 90)
_MARK_GRAY: Color = (165, 165, 165)
_FIELD_SIZES = (5.6, 5.2, 4.8, 4.4, 4.0, 3.6, 3.2, 2.8)
_LINE, _ROW = 1.45, 0.6  # line height and space between rows, in em
_FOOT = 69.0  # height kept for QR code, authority and seal
_QR_SIZE = 30.0
_NOTE_SIZE = 3.5
_MARK_SIZES = (4.6, 4.2, 3.8, 3.4, 3.0, 2.6)
_MARK_ANGLE, _MARK_OPACITY, _MARK_PITCH = 28.0, 108, 1.4


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    lines: list[str]


def lay_out(page: LicensePage, *, with_seal: bool = False) -> DrawnPage:
    """Returns the sheet; the seal's picture is drawn only ``with_seal``.

    Raises:
        InvalidArgument: FIELD_INVALID (rule ``page.overflow`` or ``font.coverage``).
    """
    across, down = _paper(page)
    note = _notice(page, across)
    head, top = _heading(page, across, start=23.0 + len(note) * _NOTE_SIZE * 1.4)
    seal = [Picture(seal_box(page), page.seal_picture)] if with_seal and page.seal_picture else []
    elements: list[Element] = [*note, *head, *_fields(page, across, top, down - _FOOT)]
    elements += [*_verification(page, across, down), *_issuer(page, across, down), *seal]
    elements += _watermark(page, across, down)
    return DrawnPage(across, down, certificate_frame(across, down), tuple(elements))


def seal_box(page: LicensePage) -> Box:
    """Returns where the issuer's seal belongs: over authority and date (StampAnnot's Boundary, in mm)."""
    across, down = _paper(page)
    wide, high = page.seal_size
    return Box(_issuer_middle(across) - wide / 2, down - 46 - high / 2, wide, high)


def _paper(page: LicensePage) -> tuple[float, float]:
    return (_LONG, _SHORT) if page.landscape else (_SHORT, _LONG)


def _margin(across: float) -> float:
    return 46.0 if across == _LONG else 32.0


def _issuer_middle(across: float) -> float:
    return across - (82.0 if across == _LONG else 68.0)


def _notice(page: LicensePage, across: float) -> list[TextLine]:
    """Says at the head of an annotated copy what it is (standards: 加注件)."""
    note = page.annotation
    if note is None:
        return []
    words = (
        f"【加注件】本件由电子证照数据生成，不是证照原件，不带发证机关电子印章，仅限下列用途。用途：{note.purpose}；"
        f"制作者：{note.maker}；制作时间：{minute_text(note.make_time)}；有效期至：{minute_text(note.expire_time)}。"
    )
    lines = break_lines(words, _NOTE_SIZE, across - 48)
    return [
        TextLine(24, 24.5 + index * _NOTE_SIZE * 1.4, _NOTE_SIZE, line, color=_TITLE_RED)
        for index, line in enumerate(lines)
    ]


def _heading(page: LicensePage, across: float, start: float) -> tuple[list[TextLine], float]:
    size = fitting_size(page.title, 13.0 if across == _LONG else 12.0, across - 70, 0.25)
    title = start + (16 if across == _LONG else 28)
    number = f"编号：{page.number}"
    small = fitting_size(number, 4.4, across - 60)
    texts = [
        centred(page.title, across / 2, title, size, color=_TITLE_RED, spacing=size * 0.25, bold=size * 0.035),
        centred(number, across / 2, title + 10.5, small, color=_LABEL_GRAY),
    ]
    return texts, title + 16


def _fields(page: LicensePage, across: float, top: float, bottom: float) -> list[TextLine]:
    pairs = [(page.holder_label, page.holder)] if page.holder_label else []
    term = validity_text(page)
    pairs += [*page.fields, *([("有效期限", term)] if term else [])]
    for size in _FIELD_SIZES:
        if _label_room(pairs, size) > 0.6 * (across - 2 * _margin(across)):
            continue
        rows = _rows(pairs, size, across)
        height = _height(rows, size)
        if height <= bottom - top:
            gap = min((bottom - top - height) / (len(rows) + 1), size * 0.9)
            return _set_rows(rows, size, across, top + gap, gap)
    raise invalid_field("fields", "page.overflow", "the fields of the licence do not fit on its page")


def _label_room(pairs: list[tuple[str, str]], size: float) -> float:
    return max((width(label, size) for label, _ in pairs), default=0.0)


def _rows(pairs: list[tuple[str, str]], size: float, across: float) -> list[_Row]:
    room = across - 2 * _margin(across) - _label_room(pairs, size) - 1.4 * size
    return [_Row(label, break_lines(value, size, room)) for label, value in pairs]


def _height(rows: list[_Row], size: float) -> float:
    return sum(len(row.lines) * size * _LINE + size * _ROW for row in rows)


def _set_rows(rows: list[_Row], size: float, across: float, top: float, gap: float) -> list[TextLine]:
    left = _margin(across)
    room = _label_room([(row.label, "") for row in rows], size)
    texts: list[TextLine] = []
    y = top + size
    for row in rows:
        texts.append(spread(row.label, left, y, size, room, color=_LABEL_GRAY))
        texts.append(TextLine(left + room, y, size, "：", color=_LABEL_GRAY))
        for line in row.lines:
            texts.append(TextLine(left + room + 1.4 * size, y, size, line))
            y += size * _LINE
        y += size * _ROW + gap
    return texts


def _verification(page: LicensePage, across: float, down: float) -> list[Element]:
    left, top = _margin(across) - 8, down - 66
    words = f"证照标识：{page.identifier}"
    small = fitting_size(words, 3.2, across - 50)
    return [
        qr_path(page.qr_text, Box(left, top, _QR_SIZE, _QR_SIZE)),
        centred("扫码验证", left + _QR_SIZE / 2, top + _QR_SIZE + 5, 3.4, color=_NOTE_GRAY),
        centred(words, across / 2, down - 22, small, color=_NOTE_GRAY),
    ]


def _issuer(page: LicensePage, across: float, down: float) -> list[TextLine]:
    middle = _issuer_middle(across)
    room = 2 * (across - 22 - middle)
    size = fitting_size(page.issuing_authority, 5.4, room)
    return [
        centred(page.issuing_authority, middle, down - 49, size, color=BLACK),
        centred(date_text(page.issue_date), middle, down - 38, 5.0, color=BLACK),
    ]


def _watermark(page: LicensePage, across: float, down: float) -> list[TextLine]:
    columns, rows = (3, 2) if across == _LONG else (2, 3)
    step_x, step_y = across / columns, down / rows
    size, lines = _mark_lines(page.watermark, step_x * 0.92, step_y * 0.9)
    texts: list[TextLine] = []
    for column in range(columns):
        for row in range(rows):
            texts += _mark(lines, size, column * step_x + 12, (row + 0.62) * step_y)
    return texts


def _mark_lines(words: tuple[str, ...], room: float, height: float) -> tuple[float, list[str]]:
    """Breaks the watermark to lines; long ones get smaller until they keep within their part of the page."""
    for size in _MARK_SIZES:
        lines = [part for line in words for part in break_lines(line, size, room)]
        if len(lines) * size * _MARK_PITCH <= height * 0.6:
            return size, lines
    raise invalid_field("watermark", "page.overflow", "the watermark does not fit on the page")


def _mark(lines: list[str], size: float, x: float, y: float) -> list[TextLine]:
    turn, pitch = radians(_MARK_ANGLE), size * _MARK_PITCH
    return [
        TextLine(
            x + index * pitch * sin(turn),
            y + index * pitch * cos(turn),
            size,
            line,
            color=_MARK_GRAY,
            opacity=_MARK_OPACITY,
            angle=_MARK_ANGLE,
        )
        for index, line in enumerate(lines)
    ]
