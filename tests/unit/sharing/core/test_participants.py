"""On which side of a request or grant a caller stands: what a list leaves out is what a single reading hides."""

from dataclasses import dataclass
from itertools import product

import pytest

from libs.access.actor import Actor
from services.sharing.core.participants import Participant, participant

HOME, OTHER = "341500", "320402"
MINE, YOURS = "departments/00000000-0000-7000-8000-00000000000a", "departments/00000000-0000-7000-8000-00000000000b"
ABROAD = f"//{OTHER}/departments/00000000-0000-7000-8000-00000000000c"
STAFF = "staff/00000000-0000-7000-8000-000000000001"


@dataclass(frozen=True)
class Row:
    """A request or grant; departments of another region bear its prefix, as the terms' rules have it."""

    provider_department: str
    consumer_region: str
    departments: tuple[str, ...]


ROWS = [
    Row(provider, region, departments)
    for provider in (MINE, YOURS)
    for region, departments in ((HOME, (MINE,)), (HOME, (MINE, YOURS)), (OTHER, (ABROAD,)))
]
CALLERS = {
    "staff": Actor(STAFF, "STAFF", frozenset(), department=MINE, human="persons/00000000-0000-7000-8000-000000000001"),
    "auditor": Actor(STAFF, "STAFF", frozenset({"audit.*"}), department=YOURS),
    "client of a department": Actor("clients/desk", "CLIENT", frozenset(), department=MINE),
    "client of none": Actor("clients/desk", "CLIENT", frozenset()),
    "our service": Actor("services/cases", "SERVICE", frozenset()),
    "staff abroad": Actor(f"//{OTHER}/{STAFF}", "REGION", frozenset({"audit.*"}), department=ABROAD, region=OTHER),
    "service abroad": Actor(f"//{OTHER}/services/sharing", "REGION", frozenset(), region=OTHER),
    "a third region": Actor("//110000/services/sharing", "REGION", frozenset(), region="110000"),
    "a person": Actor("persons/00000000-0000-7000-8000-000000000001", "PERSON", frozenset({"*"})),
    "nobody": Actor("nobody", "STAFF", frozenset({"*"}), department=MINE),
}


def is_listed(caller: Participant, row: Row) -> bool:
    """What a list of these scopes shows: what fits one of them."""
    return any(all(_holds(row, *held) for held in scope.items()) for scope in caller.seen())


def _holds(row: Row, column: str, value: str) -> bool:
    held = getattr(row, column)
    return value in held if isinstance(held, tuple) else bool(value == held)


@pytest.mark.parametrize(("name", "row"), list(product(CALLERS, ROWS)))
def test_a_list_shows_what_a_reading_shows(name: str, row: Row) -> None:
    caller = participant(CALLERS[name], HOME)
    assert is_listed(caller, row) == caller.sees(row)


def test_each_caller_sees_their_side() -> None:
    seen = {name: sum(participant(actor, HOME).sees(row) for row in ROWS) for name, actor in CALLERS.items()}
    everything = len(ROWS)
    assert seen == {
        "staff": 5,
        "auditor": everything,
        "client of a department": 5,
        "client of none": everything,
        "our service": everything,
        "staff abroad": 2,
        "service abroad": 2,
        "a third region": 0,
        "a person": 0,
        "nobody": 0,
    }
