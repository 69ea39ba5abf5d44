"""The rules of docs/api-style.md that a program can hold: each by its name there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import style_calls as calls
from tests.conformance import style_ground
from tests.conformance import style_resources as resources
from tests.conformance.style_not_yet import NOT_YET
from tests.support import presence

_GUIDE = Path("docs/api-style.md")
_HELD = re.compile(r"^- \*\*(\w+)\*\* ● (.*?)(?=^- |^## |\Z)", re.DOTALL | re.MULTILINE)
RULES: dict[str, Callable[[], style_ground.Found]] = {
    "N2": resources.times_and_dates,
    "N3": resources.references,
    "N4": resources.bools,
    "N5": resources.verbs,
    "R2": resources.names_first,
    "R3": resources.behaviors,
    "R4": resources.states,
    "R5": resources.etags,
    "R6": presence.required_or_zero,
    "S1": resources.gets,
    "S2": resources.lists,
    "S3": resources.creates,
    "S4": resources.updates,
    "S5": resources.answers,
    "C1": calls.custom_verbs,
    "C2": calls.given_etags,
    "C3": calls.request_ids,
    "X1": calls.contexts,
    "X2": calls.contexts_in_urls,
    "P1": calls.periods,
    "D1": calls.digests,
    "Y1": calls.parties,
    "W1": calls.values,
    "G1": calls.regions,
    "V3": calls.public_events,
    "V4": calls.cursors,
    "L1": calls.page_fields,
    "L3": calls.filters,
    "O1": calls.operations,
    "O2": calls.exchanges,
    "O3": calls.streamed,
    "U1": calls.files_uploaded_before,
    "Z2": calls.deprecated,
}


def _texts() -> dict[str, str]:
    return {rule: " ".join(text.split()) for rule, text in _HELD.findall(_GUIDE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("rule", RULES)
def test_the_contracts_keep_the_rule(rule: str) -> None:
    """What is new breaks no rule; what is listed as not kept yet and is kept now leaves the list."""
    found = {each.removeprefix("tongban.") for each in RULES[rule]()}
    known = {which: {each for each in found if re.fullmatch(which, each)} for which in NOT_YET.get(rule, {})}
    said = f"docs/api-style.md {rule}: {_texts()[rule]}"
    assert sorted(found.difference(*known.values())) == [], said
    done = [which for which, matched in known.items() if not matched]
    assert done == [], f"kept now, take it off tests/conformance/style_not_yet.py. {said}"


def test_the_guide_marks_what_is_held() -> None:
    assert list(_texts()) == list(RULES)


def test_what_is_not_kept_yet_says_what_brings_it() -> None:
    assert NOT_YET.keys() <= RULES.keys()
    assert [why for known in NOT_YET.values() for why in known.values() if not re.match(r"A\d+", why)] == []
