"""Duties of posts, and which of them may not lie in one person's hands (受审分离, 三权分立)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from libs.errors import FailedPrecondition, invalid_field, reasons


class Duty(StrEnum):
    """What a post is there for (Duty of the contract)."""

    RECEIVING = "RECEIVING"
    REVIEWING = "REVIEWING"
    DECIDING = "DECIDING"
    SEAL_CUSTODY = "SEAL_CUSTODY"
    DATA = "DATA"
    ADMINISTRATION = "ADMINISTRATION"
    AUDITING = "AUDITING"
    SECURITY = "SECURITY"


def _pairs() -> frozenset[frozenset[Duty]]:
    receiving = {frozenset({Duty.RECEIVING, other}) for other in (Duty.REVIEWING, Duty.DECIDING)}
    seals = {frozenset({Duty.DECIDING, Duty.SEAL_CUSTODY})}
    # GB/T 22239-2019 level 3 asks for administration, security, audit and work in separate hands.
    alone = (Duty.ADMINISTRATION, Duty.SECURITY, Duty.AUDITING)
    apart = {frozenset({each, other}) for each in alone for other in Duty if other is not each}
    return frozenset(receiving | seals | apart)


EXCLUDING = _pairs()
"""The pairs of duties that exclude one another."""


APPROVING = frozenset({Duty.ADMINISTRATION, Duty.SECURITY})
"""Duties whose holders approve what takes two human beings."""

ABLING = APPROVING | {Duty.AUDITING, Duty.SEAL_CUSTODY}
"""Duties that take two human beings to give: who has them makes others able (clients, staff, regions, seals), or is the
only one who sees what they do. A conformance test compares them with the contracts."""


def makes_able(duties: Iterable[Duty]) -> bool:
    """Says whether a post with ``duties`` takes two human beings to give."""
    return not ABLING.isdisjoint(duties)


@dataclass(frozen=True, slots=True)
class Assignment:
    """That a member of staff holds a post.

    Attributes:
        post: `departments/<uuid>/posts/<uuid>`.
        duties: the post's duties.
        begin: from when on, inclusive.
        expire: until when, exclusive; None where it is not limited.
    """

    post: str
    duties: frozenset[Duty]
    begin: datetime
    expire: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        """Says whether the post is held at ``now``."""
        return self.begin <= now and (self.expire is None or now < self.expire)

    def overlaps(self, other: "Assignment") -> bool:
        """Says whether both posts are held at one time."""
        return (other.expire is None or self.begin < other.expire) and (
            self.expire is None or other.begin < self.expire
        )


def conflict(held: Iterable[Duty], wanted: Iterable[Duty]) -> tuple[Duty, Duty] | None:
    """Returns the first held and wanted duty that exclude one another, in the order of Duty, or None."""
    order = list(Duty)
    pairs = ((mine, other) for mine in sorted(held, key=order.index) for other in sorted(wanted, key=order.index))
    return next(((mine, other) for mine, other in pairs if frozenset({mine, other}) in EXCLUDING), None)


def _refuse(pair: tuple[Duty, Duty]) -> FailedPrecondition:
    held, wanted = pair
    return reasons.duties_conflict(f"{held} and {wanted} exclude one another", held=held, wanted=wanted)


def check_post(duties: Iterable[Duty]) -> None:
    """Raises FailedPrecondition DUTIES_CONFLICT where the duties of one post exclude one another."""
    for pair in combinations(sorted(duties, key=list(Duty).index), 2):
        if frozenset(pair) in EXCLUDING:
            raise _refuse(pair)


def check_assignment(held: Iterable[Assignment], wanted: Assignment) -> None:
    """Checks that a member of staff may be given a post beside those that they hold, or will hold, in its time.

    Args:
        held: the posts that they hold under all of their records; those held at another time don't count.
        wanted: the post to be given.

    Raises:
        InvalidArgument: FIELD_INVALID where it ends before it begins.
        FailedPrecondition: DUTIES_CONFLICT.
    """
    if wanted.expire is not None and wanted.expire <= wanted.begin:
        raise invalid_field("end_time", "term.order", "must be later than start_time")
    for other in held:
        pair = conflict(other.duties, wanted.duties) if other.overlaps(wanted) else None
        if pair is not None:
            raise _refuse(pair)


def duties_at(held: Iterable[Assignment], now: datetime) -> frozenset[Duty]:
    """Returns the duties that somebody with these posts has at ``now``."""
    return frozenset(duty for assignment in held if assignment.holds_at(now) for duty in assignment.duties)
