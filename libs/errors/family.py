"""The classes of the family, one a canonical gRPC code."""

from dataclasses import dataclass
from enum import Enum
from typing import Self


class Code(Enum):
    """The canonical gRPC codes that Tongban uses, with their numbers."""

    CANCELLED = 1
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

    @property
    def http(self) -> int:
        """The HTTP status at the JSON edge (google.rpc.Code)."""
        return _HTTP[self]


_HTTP = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}


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

    def about(self, *violations: Violation) -> Self:
        """Returns the same refusal, told of other fields: those of a request that holds what was refused."""
        return type(self)(
            self.reason, self.message, violations=violations, retry_after=self.retry_after, **self.metadata
        )


class InvalidArgument(TongbanError):
    """The request can't be right, whatever the state."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(TongbanError):
    """There was not enough time."""

    code = Code.DEADLINE_EXCEEDED


class Cancelled(TongbanError):
    """It was stopped because somebody asked for it; only work that goes on behind calls ends so."""

    code = Code.CANCELLED


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
        Cancelled,
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
