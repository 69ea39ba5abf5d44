"""The one family of errors. Standard library only, so that a service's domain may raise them.

An error names a *reason* of ``tongban.common.v1.ErrorReason`` (without its prefix). ``libs.rpc.status`` maps it to
google.rpc.Status once, and back again at the client, so that an error keeps its meaning over hops (AIP-193).
"""

from dataclasses import dataclass
from enum import Enum


class Code(Enum):
    """The canonical gRPC codes that Tongban uses, with their numbers."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks one rule (google.rpc.BadRequest.FieldViolation)."""

    field: str
    rule: str
    description: str


class TongbanError(Exception):
    """The root of the family.

    Attributes:
        reason: a value of ErrorReason without its prefix, such as ``STATE_CONFLICT``.
        message: one English sentence for developers; must not hold personal data.
        metadata: what the reason's documentation promises; no personal data.
        violations: the fields that break rules.
        retry_after: seconds after which a retry makes sense, or None.
    """

    code: Code

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: tuple[Violation, ...] = (),
        retry_after: float | None = None,
        **metadata: str,
    ) -> None:
        broken = "".join(f"; {violation.field}: {violation.rule}" for violation in violations)
        super().__init__(f"{reason}: {message}{broken}")
        self.reason = reason
        self.message = message
        self.violations = violations
        self.retry_after = retry_after
        self.metadata = metadata


class InvalidArgument(TongbanError):
    """The request can't be right, whatever the state."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(TongbanError):
    """There was not enough time."""

    code = Code.DEADLINE_EXCEEDED


class NotFound(TongbanError):
    """There is no such resource, or the caller may not know of it."""

    code = Code.NOT_FOUND


class AlreadyExists(TongbanError):
    """The natural key is taken."""

    code = Code.ALREADY_EXISTS


class PermissionDenied(TongbanError):
    """The caller is known and may not do this."""

    code = Code.PERMISSION_DENIED


class ResourceExhausted(TongbanError):
    """A quota or a size limit is reached."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPrecondition(TongbanError):
    """The resource's state does not allow this; the caller must change something first."""

    code = Code.FAILED_PRECONDITION


class Aborted(TongbanError):
    """Somebody else was faster: read again and retry."""

    code = Code.ABORTED


class Internal(TongbanError):
    """A fault of ours."""

    code = Code.INTERNAL


class Unavailable(TongbanError):
    """A part does not answer; the same call may succeed later."""

    code = Code.UNAVAILABLE


class Unauthenticated(TongbanError):
    """The caller is not known."""

    code = Code.UNAUTHENTICATED


_BY_CODE: dict[Code, type[TongbanError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        DeadlineExceeded,
        NotFound,
        AlreadyExists,
        PermissionDenied,
        ResourceExhausted,
        FailedPrecondition,
        Aborted,
        Internal,
        Unavailable,
        Unauthenticated,
    )
}


def error_class(code: Code) -> type[TongbanError]:
    """Returns the class of the family that carries ``code``."""
    return _BY_CODE[code]


def invalid_field(field: str, rule: str, description: str) -> InvalidArgument:
    """Builds the error for one field that breaks a rule that the contract can't state itself."""
    return InvalidArgument(
        "FIELD_INVALID", f"{field}: {description}", violations=(Violation(field, rule, description),)
    )


def not_found(resource: str) -> NotFound:
    """Builds the error for a resource that does not exist (or that the caller may not know of)."""
    return NotFound("RESOURCE_NOT_FOUND", f"{resource} does not exist", resource=resource)


def state_conflict(resource: str, state: str, *allowed: str) -> FailedPrecondition:
    """Builds the error for a change that the resource's state does not allow."""
    wanted = ", ".join(allowed)
    return FailedPrecondition(
        "STATE_CONFLICT",
        f"{resource} is {state}; this needs {wanted}",
        resource=resource,
        state=state,
        allowed=",".join(allowed),
    )
