"""Good and bad ratings (好差评): five levels, one rating per case and one follow-up."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from libs.errors import reasons, state_conflict
from services.cases.core.states import CaseState


class Satisfaction(StrEnum):
    """How satisfied, by name; the two numberings in use outside stand in ``ratings.satisfaction``."""

    VERY_SATISFIED = "VERY_SATISFIED"
    SATISFIED = "SATISFIED"
    BASICALLY_SATISFIED = "BASICALLY_SATISFIED"
    DISSATISFIED = "DISSATISFIED"
    VERY_DISSATISFIED = "VERY_DISSATISFIED"

    @property
    def is_bad(self) -> bool:
        """True for 不满意 and 非常不满意; 基本满意 counts as good."""
        return self in (Satisfaction.DISSATISFIED, Satisfaction.VERY_DISSATISFIED)


class RatingKind(StrEnum):
    """First (assessNumber 1) or follow-up (追评, assessNumber 2)."""

    FIRST = "FIRST"
    FOLLOW_UP = "FOLLOW_UP"


@dataclass(frozen=True, slots=True)
class GivenRating:
    """One rating; ``is_default`` where the system set it because nobody did."""

    kind: RatingKind
    level: Satisfaction
    is_default: bool = False

    @property
    def is_effective(self) -> bool:
        """Whether it counts; a default rating doesn't."""
        return not self.is_default


RATABLE = (CaseState.NOT_ACCEPTED, CaseState.CLOSED, CaseState.DELIVERED, CaseState.TERMINATED)
"""The states in which a case can be rated: the department has said its last word."""


def check_new(case: str, state: CaseState, existing: Collection[RatingKind], kind: RatingKind) -> None:
    """Refuses a rating that can't be given.

    Raises:
        FailedPrecondition: ``STATE_CONFLICT`` before the case's end, ``RATING_FIRST_MISSING``.
        AlreadyExists: ``RATING_EXISTS``.
    """
    if state not in RATABLE:
        raise state_conflict(case, state, *RATABLE)
    if kind in existing:
        raise reasons.rating_exists(f"{case} has a {kind} rating", case=case)
    if kind is RatingKind.FOLLOW_UP and RatingKind.FIRST not in existing:
        raise reasons.rating_first_missing(f"{case} has no rating to follow up on", case=case)


def effective_level(ratings: Iterable[GivenRating]) -> Satisfaction | None:
    """Returns the level that statistics count: the first rating's, if effective. No follow-up replaces it."""
    for rating in ratings:
        if rating.kind is RatingKind.FIRST and rating.is_effective:
            return rating.level
    return None
