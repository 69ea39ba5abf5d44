"""Maps the error family to google.rpc.Status and back, once, for every server and client (AIP-193)."""

from functools import cache

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from libs.errors import Code, TongbanError, Violation, error_class, reasons
from libs.rpc import fitting, languages
from tongban.errors.v1 import error_reason_pb2

DOMAIN = "tongban"
DETAILS_KEY = "grpc-status-details-bin"
_NO_METADATA = frozenset({"self", "reason", "message", "violations", "retry_after"})
"""What an error of ours calls its parts: no metadata of ours is called so."""
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


@cache
def sentence(reason: str, language: str) -> str:
    """What people are told of ``reason``, in one of our languages; empty where the reason is none of ours."""
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name.get(f"ERROR_REASON_{reason}")
    if value is None:
        return ""
    meaning = value.GetOptions().Extensions[error_reason_pb2.error]
    return str(meaning.message_en if language == languages.ENGLISH else meaning.message_zh)


def _pack(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo
    | error_details_pb2.LocalizedMessage,
) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def sent_message(error: TongbanError) -> str:
    """Returns the sentence of ``error`` as it goes over the wire."""
    return fitting.message(error.message)


def _metadata(error: TongbanError) -> dict[str, str]:
    omitted = len(error.violations) - fitting.MOST_VIOLATIONS
    counted = {fitting.OMITTED: str(omitted)} if omitted > 0 else {}
    return fitting.metadata(counted | error.metadata)


def to_status(error: TongbanError, language: str = languages.CHINESE) -> status_pb2.Status:
    """Builds the status of ``error``: one ErrorInfo, and BadRequest, RetryInfo and LocalizedMessage where they help.

    ``language`` is that of the sentence for people (``libs.rpc.languages``).
    It fits into a response's trailers whatever the error says (``libs.rpc.fitting``).
    """
    reason = fitting.reason(error.reason)
    status = status_pb2.Status(code=error.code.value, message=sent_message(error))
    _pack(status, error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=_metadata(error)))
    if error.violations:
        _pack(
            status,
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, reason=v.rule, description=v.description)
                    for v in fitting.violations(error.violations)
                ]
            ),
        )
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        _pack(status, error_details_pb2.RetryInfo(retry_delay=delay))
    _pack(status, error_details_pb2.LocalizedMessage(locale=language, message=sentence(reason, language)))
    return status


def grpc_code(error: TongbanError) -> grpc.StatusCode:
    """Returns the gRPC code of ``error``."""
    return _GRPC_CODES[error.code.value]


def from_status(status: status_pb2.Status) -> TongbanError:
    """Rebuilds the error that ``to_status`` mapped; a status of foreign make becomes Internal or Unavailable."""
    info, violations, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), None
    for detail in status.details:
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo()
            detail.Unpack(delay)
            retry = delay.retry_delay.ToMilliseconds() / 1000
        detail.Unpack(info)
        detail.Unpack(violations)
    if (
        info.domain != DOMAIN
        or status.code not in {code.value for code in Code}
        or not _NO_METADATA.isdisjoint(info.metadata)
    ):
        return reasons.internal("a neighbour failed")
    return error_class(Code(status.code))(
        info.reason,
        status.message,
        retry_after=retry,
        violations=tuple(Violation(v.field, v.reason, v.description) for v in violations.field_violations),
        **dict(info.metadata),
    )


def _from_bytes(details: bytes, dependency: str) -> TongbanError:
    try:
        return from_status(status_pb2.Status.FromString(details))
    except DecodeError:
        return reasons.internal(f"{dependency} answered with details that can't be read")


def from_rpc_error(error: grpc.aio.AioRpcError, dependency: str) -> TongbanError:
    """Turns what a call raised into the error that the callee meant.

    An answer without our details means that nobody of ours answered: the neighbour is away.
    """
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _from_bytes(value, dependency)
    # What another region answers outside of the contract is its state, and no fault of ours.
    foreign = dependency.startswith("//")
    if foreign or error.code() in _AWAY:
        return reasons.dependency_unavailable(f"{dependency} does not answer", retry_after=1.0, dependency=dependency)
    return reasons.internal(f"{dependency} answered {error.code().name} without details")
