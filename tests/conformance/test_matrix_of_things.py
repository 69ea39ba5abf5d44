"""The matrix of things is whole: its columns are the callers who are asked, its lines those of RPCs that there are."""

import re

from tests.support import contracts
from tests.support.things import LETTERS, NOT_THERE, TABLE, TELLERS, of_nobody, rpcs_of, written

SERVICES = ("cases", "license", "seal", "sharing")
"""The services whose tests ask every line of theirs; identity's things are asked about by its own features' tests."""


def test_the_columns_are_the_callers() -> None:
    told = re.findall(r"^# *(\d+) (.+)$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert told == [(str(number), teller.name) for number, teller in enumerate(TELLERS, 1)]


def test_every_line_has_an_answer_for_every_caller() -> None:
    lines = {line: letters for service in SERVICES for line, letters in written(service).items()}
    assert {len(letters) for letters in lines.values()} == {len(TELLERS)}
    assert set("".join(lines.values())) <= {*LETTERS.values(), NOT_THERE}


def test_the_lines_are_those_of_rpcs_that_there_are() -> None:
    named = {line.split()[0] for service in contracts.OWNERS for line in written(service)}
    named |= {rpc for service in contracts.OWNERS for rpc in of_nobody(service)}
    assert named == {rpc for service in SERVICES for rpc in rpcs_of(service)}
