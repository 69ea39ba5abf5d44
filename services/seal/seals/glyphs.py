"""Outlines of characters, taken from the Noto CJK font as shapes that can be moved, written as SVG and filled."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from fontTools.pens.recordingPen import RecordingPen

from libs.documents.outlines import noto_sans_sc

Point = tuple[float, float]
"""x and y."""
# A curve of a seal's glyph is a few tenths of a millimetre long: eight chords are exact to a thousandth.
_CHORDS = 8


class Transform(NamedTuple):
    """An affine map: x' = a x + c y + e, y' = b x + d y + f (as in SVG)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def apply(self, point: Point) -> Point:
        """Returns the image of ``point``."""
        x, y = point
        return (self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f)


class Segment(NamedTuple):
    """One piece of a contour: `M` and `L` with one point, `C` with three."""

    command: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A filled shape.

    Attributes:
        contours: closed contours that don't cross each other; a hole is a contour inside another.
    """

    contours: tuple[tuple[Segment, ...], ...]

    @classmethod
    def polygon(cls, corners: list[Point]) -> "Outline":
        """Builds a shape with straight sides."""
        lines = (Segment("L", (corner,)) for corner in corners[1:])
        return cls(((Segment("M", (corners[0],)), *lines),))

    def svg_path(self) -> str:
        """Returns the data of an SVG path."""
        return "".join(
            "".join(s.command + " ".join(f"{x:.3f} {y:.3f}" for x, y in s.points) for s in contour) + "Z"
            for contour in self.contours
        )

    def polygons(self, scale: float) -> Iterator[tuple[list[Point], bool]]:
        """Yields scaled polygons in the order to paint them, each with whether it is filled or a hole.

        Painted from the largest to the smallest, a part that stands in a hole is painted after the hole.
        """
        flat = [_flatten(contour, scale) for contour in self.contours]
        ranked = sorted(((_area(points), points) for points in flat), key=lambda pair: -abs(pair[0]))
        for area, points in ranked:
            yield points, (area > 0) == (ranked[0][0] > 0)


def move(outline: Outline, matrix: Transform) -> Outline:
    """Returns ``outline`` mapped by ``matrix``."""
    return Outline(
        tuple(
            tuple(Segment(s.command, tuple(matrix.apply(point) for point in s.points)) for s in contour)
            for contour in outline.contours
        )
    )


def _flatten(contour: tuple[Segment, ...], scale: float) -> list[Point]:
    points: list[Point] = []
    for segment in contour:
        if segment.command == "C":
            points.extend(_chords(points[-1], *((x * scale, y * scale) for x, y in segment.points)))
        else:
            points.extend((x * scale, y * scale) for x, y in segment.points)
    return points


def _chords(start: Point, one: Point, two: Point, end: Point) -> Iterator[Point]:
    for step in range(1, _CHORDS + 1):
        t = step / _CHORDS
        u = 1 - t
        weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
        corners = (start, one, two, end)
        yield (
            sum(w * point[0] for w, point in zip(weights, corners, strict=True)),
            sum(w * point[1] for w, point in zip(weights, corners, strict=True)),
        )


def _area(points: list[Point]) -> float:
    """Twice the signed area; its sign tells which way round the contour runs."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise([*points, points[0]]))


@lru_cache(maxsize=2048)
def glyph(character: str) -> Outline | None:
    """Returns the outline of ``character`` in em units around the middle of its body, y up; None without a glyph."""
    face = noto_sans_sc()
    number = face.glyph_of(character)
    if number is None:
        return None
    pen = RecordingPen()
    width = face.draw(number, pen)
    em = face.units_per_em
    # The body of a CJK glyph is the em square from the descender to the ascender of OS/2.
    middle = (face.ascender + face.descender) / 2
    to_em = Transform(1 / em, 0, 0, 1 / em, -width / 2 / em, -middle / em)
    return move(Outline(tuple(_contours(pen.value))), to_em)


def _contours(recording: list[tuple[str, tuple[Point, ...]]]) -> Iterator[tuple[Segment, ...]]:
    commands = {"moveTo": "M", "lineTo": "L", "curveTo": "C"}
    contour: list[Segment] = []
    for operation, points in recording:
        if operation in commands:
            contour.append(Segment(commands[operation], tuple(points)))
        elif contour:
            yield tuple(contour)
            contour = []
