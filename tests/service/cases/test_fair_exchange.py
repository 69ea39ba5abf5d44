"""No region holds up another's exchanges; what can't be delivered says so, can be withdrawn, and ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from libs.db.engine import read_dsn
from libs.db.query import Query
from libs.errors import FailedPrecondition, NotFound
from libs.sweeps import fair
from services.cases.core.exchange import Payload
from services.cases.outgoing import store
from tests.service.cases.conftest import CLERK, DEPARTMENT, STRANGER, Town, eventually, request_id
from tests.service.cases.pairs import HANDLING, Pair, pair
from tests.support import sql
from tests.support.backends import HOST
from tests.support.fakes_cases import Neighbours
from tests.support.process import running
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb

__all__ = ["pair"]


async def _settled(pair: Pair, *towns: Town) -> None:
    """Lets everything that waits come due, and delivers it."""
    for town in towns or (pair.home, pair.handling, pair.home, pair.handling):
        async with town.service.process.database.transaction() as connection:
            await sql.execute(connection, sa.text("UPDATE transfer_messages SET next_attempt = now()"))
        await town.part("MessageDeliverer").deliver_due()


def _away(pair: Pair, code: str, address: str = "") -> None:
    """A region that is trusted and can't be reached."""
    pair.home.known.trusted.add(code)
    pair.home.known.others[code] = Neighbours(code, address or pair.handling.known.address)
    if not address:
        pair.home.known.others[code].address = f"{HOST}:1"


@asynccontextmanager
async def _silent() -> AsyncIterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server((HOST, 0)) as server:
        yield f"{HOST}:{server.getsockname()[1]}"


async def test_exchanges_that_back_off_hide_no_other(pair: Pair) -> None:
    _away(pair, "110000")
    for _ in range(20):
        await pair.send(pair.request(handling_region="110000"))
    await pair.home.part("MessageDeliverer").deliver_due()
    sent = await pair.send()
    await pair.home.part("MessageDeliverer").deliver_due()
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_RECEIVED


async def test_regions_that_do_not_answer_hold_up_no_other(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than there are places, and calls that run into their timeouts of ten seconds."""
    monkeypatch.setattr(fair, "_SLOW_SECONDS", 0.05)
    async with _silent() as address:
        for number in range(60):
            _away(pair, f"11{number:04}", address)
            await pair.send(pair.request(handling_region=f"11{number:04}"))
        async with running(pair.home.part("MessageDeliverer").run):
            await eventually(lambda: _trying(pair), lambda tried: tried >= 50)
            sent = await pair.send()

            async def read() -> rpc.CaseTransfer:
                return await pair.transfer(pair.home, sent.name)

            await eventually(read, lambda t: t.state == rpc.CASE_TRANSFER_STATE_RECEIVED)


async def _trying(pair: Pair) -> int:
    async with pair.home.service.process.database.read() as connection:
        query = sa.text("SELECT count(*) FROM transfer_messages WHERE attempts > 0")
        return int(await sql.scalar(connection, query) or 0)


async def test_what_can_not_be_delivered_says_why_and_ends(pair: Pair) -> None:
    sent = await pair.send()
    pair.home.known.trusted.clear()
    pair.home.part("MessageDeliverer")._parts.regions.known._known.clear()
    await _settled(pair, pair.home)
    waiting = await pair.transfer(pair.home, sent.name)
    assert (waiting.state, waiting.waiting_reason) == (rpc.CASE_TRANSFER_STATE_SENT, "REGION_NOT_TRUSTED")
    assert waiting.HasField("waiting_since_time") and not waiting.end_reason
    await _days_pass(pair.home, 6)
    await _settled(pair, pair.home)
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_SENT
    await _days_pass(pair.home, 2)
    await _settled(pair, pair.home)
    ended = await pair.transfer(pair.home, sent.name)
    assert (ended.state, ended.end_reason) == (rpc.CASE_TRANSFER_STATE_FAILED, "REGION_NOT_TRUSTED")
    assert not ended.waiting_reason
    (told,) = [data for kind, data in await pair.home.events() if kind == "cn.tongban.cases.case_transfer.failed.v1"]
    assert events.CaseTransferFailed.FromString(told) == events.CaseTransferFailed(
        name=sent.name, peer_region="320402", payload=Payload.APPLICATION, error_reason="REGION_NOT_TRUSTED"
    )
    pair.home.known.trusted.add("320402")
    await _settled(pair)
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_FAILED


async def _days_pass(town: Town, days: int) -> None:
    past = sa.text("UPDATE transfer_messages SET waited = waited + make_interval(days => :days)")
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, past.bindparams(sa.bindparam("days", days, type_=sa.Integer)))


@pytest.mark.parametrize("days", [8, 400, -400])
async def test_a_database_whose_clock_is_wrong_once_ends_no_message(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """One reading that is days ahead (or behind), between two that are right: nothing is given up, and it goes on."""
    sent = await pair.send()
    pair.home.known.trusted.clear()
    pair.home.part("MessageDeliverer")._parts.regions.known._known.clear()
    await _settled(pair, pair.home)
    with monkeypatch.context() as wrong:
        wrong.setattr(store, "_RETRY", _reading_at(store._RETRY, days))
        await _settled(pair, pair.home)
    for _ in range(3):
        await _settled(pair, pair.home)
    waiting = await pair.transfer(pair.home, sent.name)
    assert (waiting.state, waiting.end_reason) == (rpc.CASE_TRANSFER_STATE_SENT, "")
    pair.home.known.trusted.add("320402")
    await _settled(pair)
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_ACCEPTED


async def test_a_database_whose_clock_stepped_ahead_for_good_ends_a_message_no_earlier(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await pair.send()
    pair.home.known.trusted.clear()
    pair.home.part("MessageDeliverer")._parts.regions.known._known.clear()
    await _settled(pair, pair.home)
    monkeypatch.setattr(store, "_RETRY", _reading_at(store._RETRY, 400))
    for _ in range(5):
        await _settled(pair, pair.home)
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_SENT


async def test_a_message_that_was_put_off_while_the_clock_was_ahead_waits_for_no_later_day(pair: Pair) -> None:
    sent = await pair.send()
    async with pair.home.service.process.database.transaction() as connection:
        await sql.execute(
            connection, sa.text("UPDATE transfer_messages SET next_attempt = now() + interval '400 days'")
        )
    await pair.home.part("MessageDeliverer").deliver_due()
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_RECEIVED


async def test_tries_bear_witness_of_how_long_a_message_waits(pair: Pair) -> None:
    """Tried every seven hours, of which six count: given up at the 29th that finds it older, and not before."""
    sent = await pair.send()
    pair.home.known.trusted.clear()
    pair.home.part("MessageDeliverer")._parts.regions.known._known.clear()
    await _settled(pair, pair.home)
    hours = sa.text("UPDATE transfer_messages SET waited_until = waited_until - interval '7 hours'")
    for number in range(1, 30):
        assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_SENT, number
        async with pair.home.service.process.database.transaction() as connection:
            await sql.execute(connection, hours)
        await _settled(pair, pair.home)
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_FAILED


def _reading_at(query: Query[Any], days: int) -> Query[Any]:
    """The statement as a database would read it whose clock is days ahead."""
    ahead, statement = copy(query), copy(query._statement)
    statement.text = statement.text.replace("now()", f"(now() + make_interval(days => {days}))")
    ahead._statement = statement
    return ahead


async def test_a_delivered_message_waits_no_more(pair: Pair) -> None:
    service, pair.handling.known.service = pair.handling.known.service, None
    sent = await pair.send()
    await _settled(pair, pair.home)
    assert (await pair.transfer(pair.home, sent.name)).waiting_reason
    pair.handling.known.service = service
    await _settled(pair)
    known = await pair.transfer(pair.home, sent.name)
    assert (known.state, known.waiting_reason) == (rpc.CASE_TRANSFER_STATE_ACCEPTED, "")
    assert not known.HasField("waiting_since_time")


def _withdraw(name: str) -> rpc.WithdrawCaseTransferRequest:
    return rpc.WithdrawCaseTransferRequest(name=name, reason="当事人撤回", request_id=request_id())


async def _withdrawn(pair: Pair, request: rpc.WithdrawCaseTransferRequest, token: str = "") -> rpc.CaseTransfer:
    home = pair.home
    return await home.call(home.exchange.WithdrawCaseTransfer, request, rpc.CaseTransfer, token or home.clerk)


async def test_an_application_that_never_left_is_withdrawn_at_once(pair: Pair) -> None:
    sent = await pair.send()
    request = _withdraw(sent.name)
    with pytest.raises(NotFound):
        await _withdrawn(pair, request, pair.home.stranger_clerk)
    other = pair.home.service.issuer.token(STRANGER, "STAFF", act={"sub": CLERK}, dept=DEPARTMENT)
    with pytest.raises(NotFound, match="RESOURCE_NOT_FOUND"):
        await _withdrawn(pair, request, other)
    done = await _withdrawn(pair, request)
    assert (done.state, done.end_reason) == (rpc.CASE_TRANSFER_STATE_WITHDRAWN, "当事人撤回")
    assert await _withdrawn(pair, request) == done
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        await _withdrawn(pair, _withdraw(sent.name))
    await _settled(pair)
    assert pair.handling.known.calls == []
    (told,) = [data for kind, data in await pair.home.events() if kind == "cn.tongban.cases.case_transfer.withdrawn.v1"]
    assert events.CaseTransferWithdrawn.FromString(told) == events.CaseTransferWithdrawn(name=sent.name)


async def test_an_application_that_may_have_arrived_is_withdrawn_there_too(pair: Pair) -> None:
    pair.handling.known.lost_answers = 1
    request = pair.request()
    sent = await pair.send(request)
    await _settled(pair, pair.home)
    done = await _withdrawn(pair, _withdraw(sent.name))
    assert done.state == rpc.CASE_TRANSFER_STATE_WITHDRAWN
    await _settled(pair)
    case = await pair.handling.get(f"cases/{request.case_id}")
    assert case.state == pb.CASE_STATE_WITHDRAWN
    known = await pair.transfer(pair.home, sent.name)
    assert (known.state, known.case) == (rpc.CASE_TRANSFER_STATE_WITHDRAWN, HANDLING + case.name)
    assert known.progress.state == pb.CASE_STATE_WITHDRAWN


async def test_a_withdrawal_of_what_never_arrived_opens_nothing(pair: Pair) -> None:
    service, pair.handling.known.service = pair.handling.known.service, None
    request = pair.request()
    sent = await pair.send(request)
    await _settled(pair, pair.home)
    await _withdrawn(pair, _withdraw(sent.name))
    pair.handling.known.service = service
    await _settled(pair)
    with pytest.raises(NotFound):
        await pair.handling.get(f"cases/{request.case_id}", use_context=None)
    known = await pair.transfer(pair.home, sent.name)
    assert (known.state, known.waiting_reason, known.last_receipted_sequence) == (
        rpc.CASE_TRANSFER_STATE_WITHDRAWN,
        "",
        2,
    )


async def test_an_accepted_application_is_withdrawn_until_it_is_decided(pair: Pair) -> None:
    request, other = pair.request(), pair.request()
    first, second = await pair.send(request), await pair.send(other)
    await _settled(pair)
    asked = await _withdrawn(pair, _withdraw(first.name))
    assert asked.state == rpc.CASE_TRANSFER_STATE_ACCEPTED
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        await _withdrawn(pair, _withdraw(first.name))
    case = await pair.handling.get(f"cases/{other.case_id}")
    for verb in ("Accept", "StartReview"):
        case = await pair.handling.step(verb, case)
    await pair.handling.step("Decide", case, outcome=pb.OUTCOME_REJECTED, reason="不符合条件")
    await _withdrawn(pair, _withdraw(second.name))
    await _settled(pair)
    assert (await pair.handling.get(f"cases/{request.case_id}")).state == pb.CASE_STATE_WITHDRAWN
    assert (await pair.transfer(pair.home, first.name)).state == rpc.CASE_TRANSFER_STATE_WITHDRAWN
    late = await pair.transfer(pair.home, second.name)
    assert (late.state, late.end_reason) == (rpc.CASE_TRANSFER_STATE_ACCEPTED, "STATE_CONFLICT")
    assert (await pair.handling.get(case.name)).state == pb.CASE_STATE_DECIDED


async def test_a_withdrawal_does_not_race_the_delivery(pair: Pair) -> None:
    requests = [pair.request() for _ in range(8)]
    sent = [await pair.send(request) for request in requests]
    await asyncio.gather(
        pair.home.part("MessageDeliverer").deliver_due(), *(_withdrawn(pair, _withdraw(each.name)) for each in sent)
    )
    await _settled(pair)
    await _settled(pair)
    for request, transfer in zip(requests, sent, strict=True):
        known = await pair.transfer(pair.home, transfer.name)
        assert known.state == rpc.CASE_TRANSFER_STATE_WITHDRAWN
        if known.case:
            case = await pair.handling.get(f"cases/{request.case_id}")
            assert case.state == pb.CASE_STATE_WITHDRAWN


async def _minutes_pass(town: Town) -> None:
    sweep = town.part("Sweep")
    await sweep.sweep()
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.text("UPDATE retries SET next_attempt = now()"))
    await sweep.sweep()


async def test_an_application_that_was_receipted_and_lost_is_sent_again(pair: Pair) -> None:
    """As after the deciding region was put back from an older copy."""
    request = pair.request()
    sent = await pair.send(request)
    await _settled(pair, pair.home)
    owner = await asyncpg.connect(read_dsn(pair.handling.service.process.config.database.owner_dsn_file))
    await owner.execute("TRUNCATE transfer_messages, transfers, cases, case_history, tasks, idempotency, outbox")
    await owner.close()
    await _settled(pair, pair.handling)
    assert (await pair.transfer(pair.home, sent.name)).state == rpc.CASE_TRANSFER_STATE_RECEIVED
    await _minutes_pass(pair.home)
    await _settled(pair)
    known = await pair.transfer(pair.home, sent.name)
    assert not known.end_reason
    assert (known.state, known.case) == (rpc.CASE_TRANSFER_STATE_ACCEPTED, f"{HANDLING}cases/{request.case_id}")


async def test_an_answer_that_was_lost_is_given_again(pair: Pair) -> None:
    """As after the receiving region was put back from an older copy."""
    sent = await pair.send()
    await _settled(pair)
    forget = sa.text("UPDATE transfers SET state = 'RECEIVED', case_name = '', case_number = ''")
    async with pair.home.service.process.database.transaction() as connection:
        await sql.execute(connection, forget)
        await sql.execute(connection, sa.text("DELETE FROM transfer_messages WHERE incoming"))
        await sql.execute(connection, sa.text("DELETE FROM idempotency"))
    await _minutes_pass(pair.home)
    await _settled(pair)
    known = await pair.transfer(pair.home, sent.name)
    assert known.state == rpc.CASE_TRANSFER_STATE_ACCEPTED and known.case_number
    assert pair.handling.known.calls.count("ReceiveCaseTransfer") == 2


async def test_a_result_that_was_lost_is_told_again(pair: Pair) -> None:
    """The receiving region was put back from a copy made before the case was decided; nobody sends anything more."""
    request = pair.request()
    sent = await pair.send(request)
    await _settled(pair)
    owner = await asyncpg.connect(read_dsn(pair.home.service.process.config.database.owner_dsn_file))
    await owner.execute("CREATE TABLE copy AS SELECT * FROM transfers")
    case = await pair.handling.get(f"cases/{request.case_id}")
    await pair.handling.step("Decline", case, reason="不属于受理范围")
    await _settled(pair)
    told = await pair.transfer(pair.home, sent.name)
    assert told.progress.state == pb.CASE_STATE_NOT_ACCEPTED
    await owner.execute("DELETE FROM transfers; DELETE FROM idempotency; INSERT INTO transfers SELECT * FROM copy")
    await owner.execute("DELETE FROM transfer_messages WHERE incoming")
    await owner.close()
    assert not (await pair.transfer(pair.home, sent.name)).HasField("progress")
    await _minutes_pass(pair.home)
    await _settled(pair)
    assert (await pair.transfer(pair.home, sent.name)).progress == told.progress
    await _minutes_pass(pair.home)
    assert pair.handling.known.calls.count("ReceiveCaseTransfer") == 2
