"""The vector QR code covers the same modules as segno's matrix."""

import segno

from libs.documents.drawing import Box
from libs.documents.qr import qr_path, qr_runs

TEXT = "https://region.example/v/1.2.156.3005.2.TEST.001.5"


def test_runs_are_the_dark_modules() -> None:
    matrix = segno.make(TEXT, error="m", micro=False, mask=2, boost_error=False).matrix
    count, runs = qr_runs(TEXT)
    dark = {(row, column) for row, start, end in runs for column in range(start, end)}
    assert count == len(matrix)
    assert dark == {(y, x) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}


def test_path_keeps_within_its_box() -> None:
    path = qr_path(TEXT, Box(30, 140, 30, 30))
    xs = [points[0] for _, points in path.segments]
    ys = [points[1] for _, points in path.segments]
    assert min(xs) == 30 and max(xs) <= 60.0001
    assert min(ys) > 140 and max(ys) < 170
    assert 30 / qr_runs(TEXT)[0] < path.line_width < 30 / qr_runs(TEXT)[0] * 1.05
