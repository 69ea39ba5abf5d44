"""Whether two accounts may become one (账户合并). It is not undone, so what speaks against it refuses it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs import names
from libs.errors import FailedPrecondition, reasons, state_conflict
from libs.ids.documents import CITIZEN_ID

MOST_DOCUMENTS = 10
"""So many documents an account has at most (as in the contract)."""
MOST_MERGED = 5
"""So many accounts one account takes in at most: every token of the person says their names."""
LEAST_ASSURANCE = 2
"""An account lives on only where the name of its owner is proven."""


class PersonMergeState(StrEnum):
    """Where a merge stands (PersonMergeState of the contract)."""

    REQUESTED = "REQUESTED"
    DONE = "DONE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class PersonMerge:
    """That the account ``merged`` is taken in by the account ``kept``, both ids; ``evidence`` names files.

    ``backers`` are the human beings who stand behind it.
    """

    id: str
    kept: str
    merged: str
    evidence: tuple[str, ...]
    backers: tuple[str, ...]
    create_time: datetime
    update_time: datetime
    state: PersonMergeState = PersonMergeState.REQUESTED
    finish_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"personMerges/{self.id}"

    @property
    def kept_name(self) -> str:
        """The account that lives on, `persons/<uuid>`."""
        return f"persons/{self.kept}"

    @property
    def merged_name(self) -> str:
        """The account that is taken in, `persons/<uuid>`."""
        return f"persons/{self.merged}"

    def check_waits(self) -> None:
        """Raises FailedPrecondition STATE_CONFLICT unless it waits."""
        if self.state is not PersonMergeState.REQUESTED:
            raise state_conflict(self.name, self.state, PersonMergeState.REQUESTED)


@dataclass(frozen=True, slots=True)
class MergedAccount:
    """One of the two accounts.

    Attributes:
        name: `persons/<uuid>`.
        full_name: in clear.
        assurance: its level.
        documents: types and blind indexes of what it holds.
        took_in: how many accounts it took in before.
        of_staff: whether a member of staff, of now or before, is this person.
    """

    name: str
    full_name: str
    assurance: int
    documents: frozenset[tuple[str, bytes]]
    took_in: int
    of_staff: bool


def check_two(kept: str, merged: str) -> None:
    """Raises FailedPrecondition PERSONS_NOT_MERGEABLE where both are one account."""
    if kept == merged:
        raise _refused(kept, merged, "same", "an account is not taken in by itself")


def check_mergeable(kept: MergedAccount, merged: MergedAccount) -> None:
    """Raises FailedPrecondition PERSONS_NOT_MERGEABLE where two accounts may not become one, with the first rule that they break."""
    held = kept.documents | merged.documents
    for rule, broken, told in (
        ("names", not names.same(kept.full_name, merged.full_name), "their names differ"),
        ("documents", _two_numbers(held), "a citizen has one identity number"),
        ("documents.most", len(held) > MOST_DOCUMENTS, f"an account has at most {MOST_DOCUMENTS} documents"),
        (
            "assurance",
            kept.assurance < max(merged.assurance, LEAST_ASSURANCE),
            "the account that is known better lives on",
        ),
        # Who did what in a case is compared by this name: the account of staff keeps it.
        ("staff", merged.of_staff, "the account of a member of staff lives on"),
        ("merged.most", kept.took_in + merged.took_in >= MOST_MERGED, f"takes in at most {MOST_MERGED} accounts"),
    ):
        if broken:
            raise _refused(kept.name, merged.name, rule, told)


def _two_numbers(held: Iterable[tuple[str, bytes]]) -> bool:
    """Numbers of passports and permits change; a citizen's own is given once (GB 11643)."""
    return len({index for kind, index in held if kind == CITIZEN_ID}) > 1


def _refused(kept: str, merged: str, rule: str, told: str) -> FailedPrecondition:
    return reasons.persons_not_mergeable(told, kept=kept, merged=merged, rule=rule)
