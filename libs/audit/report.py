"""What an offline verification tells: numbered steps with their outcomes, never one bare truth value."""

from dataclasses import dataclass
from enum import Enum

from libs.audit.records import Record


class Outcome(Enum):
    """How a step ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    NOT_DONE = "NOT_DONE"
    UNKNOWN_VERSION = "UNKNOWN_VERSION"


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of a verification.

    Attributes:
        number: from 1.
        name: what is checked.
        clause: where that is laid down.
        outcome: how it ended; NOT_DONE where an earlier failure left nothing to check, UNKNOWN_VERSION where a later
            release made what this program can't read: nothing is wrong with it as far as can be told.
        detail: what was found, in one line.
    """

    number: int
    name: str
    clause: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification.

    Attributes:
        steps: in order.
        record: the record that a receipt proves, where it could be read.
        first_difference: the index of the first record of a log copy that is not the signed log's, if it can be told.
    """

    steps: tuple[Step, ...]
    record: Record | None = None
    first_difference: int | None = None

    @property
    def valid(self) -> bool:
        """Whether every step passed."""
        return all(step.outcome is Outcome.PASSED for step in self.steps)

    @property
    def unknown(self) -> bool:
        """Whether nothing failed, and something is of a version that this program does not know."""
        outcomes = {step.outcome for step in self.steps}
        return Outcome.UNKNOWN_VERSION in outcomes and outcomes <= {Outcome.PASSED, Outcome.UNKNOWN_VERSION}
