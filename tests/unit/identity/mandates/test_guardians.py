"""Guardians: of whom, by whom, until when, and that two stand behind one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from libs.errors import TongbanError
from services.identity.core.mandate_rules import MandateKind, MandateState, accept, revoke
from services.identity.mandates.rules import approve_guardian, of_age, request_guardian
from tests.unit.identity.records import mandate

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
WARD, PARENT, FIRST, SECOND = "persons/ward", "persons/parent", "persons/first", "persons/second"
DRAFT = mandate(
    principal=WARD,
    agent=PARENT,
    all_items=True,
    granter="",
    evidence="materials/1",
    expire_time=NOW + timedelta(days=365),
)
CHILD, ADULT = date(2014, 6, 4), date(1980, 1, 1)
"""Ten on the next day, and forty-four."""
COMES_OF_AGE = datetime(2032, 6, 4, tzinfo=CHINA)
WAITS = replace(request_guardian(DRAFT, CHILD, ADULT, NOW), witnesses=("staff/1",), backers=(FIRST,))


def refused(act: Callable[[], object]) -> str:
    """The reason, with the rule of the field where it is one."""
    with pytest.raises(TongbanError) as caught:
        act()
    return " ".join([caught.value.reason, *(each.rule for each in caught.value.violations)])


@pytest.mark.parametrize(
    ("born", "adult"),
    [
        (date(2014, 6, 4), date(2032, 6, 4)),
        (date(2008, 2, 29), date(2026, 2, 28)),  # no such day in 2026: the last of the month (民法典 202)
        (date(2002, 2, 29 - 1), date(2020, 2, 28)),
        (date(2006, 12, 31), date(2024, 12, 31)),
    ],
)
def test_whoever_is_eighteen_is_an_adult(born: date, adult: date) -> None:
    assert of_age(born) == adult


def test_a_guardian_is_recorded_and_waits() -> None:
    assert (WAITS.state, WAITS.kind, WAITS.accept_time) == (MandateState.REQUESTED, MandateKind.GUARDIAN, None)
    # By nobody but a second member of staff does it come to hold.
    assert refused(lambda: accept(WAITS, PARENT, NOW)) == "STATE_CONFLICT"


def test_a_minors_ends_when_they_come_of_age_and_not_a_moment_later() -> None:
    until = replace(DRAFT, expire_time=COMES_OF_AGE)
    assert request_guardian(until, CHILD, ADULT, NOW).expire_time == COMES_OF_AGE  # eight years: longer than others may
    late = replace(DRAFT, expire_time=COMES_OF_AGE + timedelta(microseconds=1))
    assert refused(lambda: request_guardian(late, CHILD, ADULT, NOW)) == "FIELD_INVALID guardian.of_age"


@pytest.mark.parametrize("born", [ADULT, None])
def test_others_ends_after_five_years_at_most(born: date | None) -> None:
    five = timedelta(days=5 * 366)
    request_guardian(replace(DRAFT, expire_time=NOW + five), born, ADULT, NOW)
    longer = replace(DRAFT, expire_time=NOW + five + timedelta(seconds=1))
    assert refused(lambda: request_guardian(longer, born, ADULT, NOW)) == "FIELD_INVALID term.length"


def test_who_comes_of_age_today_is_no_minor() -> None:
    today = date(2006, 6, 3)
    request_guardian(DRAFT, today, ADULT, NOW)
    request_guardian(replace(DRAFT, principal=FIRST), ADULT, today, NOW)
    assert refused(lambda: request_guardian(DRAFT, CHILD, date(2006, 6, 4), NOW)) == "FIELD_INVALID guardian.adult"
    # In China it is the next day already at four in the afternoon of UTC.
    evening = NOW.replace(hour=16)
    request_guardian(DRAFT, CHILD, date(2006, 6, 4), evening)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"principal": "organizations/firm"}, "guardian.ward"),
    ({"principal": PARENT}, "mandate.self"),
    ({"evidence": ""}, "required"),
    ({"parent": "mandates/1"}, "guardian.own"),
    ({"sub_delegable": True}, "guardian.own"),
    ({"acceptance_required": True}, "guardian.acceptance"),
    ({"expire_time": NOW}, "term.order"),
    ({"item_codes": ("A",)}, "mandate.items"),
]


@pytest.mark.parametrize(("change", "rule"), BAD)
def test_what_is_no_guardianship_is_refused(change: dict[str, Any], rule: str) -> None:
    draft = replace(DRAFT, **change)
    assert refused(lambda: request_guardian(draft, CHILD, ADULT, NOW)) == f"FIELD_INVALID {rule}"


def test_a_second_human_being_approves() -> None:
    assert refused(lambda: approve_guardian(WAITS, FIRST, "staff/2", NOW)) == "ACTING_ON_SELF"
    assert refused(lambda: approve_guardian(WAITS, "", "staff/2", NOW)) == "ACTOR_NOT_ALLOWED"
    held = approve_guardian(WAITS, SECOND, "staff/2", NOW)
    assert (held.state, held.accept_time) == (MandateState.ACTIVE, NOW)
    assert (held.backers, held.witnesses) == ((FIRST, SECOND), ("staff/1", "staff/2"))
    assert refused(lambda: approve_guardian(held, "persons/third", "staff/3", NOW)) == "STATE_CONFLICT"


def test_what_waits_is_ended_and_ends_by_itself() -> None:
    ended = revoke(WAITS, "错误", NOW)
    assert refused(lambda: approve_guardian(ended, SECOND, "staff/2", NOW)) == "STATE_CONFLICT"
    assert refused(lambda: approve_guardian(WAITS, SECOND, "staff/2", WAITS.expire_time)) == "STATE_CONFLICT"
