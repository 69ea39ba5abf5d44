"""The end of a client (合同到期): refused by its own name, told 30, 7 and 1 days before, once each, through restarts."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from libs.clock import FakeClock
from libs.db.schema import outbox
from libs.errors import InvalidArgument
from libs.rpc.token_types import ACCESS_TOKEN
from services.identity.api_clients.worker import ClientEnds
from services.identity.app import signing_keys
from services.identity.core.parts import parts_of
from tests.service.identity.api_clients.clients import (
    a_machine,
    asked_from,
    called,
    get,
    make,
    make_channel,
    own,
    speaking,
    suspend,
    update,
)
from tests.support import sql
from tests.support.outbox import emitted
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import events_pb2, resources_pb2, staff_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIST = "identity.departments.list"
ACTIVE, EXPIRED = resources_pb2.CLIENT_STATE_ACTIVE, resources_pb2.CLIENT_STATE_EXPIRED
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _at(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


async def test_an_ended_client_is_told_so_and_comes_back_when_its_end_is_moved(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, scopes=[LIST], expire_time=_at(_now() + DAY))
    token = await home.machine_token(machine)
    over = await update(home, made, expire_time=_at(_now() - SECOND))
    assert over.state == EXPIRED
    assert await asked_from(home, None, **own(home, machine)) == ("", "CLIENT_EXPIRED")
    await home.service.process.withdrawals.look()  # what the process does every second by itself
    listed = staff_service_pb2.ListDepartmentsRequest()
    assert await called(home.offices.ListDepartments, listed, token) == "TOKEN_INVALID"
    ended = pb.ListClientsRequest(filter="state = CLIENT_STATE_EXPIRED")
    page = await home.call(home.clients.ListClients, ended, pb.ListClientsResponse, await home.admin_token())
    assert made.name in {each.name for each in page.clients}
    assert {each.state for each in page.clients} == {EXPIRED}
    assert (await update(home, over, expire_time=_at(_now() + DAY))).state == ACTIVE
    assert (await asked_from(home, None, **own(home, machine)))[0]


async def test_a_token_ends_with_its_client(home: Town) -> None:
    machine, channel, person = a_machine(), a_machine("app"), await home.person()
    end = _now() + timedelta(seconds=120)
    await make(home, machine, expire_time=_at(end))
    await make_channel(home, channel, expire_time=_at(end))
    for form in (own(home, machine), speaking(home, channel, person), speaking(home, channel, home.staff["auditing"])):
        token, _ = await asked_from(home, None, **form)
        assert (await home.verifier().verify(token)).claims["exp"] == int(end.timestamp())


async def test_nothing_is_exchanged_that_came_through_an_ended_channel(home: Town) -> None:
    channel, boss = a_machine("app"), await home.person()
    made = await make_channel(home, channel)
    firm = (await home.firm(boss)).name
    token, _ = await asked_from(home, None, **speaking(home, channel, boss))
    assert await home.exchange(token, ACCESS_TOKEN, on_behalf_of=firm)
    await update(home, made, expire_time=_at(_now() - SECOND))
    assert await reason_of(home.exchange(token, ACCESS_TOKEN, on_behalf_of=firm)) == "CLIENT_EXPIRED"
    assert await asked_from(home, None, **speaking(home, channel, boss)) == ("", "CLIENT_EXPIRED")


async def test_no_client_is_made_that_has_ended_already(home: Town) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await make(home, a_machine(), expire_time=_at(_now() - SECOND))
    assert [each.field for each in refused.value.violations] == ["client.expire_time"]


async def test_it_is_told_how_old_a_key_is(home: Town) -> None:
    made = await make(home, a_machine())
    assert made.rotate_time.ToDatetime(UTC) >= _now() - DAY
    changed = await update(home, made, display_name="新名")
    assert changed.rotate_time == made.rotate_time
    request = pb.RotateClientKeyRequest(name=made.name, jwks=made.jwks, etag=changed.etag, request_id=request_id())
    rotated = await home.call(home.clients.RotateClientKey, request, resources_pb2.Client, await home.admin_token())
    assert rotated.rotate_time.ToNanoseconds() > made.rotate_time.ToNanoseconds()


def _ends(home: Town, now: datetime) -> ClientEnds:
    """What warns of ends, as a process has it that was started at this time."""
    process = home.service.process
    parts = parts_of(process, process.config, signing_keys(process))  # type: ignore[arg-type]
    return ClientEnds(replace(parts, wall=FakeClock(now)))


async def _told(home: Town, client: str) -> list[events_pb2.ClientExpiring]:
    """The warnings of a client, in their order."""
    async with home.service.process.database.read() as connection:
        rows = await sql.execute(connection, outbox.select().order_by(outbox.c.seq))
    kind, wire = "cn.tongban.identity.client.expiring.v1", home.service.process.wire
    found = [row for row in rows if row.type == kind and row.subject == client]
    return [events_pb2.ClientExpiring.FromString(emitted(wire, row)) for row in found]


async def test_the_end_is_told_once_each_time_and_through_restarts(home: Town) -> None:
    end = _now() + 400 * DAY
    made = await make(home, a_machine(), owner=home.department, expire_time=_at(end))
    seen = []
    for left in (31 * DAY, 30 * DAY, 29 * DAY, 7 * DAY, 6 * DAY, DAY, SECOND, -SECOND):
        for _ in range(2):  # the second time by a process that was started anew
            await _ends(home, end - left).look()
        seen.append([each.notice_days for each in await _told(home, made.name)])
    assert seen == [[], [30], [30], [30, 7], [30, 7], [30, 7, 1], [30, 7, 1], [30, 7, 1]]
    first = (await _told(home, made.name))[0]
    assert (first.client, first.owner, first.expire_time) == (made.name, home.department, _at(end))
    assert (await get(home, made.name)).etag == made.etag
    async with home.service.process.database.read() as connection:
        told = "convert_from(canonical, 'UTF8') LIKE '%clients:expiring%'"
        query = f"SELECT count(*) FROM audit_records WHERE object = '{made.name}' AND {told}"
        rows = await sql.execute(connection, query)
    assert [row[0] for row in rows] == [3]


async def test_of_what_is_due_together_the_last_is_told(home: Town) -> None:
    """A process that was away for weeks, or a contract that was made short, warns once and of what counts."""
    end = _now() + 400 * DAY
    made = await make(home, a_machine(), expire_time=_at(end))
    await _ends(home, end - 3 * DAY).look()
    assert [each.notice_days for each in await _told(home, made.name)] == [7]


async def test_of_an_end_that_was_moved_it_is_told_anew(home: Town) -> None:
    end = _now() + 400 * DAY
    made = await make(home, a_machine(), expire_time=_at(end))
    await _ends(home, end - DAY).look()
    renamed = await update(home, made, display_name="新名")
    await _ends(home, end - DAY).look()
    later = end + 300 * DAY
    await update(home, renamed, expire_time=_at(later))
    await _ends(home, later - 30 * DAY).look()
    assert [(each.notice_days, each.expire_time) for each in await _told(home, made.name)] == [
        (1, _at(end)),
        (30, _at(later)),
    ]


async def test_two_that_look_at_once_tell_once_and_of_a_suspended_client_nobody_tells(home: Town) -> None:
    end = _now() + 400 * DAY
    made = await make(home, a_machine(), expire_time=_at(end))
    out = await make(home, a_machine(), expire_time=_at(end))
    await suspend(home, out.name)
    one, other = _ends(home, end - DAY), _ends(home, end - DAY)
    await asyncio.gather(one.look(), other.look())
    assert [each.notice_days for each in await _told(home, made.name)] == [1]
    assert await _told(home, out.name) == []
