"""For which reasons an RPC can refuse: those that its contract names, and those that follow from its other declarations."""

from collections.abc import Callable
from types import MappingProxyType

from libs.rpc.contract import Method
from libs.rpc.crossing import may_cross
from libs.rpc.stages.disclosure import discloses
from libs.rpc.stages.permission import HUMAN
from libs.rpc.stages.purposes import states_purpose
from tongban.errors.v1 import error_reason_pb2
from tongban.options.v1 import options_pb2

_PREFIX = "ERROR_REASON_"
_ASSURED = frozenset({options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_ASSISTED, options_pb2.ACTOR_KIND_STAFF})
IMPARTIAL = frozenset({options_pb2.HANDLING_IMPARTIAL, options_pb2.HANDLING_IMPARTIAL_HUMAN})
"""What nobody does in an affair of their own."""


def _every(_method: Method) -> bool:
    return True


def _not_public(method: Method) -> bool:
    return not method.access.public


def _by_kind(method: Method) -> bool:
    return bool(method.access.actors) or method.access.handling in HUMAN


def _assured(method: Method) -> bool:
    kinds = frozenset(method.access.actors) or _ASSURED
    return bool(method.access.min_assurance and kinds & _ASSURED)


def _of_power(method: Method) -> bool:
    return bool(method.access.power)


def _aged(method: Method) -> bool:
    return bool(method.access.max_auth_age_seconds)


def _impartial(method: Method) -> bool:
    return method.access.handling in IMPARTIAL


def _writes(method: Method) -> bool:
    return method.writes


def _keyed(method: Method) -> bool:
    return method.keyed


def _is_one_call(method: Method) -> bool:
    return not method.streams


def _streams(method: Method) -> bool:
    return method.streams


def _exchanges(method: Method) -> bool:
    return method.exchanges


def _paged(method: Method) -> bool:
    return _has(method, "page_token")


def _has(method: Method, field: str) -> bool:
    """Whether the request has such a field, or the message that it wraps for another region."""
    request = method.descriptor.input_type
    inner = (each.message_type for each in request.fields if each.message_type is not None)
    return any(field in message.fields_by_name for message in (request, *inner))


def _read_on_record(method: Method) -> bool:
    """A change has its record in its own transaction: where that can't be written, the database is what is away.

    What nobody but people by themselves can ask for is their own, and is answered without one (`libs.audit.reading`).
    """
    access = method.access
    alone = list(access.actors) == [options_pb2.ACTOR_KIND_PERSON] and not access.disclosure
    return not method.writes and discloses(method) and not alone


def _may_cross(method: Method) -> bool:
    """Whether what it names may be another region's, which is then asked in the caller's name."""
    return not method.access.public and options_pb2.AUDIENCE_INTERNAL not in method.audience and may_cross(method)


IMPLIED: MappingProxyType[str, Callable[[Method], bool]] = MappingProxyType(
    {
        "FIELD_INVALID": _every,
        "MESSAGE_TOO_LARGE": _every,
        "RATE_LIMITED": _every,
        "DEADLINE_TOO_SHORT": _every,
        "NOT_DONE_IN_TIME": _is_one_call,
        "STREAM_IDLE": _streams,
        "STREAM_ENDING": _exchanges,
        "STREAM_TOO_LONG": _exchanges,
        "DEPENDENCY_UNAVAILABLE": _every,
        "INTERNAL": _every,
        "PEER_NOT_ALLOWED": _every,
        # Also of a public RPC: a token that is brought is looked at. Anybody's may be another region's.
        "TOKEN_INVALID": _every,
        "POSSESSION_NOT_PROVEN": _every,
        "CERTIFICATE_NOT_PRESENTED": _every,
        "CLIENT_ADDRESS_NOT_ALLOWED": _every,
        "SIGNATURE_REQUIRED": _every,
        "REGION_NOT_TRUSTED": _every,
        "REGION_READS_ONLY": _writes,
        "TOKEN_MISSING": _not_public,
        "PERMISSION_MISSING": _not_public,
        "ACTOR_NOT_ALLOWED": _by_kind,
        "ASSURANCE_TOO_LOW": _assured,
        "MANDATE_OUT_OF_SCOPE": _of_power,
        "AUTHENTICATION_TOO_OLD": _aged,
        "ACTING_ON_SELF": _impartial,
        "REQUEST_ID_REUSED": _keyed,
        "CONCURRENT_CHANGE": _writes,
        "PAGE_TOKEN_INVALID": _paged,
        "PURPOSE_UNKNOWN": states_purpose,
        "AUDIT_UNAVAILABLE": _read_on_record,
        "REGION_TRUST_NOT_COVERING": _may_cross,
        "MANDATE_NOT_FOR_REGION": _may_cross,
    }
)
"""The reasons that no RPC declares for itself, and of which RPCs each is one. docs/errors.md has the same in words."""


def reason_name(reason: int) -> str:
    """A value of ErrorReason as errors carry it: ``NOT_OWNER``."""
    return error_reason_pb2.ErrorReason.Name(reason).removeprefix(_PREFIX)  # type: ignore[arg-type]


def declared(method: Method) -> dict[str, str]:
    """The reasons that the contract names for the RPC, each with its condition (empty where its own words say it)."""
    refuses = method.descriptor.GetOptions().Extensions[options_pb2.rpc].refuses
    return {reason_name(each.reason): str(each.when) for each in refuses}


def implied(method: Method) -> tuple[str, ...]:
    """The reasons that follow from what else the contract declares of the RPC."""
    return tuple(reason for reason, holds in IMPLIED.items() if holds(method))


def refusals(method: Method) -> dict[str, str]:
    """All reasons for which the RPC can refuse, its own first, with their conditions."""
    return declared(method) | {reason: "" for reason in implied(method) if reason not in declared(method)}
