"""One finding a rule: the rules are those that decide when somebody calls; here each is asked by itself, and none stops the next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from libs.errors import FailedPrecondition, NotFound, PermissionDenied, TongbanError, Unauthenticated
from libs.rpc.messages import Names
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import access_service_pb2 as pb

_REASONS = Names(error_reason_pb2.ErrorReason)
Fact = TypeVar("Fact")
REFUSALS = (FailedPrecondition, NotFound, PermissionDenied, Unauthenticated)
"""What somebody is refused with. That something can't be found out now (Unavailable) is no finding about anybody."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of the rules so far, in the order in which they were asked."""

    all: list[pb.AccessFinding] = field(default_factory=list)

    @property
    def outcome(self) -> pb.AccessOutcome.ValueType:
        """What came of all of them."""
        against = any(not each.fulfilled for each in self.all)
        return pb.ACCESS_OUTCOME_REFUSED if against else pb.ACCESS_OUTCOME_POSSIBLE

    def ask(
        self,
        rule: pb.AccessRule.ValueType,
        check: Callable[[], Fact],
        *,
        required: str = "",
        actual: str = "",
        sources: Iterable[str] = (),
    ) -> Fact | None:
        """Asks a rule that raises what a call would be refused with; returns what it gives, None where it refuses."""
        try:
            given = check()
        except REFUSALS as error:
            self.refused(rule, error, required=required, actual=actual)
            return None
        self.holds(rule, required=required, actual=actual, sources=sources)
        return given

    def holds(
        self, rule: pb.AccessRule.ValueType, *, required: str = "", actual: str = "", sources: Iterable[str] = ()
    ) -> None:
        """Adds that a rule holds."""
        found = pb.AccessFinding(rule=rule, fulfilled=True, required=required, actual=actual, sources=sources)
        self.all.append(found)

    def refused(
        self, rule: pb.AccessRule.ValueType, error: TongbanError, *, required: str = "", actual: str = ""
    ) -> None:
        """Adds that a rule does not hold, and what a call would be refused with."""
        reason = _REASONS.number(error.reason)
        self.all.append(pb.AccessFinding(rule=rule, reason=reason, required=required, actual=actual))
