"""No file of code or of tests grows past what one subject takes (CONTRIBUTING.md, rules of the code)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

_MOST = 400
_ROOTS = ("deploy", "libs", "proto", "services", "tests")
_MADE = "by ``./run proto``"
"""What is made says so in its first line."""


def _files(root: Path) -> Iterator[Path]:
    """The files that somebody writes."""
    for file in sorted(root.rglob("*.py")):
        if "gen" not in file.relative_to(root).parts and "node_modules" not in file.parts:
            yield file


def _too_long(file: Path) -> bool:
    lines = file.read_text(encoding="utf-8").splitlines()
    return len(lines) > _MOST and _MADE not in lines[0]


@pytest.mark.parametrize("root", _ROOTS)
def test_a_file_has_one_subject_and_at_most_four_hundred_lines(root: str) -> None:
    files = list(_files(Path(root)))
    assert files
    assert [str(file) for file in files if _too_long(file)] == []


def test_what_counts_as_too_long(tmp_path: Path) -> None:
    made, long, just = (tmp_path / name for name in ("made.py", "long.py", "just.py"))
    made.write_text(f'"""Made from the contract {_MADE}: not edited."""\n' + "\n" * _MOST, encoding="utf-8")
    long.write_text("\n" * (_MOST + 1), encoding="utf-8")
    just.write_text("\n" * _MOST, encoding="utf-8")
    assert [file.name for file in _files(tmp_path) if _too_long(file)] == ["long.py"]
