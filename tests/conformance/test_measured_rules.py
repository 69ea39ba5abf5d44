"""What decides purely is measured: one list for the imports that rules may have, for mutants, and for coverage."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
PATTERNS: list[str] = PROJECT["mutmut"]["only_mutate"]


def pure() -> set[Path]:
    """The files that import-linter holds to be pure."""
    (contract,) = (
        each for each in PROJECT["importlinter"]["contracts"] if each["name"].startswith("Rules decide purely")
    )
    return found(f"{module.replace('.', '/')}.py" for module in contract["source_modules"])


def found(patterns: Iterable[str]) -> set[Path]:
    """The files of ``patterns``, where an asterisk stands for no slash: that is how coverage reads them."""
    return {file for pattern in patterns for file in ROOT.glob(pattern)}


def test_every_pattern_finds_files() -> None:
    assert [pattern for pattern in PATTERNS if not found([pattern])] == []


def test_every_rule_is_measured_and_what_is_measured_in_services_is_pure() -> None:
    measured = found(PATTERNS)
    assert pure() - measured == set()
    assert {file for file in measured if file.is_relative_to(ROOT / "services")} - pure() == set()
