"""Every row of docs/validation.md is what a validation says."""

import re
from pathlib import Path

import pytest

from services.seal.validation.documents import validate_document
from services.seal.validation.rules import StepOutcome
from tests.support import readings_failed
from tests.support.foreign_seal import parties
from tests.support.readings import Desk
from tests.support.seals import SealKit

CASES = readings_failed.CASES
_TABLE = Path(__file__).parents[4] / "docs" / "validation.md"
_ROW = re.compile(r"\| ([a-z0-9-]+) \| [^|]+ \| ([a-z_.]+) \| ([A-Z_]+) \| ([A-Z_]*) ?\| ([A-Z_]+) \|")
_LINES = _TABLE.read_text("utf-8").partition("## What openssl reads and we do not")[0].splitlines()
"""What follows is the table of tests/unit/crypto/test_odd_certificates.py."""
ROWS = {row[1]: row.groups()[1:] for row in map(_ROW.fullmatch, _LINES) if row}


@pytest.fixture(scope="module")
def desk(kit: SealKit, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("makers")
    return Desk(kit, parties(folder), folder)


def test_every_row_has_its_case() -> None:
    lines = [line for line in _LINES if re.match(r"\| [a-z]", line)]
    assert len(lines) == len(ROWS)
    assert set(ROWS) == set(CASES)


@pytest.mark.parametrize("name", ROWS)
def test_a_row(desk: Desk, name: str) -> None:
    step_name, outcome, sub_indication, conclusion = ROWS[name]
    document, checks = CASES[name](desk)
    report = validate_document(document, checks)
    steps = {step.name: step.finding for step in report.steps}
    assert steps[step_name].outcome == outcome, report.steps
    assert (steps[step_name].sub_indication or "") == sub_indication
    assert report.verdict.conclusion == conclusion, report.steps
    if outcome == StepOutcome.PASSED:
        assert all(step.outcome in (StepOutcome.PASSED, StepOutcome.NOT_APPLICABLE) for step in steps.values())


READ = ("odd-certificate", "digest-list", "version-5", "white-space")
"""What the standards themselves allow."""


@pytest.mark.parametrize("name", [each for each in ROWS if ROWS[each][1] == StepOutcome.PASSED and each not in READ])
def test_what_is_tolerated_is_named(desk: Desk, name: str) -> None:
    document, checks = CASES[name](desk)
    report = validate_document(document, checks)
    assert any("tolerated" in step.finding.evidence for step in report.steps)
