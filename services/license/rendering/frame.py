"""The certificate's background: a double frame with a guilloche band, rosettes in the corners and in the middle."""

from collections.abc import Callable
from functools import lru_cache
from math import cos, pi, sin

from libs.documents.drawing import WHITE, Box, Color, Segment, VectorPath, circle, rectangle

_GOLD: Color = (176, 137, 74)
_PALE_GOLD: Color = (222, 199, 158)
_RED: Color = (168, 52, 46)
_PALE: Color = (244, 232, 212)
_OUTER, _INNER, _MIDDLE = 8.0, 17.0, 12.5
_HALF_WAVE = 5.0
_CORNER = 4.6
_Curve = Callable[[float], tuple[float, float]]


@lru_cache(maxsize=8)
def certificate_frame(width: float, height: float) -> tuple[VectorPath, ...]:
    """Returns the background of a page of this size; text has the area from 19 mm within each edge."""
    return (
        *_central_rosette(width / 2, height / 2, min(width, height) * 0.27),
        *_band(width, height),
        VectorPath(rectangle(_inset(width, height, _OUTER)), stroke=_RED, line_width=0.8),
        VectorPath(rectangle(_inset(width, height, _OUTER + 1.2)), stroke=_GOLD, line_width=0.2),
        VectorPath(rectangle(_inset(width, height, _INNER - 1.2)), stroke=_GOLD, line_width=0.2),
        VectorPath(rectangle(_inset(width, height, _INNER)), stroke=_RED, line_width=0.4),
        *_corners(width, height),
    )


def _inset(width: float, height: float, margin: float) -> Box:
    return Box(margin, margin, width - 2 * margin, height - 2 * margin)


def _band(width: float, height: float) -> tuple[VectorPath, ...]:
    waves = ((2.6, _GOLD), (-2.6, _GOLD), (1.4, _PALE_GOLD), (-1.4, _PALE_GOLD))
    return tuple(VectorPath(_wave_around(width, height, rise), stroke=color, line_width=0.15) for rise, color in waves)


def _wave_around(width: float, height: float, rise: float) -> tuple[Segment, ...]:
    near, right, bottom = _MIDDLE, width - _MIDDLE, height - _MIDDLE
    return (
        *_wave(near, near, right, near, rise),
        *_wave(right, near, right, bottom, rise),
        *_wave(right, bottom, near, bottom, rise),
        *_wave(near, bottom, near, near, rise),
    )


def _wave(x1: float, y1: float, x2: float, y2: float, rise: float) -> tuple[Segment, ...]:
    """Draws half waves along a line, one cubic each: its control points stand 4/3 of the rise away."""
    length = abs(x2 - x1) + abs(y2 - y1)
    count = 2 * round(length / _HALF_WAVE / 2)
    dx, dy = (x2 - x1) / count, (y2 - y1) / count
    side_x, side_y = -dy / (length / count) * rise * 4 / 3, dx / (length / count) * rise * 4 / 3
    segments: list[Segment] = [("M", (x1, y1))]
    for step in range(count):
        sign = 1 if step % 2 == 0 else -1
        x, y, up, over = x1 + dx * step, y1 + dy * step, side_x * sign, side_y * sign
        first = (x + dx * 0.364 + up, y + dy * 0.364 + over)
        second = (x + dx * 0.636 + up, y + dy * 0.636 + over)
        segments.append(("B", (*first, *second, x + dx, y + dy)))
    return tuple(segments)


def _corners(width: float, height: float) -> tuple[VectorPath, ...]:
    paths: list[VectorPath] = []
    for x in (_MIDDLE, width - _MIDDLE):
        for y in (_MIDDLE, height - _MIDDLE):
            paths += _corner(x, y)
    return tuple(paths)


def _corner(x: float, y: float) -> tuple[VectorPath, ...]:
    box = Box(x - _CORNER, y - _CORNER, 2 * _CORNER, 2 * _CORNER)
    return (
        VectorPath(rectangle(box), stroke=_RED, fill=WHITE, line_width=0.4),
        VectorPath(_smooth(_petals(x, y, 3.0, 0.32, 8), 32), stroke=_GOLD, line_width=0.2),
        VectorPath(_smooth(_petals(x, y, 3.0, -0.32, 8), 32), stroke=_GOLD, line_width=0.2),
        VectorPath(circle(x, y, 1.1), stroke=_RED, line_width=0.25),
    )


def _central_rosette(x: float, y: float, radius: float) -> tuple[VectorPath, ...]:
    rings = ((1.0, 0.12), (1.0, -0.12), (0.74, 0.2), (0.74, -0.2), (0.44, 0.3), (0.44, -0.3))
    return tuple(
        VectorPath(_smooth(_petals(x, y, radius * part, depth, 12), 48), stroke=_PALE, line_width=0.35)
        for part, depth in rings
    )


def _petals(x: float, y: float, radius: float, depth: float, count: int) -> _Curve:
    def at(angle: float) -> tuple[float, float]:
        distance = radius * (1 + depth * sin(count * angle))
        return x + distance * cos(angle), y + distance * sin(angle)

    return at


def _smooth(curve: _Curve, pieces: int) -> tuple[Segment, ...]:
    """Follows a closed curve by cubics that share its tangents."""
    step = 2 * pi / pieces
    segments: list[Segment] = [("M", curve(0))]
    for piece in range(pieces):
        start, end = piece * step, (piece + 1) * step
        (x1, y1), (dx1, dy1) = curve(start), _tangent(curve, start, step / 3)
        (x2, y2), (dx2, dy2) = curve(end), _tangent(curve, end, step / 3)
        segments.append(("B", (x1 + dx1, y1 + dy1, x2 - dx2, y2 - dy2, x2, y2)))
    return (*segments, ("C", ()))


def _tangent(curve: _Curve, angle: float, scale: float) -> tuple[float, float]:
    delta = 1e-4
    (x1, y1), (x2, y2) = curve(angle - delta), curve(angle + delta)
    return (x2 - x1) / (2 * delta) * scale, (y2 - y1) / (2 * delta) * scale
