"""The chain of stages around every RPC: its order, what it hides, what survives a hop, and when a server won't start."""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

import grpc
import pytest

from libs.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    TongbanError,
)
from libs.rpc.call import Call, Stage
from libs.rpc.client import invoke, neighbour_channel
from libs.rpc.contract import Method
from libs.rpc.server import default_stages
from libs.rpc.stages.deadline import deadline
from libs.rpc.stages.rate_limit import TokenBuckets
from libs.rpc.stages.validation import MAX_MESSAGE_BYTES, check
from libs.rpc.status import from_rpc_error
from tests.support.backends import HOST
from tests.support.patience import PATIENCE
from tests.support.rpc_lab import (
    ACCOUNTS,
    ID,
    MATERIALS,
    PERSON,
    Accounts,
    Lab,
    Materials,
    get_person,
    refused_person,
    trusting,
)
from tests.support.values import messages
from tongban.common.v1 import common_pb2
from tongban.common.v1.common_pb2 import UseContext
from tongban.common.v1.party_pb2 import Party
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1.license_service_pb2 import IssueLicenseRequest
from tongban.license.v1.material_service_pb2_grpc import MaterialServiceStub

SECRET = "张三 110105 connection to postgres failed"


def test_the_stages_stand_in_the_order_of_the_design(lab: Lab) -> None:
    assert _names(default_stages(lab.config, lab.verifier(), trusting)) == [
        "trace",
        "access_log",
        "errors",
        "deadline",
        "peer",
        "caller",
        "trust",
        "permission",
        "rate_limit",
        "validation",
        "purposes",
        "writing",
        "disclosure",
    ]


def _names(stages: list[Stage]) -> list[str]:
    return [stage.__module__.rpartition(".")[2] for stage in stages]


async def test_each_stage_refuses_before_the_next_one_looks(lab: Lab) -> None:
    """One broken message, brought by callers that come further and further."""
    broken = b"\xff"
    async with lab.serving(calls_per_second_per_caller=1.0) as channel:
        async with neighbour_channel(f"{HOST}:{lab.config.grpc.port}", lab.ground.tls("seal")) as stranger:
            assert (await refused_person(stranger, broken, "no token")).reason == "PEER_NOT_ALLOWED"
        assert (await refused_person(channel, broken)).reason == "TOKEN_MISSING"
        assert (await refused_person(channel, broken, "no token")).reason == "TOKEN_INVALID"
        assert (await refused_person(channel, broken, lab.token(scope="x.y.z"))).reason == "PERMISSION_MISSING"
        assert (await refused_person(channel, broken, lab.token())).reason == "FIELD_INVALID"
        assert (await refused_person(channel, broken, lab.token())).reason == "RATE_LIMITED"


class _Asked(Accounts):
    """Remembers who asked."""

    who: ClassVar[list[Any]] = []

    async def check_identities(self, request: Any, call: Call) -> Any:
        self.who.append(call.actor)
        return pb.CheckIdentitiesResponse()


async def test_a_service_of_ours_needs_no_token_for_what_the_contract_lets_it(lab: Lab) -> None:
    address, known = f"{HOST}:{lab.config.grpc.port}", _Asked()
    stated = resources.Person(full_name="某人")
    request = pb.CheckIdentitiesRequest(
        identities=[
            pb.StatedIdentity(
                subject=PERSON.name,
                display_name=stated.full_name,
                document=common_pb2.IdentityDocument(type_code="111", number="110105199003072316"),
            )
        ]
    )
    async with lab.serving(known), neighbour_channel(address, lab.ground.tls("license")) as channel:
        stub = AccountServiceStub(channel)
        await invoke(stub.CheckIdentities, request, pb.CheckIdentitiesResponse, to="identity", token="")
        assert [(each.subject, each.scopes) for each in known.who] == [
            ("services/license", frozenset({"identity.persons.check"}))
        ]
        # And for nothing else: it holds no permission there.
        with pytest.raises(TongbanError, match="PERMISSION_MISSING"):
            await get_person(channel, "")


async def test_nothing_of_somebody_leaves_without_its_record(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    async def known(request: Any) -> resources.Person:
        return resources.Person(name="persons/1", full_name=SECRET)

    async with lab.serving(Accounts(person=known)) as channel:
        assert (await get_person(channel, lab.token())).full_name == SECRET
    async with lab.serving(Accounts(person=known, recorded=False)) as channel:
        error = await refused_person(channel, PERSON.SerializeToString(), lab.token())
    assert (error.reason, error.message) == ("INTERNAL", "an internal error occurred")
    assert SECRET not in "".join(capsys.readouterr())


async def test_an_unknown_exception_shows_a_fixed_text_and_where_to_look(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(request: Any) -> Any:
        raise RuntimeError(SECRET)

    trace = uuid.uuid4().hex
    async with lab.serving(Accounts(person=fail)) as channel:
        data = PERSON.SerializeToString()
        error = await refused_person(channel, data, lab.token(), traceparent=f"00-{trace}-{'1' * 16}-01")
    assert isinstance(error, Internal)
    assert (error.reason, error.message) == ("INTERNAL", "an internal error occurred")
    assert error.metadata == {"correlation_id": trace}
    assert SECRET not in "".join(capsys.readouterr())


async def test_a_fault_of_a_neighbour_keeps_a_correlation_id(lab: Lab) -> None:
    async def fail(request: Any) -> Any:
        raise Internal("INTERNAL", "a neighbour failed")

    async with lab.serving(Accounts(person=fail)) as channel:
        error = await refused_person(channel, PERSON.SerializeToString(), lab.token())
    assert len(error.metadata["correlation_id"]) == 32


async def test_a_stream_hides_what_fails_in_the_middle(lab: Lab) -> None:
    servicer = Materials(chunks=[b"one", RuntimeError(SECRET)])
    async with lab.serving(servicer, MATERIALS) as channel:
        got, error = await _download(channel, lab.token())
    assert (got, error.reason, error.message) == ([b"one"], "INTERNAL", "an internal error occurred")


async def test_a_stream_tells_typed_errors_before_and_after_its_first_message(lab: Lab) -> None:
    missing = NotFound("RESOURCE_NOT_FOUND", "it does not exist", resource="materials/1")
    streams: list[list[bytes | Exception]] = [[missing], [b"one", missing]]
    for chunks in streams:
        async with lab.serving(Materials(chunks=chunks), MATERIALS) as channel:
            got, error = await _download(channel, lab.token())
        assert len(got) == len(chunks) - 1
        assert (error.reason, error.metadata) == ("RESOURCE_NOT_FOUND", {"resource": "materials/1"})


async def _download(channel: grpc.aio.Channel, token: str) -> tuple[list[bytes], TongbanError]:
    context = common_pb2.UseContext(purpose_code="ASSISTANCE", purpose="受理")
    request = materials.DownloadMaterialRequest(name=f"materials/{ID}", use_context=context)
    got: list[bytes] = []
    call = MaterialServiceStub(channel).DownloadMaterial(
        request, metadata=(("authorization", f"Bearer {token}"),), timeout=PATIENCE
    )

    async def read() -> None:
        async for message in call:
            got.append(message.chunk)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await read()
    return got, from_rpc_error(raised.value, "license")


async def test_every_message_of_a_clients_stream_is_checked(lab: Lab) -> None:
    servicer = Materials()
    good = materials.UploadMaterialRequest(chunk=b"x").SerializeToString()
    broken = materials.UploadMaterialRequest().SerializeToString()
    async with lab.serving(servicer, MATERIALS) as channel:
        call = channel.stream_unary(f"/{MATERIALS.full_name}/UploadMaterial")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(iter([good, broken]), metadata=(("authorization", f"Bearer {lab.token()}"),), timeout=PATIENCE)
    error = from_rpc_error(raised.value, "license")
    assert (error.reason, error.violations[0].field) == ("FIELD_INVALID", "part")
    assert servicer.received == []


async def test_no_text_holds_a_nul(lab: Lab) -> None:
    """PostgreSQL can't keep U+0000 in text, so the contract's stage refuses it in every string, however deep."""
    path = f"/{ACCOUNTS.full_name}/RevealPerson"
    data = pb.RevealPersonRequest(
        name="\0", use_context=UseContext(purpose_code="IDENTITY_CHECK", purpose="甲\0乙")
    ).SerializeToString()
    async with lab.serving() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(path)(
                data, metadata=(("authorization", f"Bearer {lab.token()}"),), timeout=PATIENCE
            )
    error = from_rpc_error(raised.value, "identity")
    assert (error.reason, isinstance(error, InvalidArgument)) == ("FIELD_INVALID", True)
    assert [v.field for v in error.violations] == ["name", "use_context.purpose"]


def test_a_nul_is_found_in_lists_and_maps_and_not_in_bytes() -> None:
    check(materials.UploadMaterialRequest(chunk=b"a\0b"))
    issue = IssueLicenseRequest(face_fields=messages(KZ_JYCS="a\0"), holders=[Party(), Party(display_name="\0")])
    with pytest.raises(InvalidArgument) as refused:
        check(issue)
    assert [v.field for v in refused.value.violations] == [
        "holders[1].display_name",
        'face_fields["KZ_JYCS"].string_value',
    ]


async def test_an_oversize_message_gets_a_typed_error(lab: Lab) -> None:
    async with lab.serving() as channel:
        error = await refused_person(channel, b"x" * (MAX_MESSAGE_BYTES + 1), lab.token())
    assert isinstance(error, ResourceExhausted)
    assert (error.reason, error.metadata) == ("MESSAGE_TOO_LARGE", {"limit_bytes": str(MAX_MESSAGE_BYTES)})


@dataclass
class _Context:
    remaining: float | None

    def time_remaining(self) -> float | None:
        return self.remaining


async def _never(request: object, call: Call) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize(("remaining", "reason"), [(0.01, "DEADLINE_TOO_SHORT"), (0.07, "NOT_DONE_IN_TIME")])
async def test_too_little_time_is_not_the_same_as_too_slow(remaining: float, reason: str) -> None:
    """Refused at once where it can't be enough; ended with a margin, and the caller not blamed, where it was not."""
    method = Method(ACCOUNTS.methods_by_name["GetPerson"])
    call = Call(method, _Context(remaining))  # type: ignore[arg-type]
    with pytest.raises(DeadlineExceeded) as error:
        await asyncio.wait_for(deadline(60.0)(method, _never)(None, call), 5)
    assert error.value.reason == reason


async def test_the_rate_limit_says_when_to_come_again(lab: Lab) -> None:
    async with lab.serving(calls_per_second_per_caller=2.0) as channel:
        token, other = lab.token(client_id="clients/a"), lab.token(client_id="clients/b")
        for _ in range(2):
            await get_person(channel, token)
        with pytest.raises(ResourceExhausted) as error:
            await get_person(channel, token)
        await get_person(channel, other)
    assert error.value.reason == "RATE_LIMITED"
    assert 0 < (error.value.retry_after or 0) <= 0.5


def test_a_bucket_fills_again() -> None:
    buckets = TokenBuckets(2.0)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.take("a", 0.5) == 0.0
    assert buckets.take("a", 100.0) == 0.0


def test_many_callers_do_not_fill_the_buckets_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.rpc.stages.rate_limit._FORGET_AT", 10)
    buckets = TokenBuckets(2.0)
    for number in range(100):
        assert buckets.take(f"quiet{number}", number / 1000) == 0.0
        if number >= 90:
            buckets.take("loud", number / 1000)
    assert buckets.take("loud", 0.1) > 0.0
