"""The error family survives google.rpc.Status, and what is foreign does not pass for ours."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import Code, Internal, TongbanError, Unavailable, Violation, error_class
from libs.rpc.status import DETAILS_KEY, from_rpc_error, from_status, grpc_code, to_status

_TEXT = st.text(max_size=30)
_VIOLATIONS = st.lists(st.builds(Violation, _TEXT, _TEXT, _TEXT), max_size=3).map(tuple)
_METADATA = st.dictionaries(st.sampled_from(["resource", "state", "field"]), _TEXT)
_RETRY = st.none() | st.integers(0, 100_000).map(lambda ms: ms / 1000)


@given(st.sampled_from(list(Code)), _TEXT, _VIOLATIONS, _METADATA, _RETRY)
def test_every_error_comes_back_as_it_was(
    code: Code, message: str, violations: tuple[Violation, ...], metadata: dict[str, str], retry: float | None
) -> None:
    error = error_class(code)("STATE_CONFLICT", message, violations=violations, retry_after=retry, **metadata)
    back = from_status(status_pb2.Status.FromString(to_status(error).SerializeToString()))
    assert type(back) is type(error)
    assert (back.reason, back.message, back.violations) == (error.reason, error.message, error.violations)
    assert (back.metadata, back.retry_after) == (error.metadata, error.retry_after)


@pytest.mark.parametrize("code", Code)
def test_codes_are_those_of_grpc(code: Code) -> None:
    assert grpc_code(error_class(code)("X", "x")).name == code.name


def test_exactly_one_error_info_and_the_chinese_sentence() -> None:
    details = to_status(Unavailable("RATE_LIMITED", "slow down", retry_after=1.0)).details
    assert [detail.type_url.rpartition(".")[2] for detail in details] == ["ErrorInfo", "RetryInfo", "LocalizedMessage"]
    sentence = error_details_pb2.LocalizedMessage()
    details[-1].Unpack(sentence)
    assert (sentence.locale, sentence.message) == ("zh-CN", "请求过于频繁,请稍后再试")


def test_a_status_of_another_domain_is_not_believed() -> None:
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason="PERMISSION_MISSING", domain="elsewhere.test"))
    error = from_status(status_pb2.Status(code=7, message="their own words", details=[packed]))
    assert isinstance(error, Internal)
    assert "their own words" not in str(error)


@pytest.mark.parametrize("name", ["self", "reason", "message", "violations", "retry_after"])
def test_metadata_that_pass_for_parts_of_the_error_are_not_believed(name: str) -> None:
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason="NOT_OWNER", domain="tongban", metadata={name: "x"}))
    assert isinstance(from_status(status_pb2.Status(code=7, details=[packed])), Internal)


def test_an_unknown_code_is_a_fault() -> None:
    status = to_status(Unavailable("RATE_LIMITED", "x"))
    status.code = 99
    assert isinstance(from_status(status), Internal)


def _rpc_error(code: grpc.StatusCode, *trailing: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details="their words")


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED]
)
def test_no_answer_means_that_the_neighbour_is_away(code: grpc.StatusCode) -> None:
    error = from_rpc_error(_rpc_error(code), "seal")
    assert isinstance(error, Unavailable)
    assert (error.reason, error.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": "seal"})


def test_an_answer_without_details_is_a_fault() -> None:
    error = from_rpc_error(_rpc_error(grpc.StatusCode.UNKNOWN), "seal")
    assert isinstance(error, Internal)
    assert "their words" not in str(error)


def test_details_win_over_the_bare_code() -> None:
    details = to_status(Unavailable("AUDIT_UNAVAILABLE", "no record")).SerializeToString()
    found: TongbanError = from_rpc_error(_rpc_error(grpc.StatusCode.UNAVAILABLE, (DETAILS_KEY, details)), "seal")
    assert found.reason == "AUDIT_UNAVAILABLE"


def test_broken_details_are_a_fault_and_no_crash() -> None:
    found = from_rpc_error(_rpc_error(grpc.StatusCode.NOT_FOUND, (DETAILS_KEY, b"\xff\xff")), "seal")
    assert isinstance(found, Internal)
