"""Every error fits into what gRPC and Envoy take of trailers, whatever stood in the request that it speaks of.

An error that does not fit resets the connection between the gateway and a service, and with it everybody else's calls.
"""

import base64
from urllib.parse import quote

import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import (
    Code,
    InvalidArgument,
    TongbanError,
    Violation,
    error_class,
    invalid_field,
    not_found,
    state_conflict,
)
from libs.rpc import status

_TRAILERS = 8 * 1024
"""gRPC's soft limit of a peer's metadata; beyond it a client may refuse the answer."""
_OTHER_HEADERS = 1024
_texts = st.one_of(
    st.text(st.characters(), max_size=300),
    st.builds(lambda unit, times: unit * times, st.text(st.characters(), min_size=1, max_size=4), st.integers(0, 5000)),
)
_violations = st.builds(Violation, _texts, _texts, _texts)
_many_violations = st.one_of(
    st.lists(_violations, max_size=30),
    st.builds(lambda one, times: [one] * times, _violations, st.integers(0, 400)),
)
_metadata = st.dictionaries(_texts, _texts, max_size=40)


def _size(error: TongbanError) -> int:
    details = base64.b64encode(status.to_status(error).SerializeToString())
    return len(details) + len(quote(status.sent_message(error))) + 32 * 3


def _parts(made: status_pb2.Status) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    info, broken = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in made.details:
        detail.Unpack(info)
        detail.Unpack(broken)
    return info, broken


@given(
    st.sampled_from(list(Code)), _texts, _texts, _many_violations, _metadata, st.one_of(st.none(), st.floats(0, 1e6))
)
def test_every_error_fits_whatever_it_says(
    code: Code, reason: str, message: str, violations: list[Violation], metadata: dict[str, str], retry: float | None
) -> None:
    error = error_class(code)(reason, message, violations=tuple(violations), retry_after=retry)
    error.metadata = metadata
    assert _size(error) <= _TRAILERS - _OTHER_HEADERS


@given(_texts, _texts, _texts)
def test_the_constructors_errors_fit(one: str, two: str, three: str) -> None:
    for error in (invalid_field(one, two, three), not_found(one), state_conflict(one, two, *[three] * 50)):
        assert _size(error) <= _TRAILERS - _OTHER_HEADERS


def _broken(count: int, field: str = "documents[{}].number") -> InvalidArgument:
    violations = tuple(Violation(field.format(at), "string.max_len", "must be short") for at in range(count))
    return InvalidArgument("FIELD_INVALID", "the request breaks rules", violations=violations)


@pytest.mark.parametrize("count", [1, 20])
def test_up_to_twenty_violations_are_named_whole(count: int) -> None:
    error = _broken(count)
    info, named = _parts(status.to_status(error))
    assert [v.field for v in named.field_violations] == [v.field for v in error.violations]
    assert dict(info.metadata) == {}


@pytest.mark.parametrize("field", ["documents[{}].number", "face_fields['" + "长" * 4000 + "{}']"])
def test_more_violations_are_counted(field: str) -> None:
    info, named = _parts(status.to_status(_broken(200, field)))
    assert len(named.field_violations) == 20
    assert info.metadata["omitted_violations"] == "180"
    assert all(v.field.startswith(field[:10]) for v in named.field_violations)


def test_the_count_survives_a_hop() -> None:
    once = status.from_status(status.to_status(_broken(200)))
    info, named = _parts(status.to_status(once))
    assert (len(named.field_violations), info.metadata["omitted_violations"]) == (20, "180")


def test_what_the_reason_promises_stays_when_it_must_be_shortened() -> None:
    error = state_conflict("cases/" + "x" * 5000, "DRAFT", "SUBMITTED")
    info, _ = _parts(status.to_status(error))
    assert set(info.metadata) == {"resource", "state", "allowed"}
    assert (info.metadata["state"], info.metadata["allowed"]) == ("DRAFT", "SUBMITTED")
    assert info.metadata["resource"].startswith("cases/xxx")
