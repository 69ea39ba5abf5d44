"""Grants: their terms, what they are worth at a moment, and what was used of them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, IntEnum

from services.sharing.core.catalogue import Value


class GrantState(Enum):
    """The states of a grant, as rows name them."""

    GRANTED = "GRANTED"
    PROVISIONED = "PROVISIONED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    TERMINATED = "TERMINATED"


class RowOperator(IntEnum):
    """How a row condition holds a field against its values."""

    IN = 1
    PREFIX = 2
    AT_LEAST = 3
    AT_MOST = 4


@dataclass(frozen=True, slots=True)
class RowCondition:
    """A condition that the grant adds to every query."""

    field: str
    operator: RowOperator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bounds of use: queries a day, rows a query, rows over the grant's life."""

    queries_per_day: int
    rows_per_query: int
    rows_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who may use what, for what, how long and how much. The period is half-open, ``end`` is outside it."""

    consumer_region: str
    departments: frozenset[str]
    fields: frozenset[str]
    compare_fields: frozenset[str] = frozenset()
    row_conditions: tuple[RowCondition, ...] = ()
    purpose_code: str
    case_required: bool = False
    start: datetime
    end: datetime
    quota: Quota


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """A grant as rules know it; :func:`state_at` says what it is worth at a moment."""

    name: str
    state: GrantState
    terms: Terms


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used so far: queries on this day, rows since the grant began."""

    queries_today: int = 0
    rows_total: int = 0


def same_day(counted: date, today: date) -> bool:
    """Tells whether what was counted on a day counts on ``today``: the day itself, and the next where the clock stepped back."""
    return 0 <= (counted - today).days <= 1


def state_at(grant: GrantFacts, now: datetime) -> GrantState:
    """Returns the state of a grant at ``now``: beginning and end of the period need nobody to set them."""
    if grant.state not in (GrantState.GRANTED, GrantState.PROVISIONED, GrantState.ACTIVE):
        return grant.state
    if now >= grant.terms.end:
        return GrantState.EXPIRED
    if grant.state is GrantState.GRANTED:
        return GrantState.GRANTED
    return GrantState.ACTIVE if now >= grant.terms.start else GrantState.PROVISIONED


def initial_state(*, mounted: bool) -> GrantState:
    """Returns the state of a new grant: it is supplied at once where the resource's mount is active."""
    return GrantState.PROVISIONED if mounted else GrantState.GRANTED
