"""Whether a use of data stays within a grant."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from libs.errors import PermissionDenied, TongbanError, reasons
from services.sharing.core.granting import GrantFacts, GrantState, RowCondition, Usage, state_at


class UseMode(Enum):
    """The kinds of use."""

    READ = "read"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUse:
    """What somebody wants to do with a grant.

    ``department`` and ``region`` are those of the caller; a department of another region carries its prefix, as in the
    grant. ``fields`` are those wanted, in the order of the answer.
    """

    fields: tuple[str, ...]
    purpose_code: str
    department: str
    region: str
    case_name: str = ""
    mode: UseMode = UseMode.READ
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class GrantedUse:
    """The use is within the grant.

    Attributes:
        fields: those that may leave (or be compared), in the order asked.
        refused_fields: those that were left out because the caller allowed a partial answer.
        row_conditions: to be added to the query.
        row_limit: how many rows may leave at most, at least 1.
    """

    fields: tuple[str, ...]
    refused_fields: tuple[str, ...]
    row_conditions: tuple[RowCondition, ...]
    row_limit: int


@dataclass(frozen=True, slots=True)
class RefusedUse:
    """The use is not within the grant.

    Attributes:
        reasons: every reason, the one to be told first.
        refused_fields: the fields that the grant does not give.
    """

    reasons: tuple[TongbanError, ...]
    refused_fields: tuple[str, ...]


def choose(grants: Collection[GrantFacts], now: datetime) -> GrantFacts | None:
    """Picks, of a department's grants on a resource, the usable one that ends last, else whichever ends last.

    An unusable one is still picked, so that the refusal can say what is the matter with it. None where there is none.
    """
    return max(
        grants,
        key=lambda grant: (state_at(grant, now) is GrantState.ACTIVE, grant.terms.end, grant.name),
        default=None,
    )


def missing(resource: str, department: str) -> PermissionDenied:
    """Builds the error for a department without a grant."""
    return reasons.grant_missing(
        f"{department or 'the caller'} holds no grant on {resource}",
        resource=resource,
        department=department,
    )


def decide(grant: GrantFacts, use: DataUse, usage: Usage, now: datetime) -> GrantedUse | RefusedUse:
    """Decides whether a use stays within a grant.

    Args:
        grant: the grant.
        use: what is wanted.
        usage: what was used before this use.
        now: the moment of the use.

    Returns:
        What may leave, or every reason against it. Whose grant it is comes first: to others nothing else is told.
    """
    terms = grant.terms
    granted = terms.fields | terms.compare_fields if use.mode is UseMode.COMPARE else terms.fields
    allowed = tuple(field for field in use.fields if field in granted)
    refused = tuple(field for field in use.fields if field not in granted)
    if foreign := _foreign(grant, use):
        return RefusedUse((foreign,), refused)
    reasons = [*_untimely(grant, now), *_beyond_purpose(grant, use), *_exhausted(grant, usage)]
    if refused and not (use.allow_partial and allowed):
        reasons.append(_fields_refused(grant.name, refused))
    if reasons:
        return RefusedUse(tuple(reasons), refused)
    rows_left = terms.quota.rows_total - usage.rows_total
    return GrantedUse(allowed, refused, terms.row_conditions, min(terms.quota.rows_per_query, rows_left))


def require(decision: GrantedUse | RefusedUse) -> GrantedUse:
    """Returns the decision if it allows the use; raises its first reason if not."""
    if isinstance(decision, RefusedUse):
        raise decision.reasons[0]
    return decision


def _foreign(grant: GrantFacts, use: DataUse) -> PermissionDenied | None:
    if use.region == grant.terms.consumer_region and use.department in grant.terms.departments:
        return None
    return reasons.grant_department_mismatch(
        f"{grant.name} is not a grant to {use.department or 'this caller'}",
        grant=grant.name,
        department=use.department,
    )


def _untimely(grant: GrantFacts, now: datetime) -> Iterator[TongbanError]:
    state = state_at(grant, now)
    if state in (GrantState.PROVISIONED, GrantState.EXPIRED):
        start, end = grant.terms.start.isoformat(), grant.terms.end.isoformat()
        yield reasons.grant_out_of_period(
            f"{grant.name} holds from {start} until before {end}",
            grant=grant.name,
            start_time=start,
            end_time=end,
        )
    elif state is not GrantState.ACTIVE:
        yield reasons.grant_not_active(f"{grant.name} is {state.value}", grant=grant.name, state=state.value)


def _beyond_purpose(grant: GrantFacts, use: DataUse) -> Iterator[TongbanError]:
    if use.purpose_code != grant.terms.purpose_code:
        yield reasons.grant_purpose_mismatch(f"{grant.name} is for another purpose", grant=grant.name)
    if grant.terms.case_required and not use.case_name:
        yield reasons.case_required(f"{grant.name} asks for the case that is served", grant=grant.name)


def _exhausted(grant: GrantFacts, usage: Usage) -> Iterator[TongbanError]:
    quota = grant.terms.quota
    for bound, used, limit in (
        ("queries_per_day", usage.queries_today, quota.queries_per_day),
        ("rows_total", usage.rows_total, quota.rows_total),
    ):
        if used >= limit:
            yield reasons.grant_quota_exhausted(
                f"{grant.name} has used up {bound}",
                grant=grant.name,
                quota=bound,
                limit=str(limit),
            )


def _fields_refused(grant: str, refused: Sequence[str]) -> PermissionDenied:
    named = ",".join(refused)
    return reasons.field_not_granted(f"{grant} does not give {named}", grant=grant, fields=named)
