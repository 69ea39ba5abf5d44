"""The clone is all: no file of the repository names or reads what lies beside it, on this machine, or at a registry."""

import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_UPWARDS = re.compile(r"\bparents\[(\d+)\]")
# Written so that this file does not name them itself.
_WORDS = (
    *(rf"\.\./{name}\b" for name in ("shared",)),
    *(rf"(?<![\w.])/{name}/[\w.]" for name in ("work", "home", "root", "Users")),
    *(host.replace("_", r"\.") for host in ("pypi_org", "pythonhosted_org", "npmjs_org", "maven_org", "golang_org")),
)
# Go names its own modules so; these are names of packages, not addresses that anything is fetched from.
_MODULES = re.compile(r"^\s*(golang\.org/x/|google\.golang\.org/)\S+ v")


def tracked() -> list[Path]:
    """The files that git knows, and those that it would be told of."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    return [_ROOT / name for name in listed.split("\0") if name and (_ROOT / name).is_file()]


def outside(text: str) -> list[str]:
    """The lines that name something outside the clone."""
    found = re.compile("|".join(_WORDS))
    return [line for line in text.splitlines() if found.search(_MODULES.sub("", line))]


def climbs(file: Path, text: str) -> list[int]:
    """The steps up by which a file's own path leaves the repository."""
    depth = len(file.relative_to(_ROOT).parts) - 1
    return [int(steps) for steps in _UPWARDS.findall(text) if int(steps) > depth]


@pytest.mark.parametrize(
    ("glue", "parts"),
    [
        ("/", ("see ..", "shared", "x")),
        ("/", ("", "work", "x")),
        (".", ("https://pypi", "org")),
        ("/", ("", "root", ".m2")),
    ],
)
def test_what_is_outside_is_found(glue: str, parts: tuple[str, ...]) -> None:
    line = glue.join(parts)
    assert outside(f"before\n{line}\nafter") == [line]


def test_a_climb_out_of_the_repository_is_found() -> None:
    file = _ROOT / "tests" / "unit" / "seal" / "test_sample.py"
    assert climbs(file, f"Path(__file__).resolve().parents[{4}]") == [4]
    assert climbs(file, f"Path(__file__).resolve().parents[{3}]") == []


def test_no_file_names_or_reads_what_lies_outside() -> None:
    files = tracked()
    assert len(files) > 500
    found: dict[str, list[object]] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if bad := [*outside(text), *climbs(file, text)]:
            found[str(file.relative_to(_ROOT))] = bad
    assert found == {}
