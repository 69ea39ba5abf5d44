"""Data of other regions, asked and answered: one transaction id in both logs."""

# ruff: noqa: N802 - gRPC fixes the names of what a servicer serves
import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
import sqlalchemy as sa

from deploy.local.secret_files import write_secret
from libs.clock import FakeClock
from libs.errors import InvalidArgument, PermissionDenied, TongbanError, Unavailable
from libs.rpc import receipts, status
from libs.sweeps.sweep import Sweep
from tests.service.sharing.conftest import (
    ABROAD,
    CONSUMER,
    NOW,
    Sharing,
    context,
    make_source,
    query,
    text,
)
from tests.service.sharing.identity import identity_beside
from tests.support import sql
from tests.support.backends import HOST, free_port
from tests.support.service import Ground, serving
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import token_service_pb2 as tokens
from tongban.identity.v1 import token_service_pb2_grpc
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import data_service_pb2_grpc

FOREIGN = "//320402/dataResources/00000000-0000-7000-8000-000000000001"
TRANSACTION = "00000000-0000-4000-8000-000000000007"
THEIRS = common_pb2.Receipt(record="sharing/auditRecords/theirs", log="//320402/sharing")


@dataclass
class _Gateway(token_service_pb2_grpc.TokenServiceServicer, data_service_pb2_grpc.DataServiceServicer):
    """The other region's gateway: takes our assertion, and answers what a test told it to."""

    asked: list[Any] = field(default_factory=list)
    rows: list[data.Row] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    error: TongbanError | None = None

    async def ExchangeToken(self, request: tokens.ExchangeTokenRequest, context: Any) -> tokens.ExchangeTokenResponse:
        assert request.subject_token == "assertion"
        return tokens.ExchangeTokenResponse(access_token="theirs", expires_in=600)

    async def _take(self, request: Any, context: Any) -> None:
        assert ("authorization", "Bearer theirs") in context.invocation_metadata()
        self.asked.append(request)
        if self.error is not None:
            details = status.to_status(self.error).SerializeToString()
            await context.abort(status.grpc_code(self.error), "", ((status.DETAILS_KEY, details),))
        await context.send_initial_metadata([(receipts.RECEIPT, THEIRS.SerializeToString())])

    async def Query(self, request: data.QueryRequest, context: Any) -> data.QueryResponse:
        await self._take(request, context)
        return data.QueryResponse(rows=self.rows, refused_fields=self.refused, grant="dataGrants/g")

    async def Compare(self, request: data.CompareRequest, context: Any) -> data.CompareResponse:
        await self._take(request, context)
        return data.CompareResponse(
            grant="dataGrants/g",
            comparisons=[
                data.Comparison(field=given.field, outcome=data.COMPARE_OUTCOME_MATCH) for given in request.given
            ],
        )


@dataclass
class Federation:
    sharing: Sharing
    gateway: _Gateway
    gateway_server: grpc.aio.Server


@pytest_asyncio.fixture
async def federation(ground: Ground, tmp_path: Path) -> AsyncIterator[Federation]:
    """The sharing service with an identity service that trusts 320402, and that region's gateway."""
    gateway = _Gateway()  # type: ignore[abstract]
    port = free_port()
    abroad = grpc.aio.server()
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(gateway, abroad)
    data_service_pb2_grpc.add_DataServiceServicer_to_server(gateway, abroad)
    abroad.add_insecure_port(f"{HOST}:{port}")
    await abroad.start()
    owner, source = await make_source(ground, tmp_path)
    write_secret(tmp_path / "unused.dsn", owner)
    clock = FakeClock(NOW)
    async with identity_beside(ground, f"http://{HOST}:{port}") as address:
        extra: dict[str, Any] = {"data_sources": {"registry": source}, "neighbours": {"identity": address}}
        async with serving(ground, "sharing", clock, **extra) as service:
            yield Federation(Sharing(service, clock, owner), gateway, abroad)
    await abroad.stop(None)


# ---- asking ----


async def _both(
    sharing: Sharing, request: data.QueryRequest
) -> tuple[data.QueryResponse, common_pb2.Receipt, common_pb2.Receipt]:
    """The answer to an officer's query, and the receipts of both regions."""
    call: Any = sharing.data.Query(request, metadata=[("authorization", f"Bearer {sharing.officer()}")])
    answer = await call
    ours, theirs = receipts.received(await call.initial_metadata())
    return answer, ours, theirs


async def test_a_question_goes_to_the_region_that_holds_the_data(federation: Federation) -> None:
    federation.gateway.rows = [data.Row(values={"name": text("示例公司")})]
    federation.gateway.refused = ["trade"]
    request = query(FOREIGN, use_context=context(transaction_id=TRANSACTION), allow_partial=True)
    answer, ours, theirs = await _both(federation.sharing, request)
    assert answer.rows == federation.gateway.rows
    assert (answer.grant, theirs) == ("//320402/dataGrants/g", THEIRS)
    assert (ours.log, ours.transaction_id) == ("//341500/sharing", TRANSACTION)
    (asked,) = federation.gateway.asked
    sent = asked.use_context
    assert (sent.department, sent.operator) == (
        f"//341500/{CONSUMER}",
        "//341500/staff/00000000-0000-7000-8000-000000006331",
    )
    assert (sent.transaction_id, sent.case) == (TRANSACTION, "//341500/cases/1")
    records = await federation.sharing.records(TRANSACTION)
    assert [(each.action.rpartition(".")[2], each.result, list(each.fields)) for each in records] == [
        ("Query", "OK", ["name"]),
        ("Query", "FIELD_NOT_GRANTED", ["trade"]),
        ("Query:asked", "OK", ["name", "trade"]),
    ]
    assert {each.object for each in records} == {FOREIGN}
    assert ours.record == records[0].name


async def test_a_refusal_there_is_recorded_here(federation: Federation) -> None:
    federation.gateway.error = PermissionDenied("FIELD_NOT_GRANTED", "no", grant="dataGrants/g", fields="trade")
    with pytest.raises(PermissionDenied) as error:
        await federation.sharing.query(query(FOREIGN))
    assert error.value.reason == "FIELD_NOT_GRANTED"
    transaction = federation.gateway.asked[0].use_context.transaction_id
    records = await federation.sharing.records(transaction)
    assert [(each.result, list(each.fields)) for each in records] == [
        ("FIELD_NOT_GRANTED", ["trade"]),
        ("OK", ["name", "trade"]),
    ]


async def test_a_comparison_goes_abroad_too(federation: Federation) -> None:
    request = data.CompareRequest(
        resource=FOREIGN,
        conditions=query(FOREIGN).conditions,
        use_context=context(),
        given=[data.GivenValue(field="name", value=text("示例公司"))],
    )
    answer = await federation.sharing.compare(request)
    assert [each.outcome for each in answer.comparisons] == [data.COMPARE_OUTCOME_MATCH]
    assert answer.grant == "//320402/dataGrants/g"
    assert federation.sharing.told[-1] == THEIRS
    transaction = federation.gateway.asked[0].use_context.transaction_id
    records = await federation.sharing.records(transaction)
    assert [each.action.rpartition(".")[2] for each in records] == ["Compare", "Compare:asked"]


async def test_a_region_without_trust_or_answer_is_told_apart(federation: Federation) -> None:
    with pytest.raises(PermissionDenied) as error:
        await federation.sharing.query(query(FOREIGN.replace("320402", "110101")))
    assert error.value.reason == "REGION_NOT_TRUSTED"
    assert (await federation.sharing.records(page_size=1))[0].result == "REGION_NOT_TRUSTED"
    await federation.gateway_server.stop(None)
    with pytest.raises(Unavailable) as away:
        await federation.sharing.query(query(FOREIGN))
    assert away.value.reason == "DEPENDENCY_UNAVAILABLE"
    assert (await federation.sharing.records(page_size=1))[0].result == "DEPENDENCY_UNAVAILABLE"


# ---- being asked ----


def _remote(resource: str, **changes: Any) -> data.QueryRequest:
    use = context(
        **{
            "department": ABROAD,
            "operator": "//320402/staff/00000000-0000-7000-8000-000000007839",
            "transaction_id": TRANSACTION,
            "case": "//320402/cases/1",
            **changes,
        }
    )
    return query(resource, use_context=use)


async def _asked(sharing: Sharing, request: data.QueryRequest, token: str = "") -> data.QueryResponse:
    token = token or sharing.guest("services/sharing")
    return await sharing.call(sharing.data.Query, request, data.QueryResponse, token)


async def test_another_regions_department_uses_its_grant(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    grant = await sharing.granted_abroad(resource)
    for name in (resource, f"//341500/{resource}"):
        answer = await _asked(sharing, _remote(name))
        assert answer.rows[0].values["name"].string_value == "示例甲公司"
        assert (answer.grant, sharing.told[-1].transaction_id) == (grant, TRANSACTION)
    records = await sharing.records(TRANSACTION)
    assert len(records) == 2
    assert (records[0].actor, records[0].on_behalf_of) == (
        "//320402/services/sharing",
        "//320402/staff/00000000-0000-7000-8000-000000007839",
    )
    assert (records[0].department, records[0].object) == (ABROAD, resource)
    request = data.CompareRequest(
        resource=resource,
        conditions=query(resource).conditions,
        use_context=_remote(resource).use_context,
        given=[data.GivenValue(field="name", value=text("示例甲公司"))],
    )
    compared = await sharing.call(
        sharing.data.Compare,
        request,
        data.CompareResponse,
        sharing.guest("services/sharing"),
    )
    assert compared.comparisons[0].outcome == data.COMPARE_OUTCOME_MATCH


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"department": CONSUMER}, "FIELD_INVALID"),
        ({"department": ""}, "FIELD_INVALID"),
        ({"operator": "staff/00000000-0000-7000-8000-000000006331"}, "FIELD_INVALID"),
        ({"transaction_id": ""}, "FIELD_INVALID"),
        ({"department": ABROAD[:-1] + "d"}, "GRANT_MISSING"),
        ({"purpose_code": "SUPERVISION"}, "GRANT_PURPOSE_MISMATCH"),
        ({"purpose_code": "OF_A_LATER_TABLE"}, "GRANT_PURPOSE_MISMATCH"),
        ({"case": ""}, "CASE_REQUIRED"),
    ],
)
async def test_another_region_can_not_say_what_is_not_so(
    sharing: Sharing, changes: dict[str, str], reason: str
) -> None:
    resource, _ = await sharing.ready()
    await sharing.granted_abroad(resource)
    with pytest.raises(TongbanError) as error:
        await _asked(sharing, _remote(resource, **changes))
    assert error.value.reason == reason
    assert (await sharing.records(page_size=1))[0].result == reason


async def test_another_region_asks_by_its_services_and_for_what_lies_here(sharing: Sharing) -> None:
    """Its staff ask at home, where it is checked whose case it is; a third region's data is asked for there."""
    resource, _ = await sharing.ready()
    await sharing.granted_abroad(resource)
    staff = sharing.guest("staff/00000000-0000-7000-8000-000000007839", ABROAD)
    with pytest.raises(PermissionDenied) as error:
        await _asked(sharing, _remote(resource), staff)
    assert (error.value.reason, error.value.metadata) == ("ACTOR_NOT_ALLOWED", {"actor_kind": "REGION_STAFF"})
    with pytest.raises(InvalidArgument) as third:
        await _asked(sharing, _remote(FOREIGN))
    assert (third.value.reason, third.value.metadata) == ("REGION_MISMATCH", {"region": "320402"})
    compared = data.CompareRequest(
        resource=FOREIGN,
        conditions=query(FOREIGN).conditions,
        use_context=_remote(FOREIGN).use_context,
        given=[data.GivenValue(field="name", value=text("示例甲公司"))],
    )
    with pytest.raises(InvalidArgument) as third:
        await sharing.call(sharing.data.Compare, compared, data.CompareResponse, sharing.guest("services/sharing"))
    assert third.value.reason == "REGION_MISMATCH"


# ---- answers that never came to be recorded ----


async def _swept(federation: Federation) -> list[tuple[str, str]]:
    """What the log tells of the transaction once two minutes have passed."""
    process = federation.sharing.service.process
    async with process.database.transaction() as connection:
        await sql.execute(connection, sa.text("UPDATE retries SET next_attempt = now()"))
    owners = [getattr(task, "__self__", None) for task in process._tasks]
    for sweep in (owner for owner in owners if isinstance(owner, Sweep)):
        await sweep.sweep()
    records = await federation.sharing.records(TRANSACTION)
    return [(each.action.rpartition(".")[2], each.result) for each in records]


async def _open_questions(federation: Federation) -> int:
    async with federation.sharing.service.process.database.read() as connection:
        return int(await sql.scalar(connection, sa.text("SELECT count(*) FROM retries")) or 0)


async def test_a_question_whose_answer_nobody_recorded_is_told_as_unanswered(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the process dies between the other region's answer and the record of it."""

    async def die(*_args: Any, **_more: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr("services.sharing.data.forwarding.Forwarding._record", die)
    with pytest.raises(TongbanError):
        await federation.sharing.query(query(FOREIGN, use_context=context(transaction_id=TRANSACTION)))
    assert len(federation.gateway.asked) == 1
    assert await _open_questions(federation) == 1
    assert await _swept(federation) == [("Unanswered", "DEPENDENCY_UNAVAILABLE"), ("Query:asked", "OK")]
    assert await _open_questions(federation) == 0
    assert len(await _swept(federation)) == 2


async def test_answered_and_refused_questions_are_closed(federation: Federation) -> None:
    request = query(FOREIGN, use_context=context(transaction_id=TRANSACTION))
    await federation.sharing.query(request)
    assert await _open_questions(federation) == 0
    federation.gateway.error = PermissionDenied("GRANT_NOT_ACTIVE", "no", grant="dataGrants/g", state="SUSPENDED")
    with pytest.raises(PermissionDenied):
        await federation.sharing.query(request)
    assert await _open_questions(federation) == 0
    federation.gateway.error = Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="data")
    with pytest.raises(Unavailable):
        await federation.sharing.query(request)
    assert await _open_questions(federation) == 1
    assert (await _swept(federation))[0] == ("Unanswered", "DEPENDENCY_UNAVAILABLE")
