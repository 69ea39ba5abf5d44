"""The one family of errors. Standard library only, so that rules may raise them.

An error names a *reason* of ``tongban.errors.v1.ErrorReason``; ``libs.errors.reasons``, which is made from that contract,
has a constructor for each. ``libs.rpc.status`` maps an error to google.rpc.Status once, and back again at the client, so
that it keeps its meaning over hops (AIP-193).
"""

from libs.errors.family import (
    Aborted,
    AlreadyExists,
    Cancelled,
    Code,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    TongbanError,
    Unauthenticated,
    Unavailable,
    Violation,
    error_class,
)

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Cancelled",
    "Code",
    "DeadlineExceeded",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "TongbanError",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "error_class",
    "invalid_field",
    "not_found",
    "require_state",
    "state_conflict",
]


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


def require_state(resource: str, state: str, *allowed: str) -> None:
    """Raises FailedPrecondition STATE_CONFLICT unless the resource is in one of the states in which it can be changed so."""
    if state not in allowed:
        raise state_conflict(resource, state, *allowed)
