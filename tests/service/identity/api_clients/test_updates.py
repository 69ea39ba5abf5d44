"""UpdateClient: less at once, also for tokens that were given before; more at once, but of a channel by two people."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgument
from tests.service.identity.api_clients.clients import (
    RIGHT,
    SYSTEM,
    a_machine,
    approve,
    asked_from,
    called,
    get,
    keys_of,
    make,
    make_channel,
    own,
    speaking,
    suspend,
    update,
)
from tests.support.client_keys import Machine, new_key
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2, staff_service_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTIVE, REQUESTED = resources_pb2.CLIENT_STATE_ACTIVE, resources_pb2.CLIENT_STATE_REQUESTED
LIST, READ = "identity.departments.list", "identity.clients.get"
LESS = resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=2)


def _at(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def _soon() -> Timestamp:
    return _at(datetime.now(UTC).replace(microsecond=0) + timedelta(days=90))


async def test_a_mask_changes_what_it_names_and_nothing_else(home: Town) -> None:
    made = await make(home, a_machine(), scopes=[LIST, READ])
    end = _soon()
    quota = resources_pb2.ClientQuota(per_second=5, per_day=900)
    found = await update(home, made, display_name="大数据平台", expire_time=end, quota=quota)
    assert (found.display_name, found.expire_time, found.quota) == ("大数据平台", end, quota)
    assert (found.scopes, found.jwks, found.create_time) == (made.scopes, made.jwks, made.create_time)
    assert found.etag != made.etag
    emptied = await update(home, found, expire_time=None, quota=None)
    assert not emptied.HasField("expire_time")
    assert emptied == await get(home, made.name)


async def test_all_is_what_a_caller_may_write_with_the_keys_as_they_stand(home: Town) -> None:
    made = await make(home, a_machine(), scopes=[LIST])
    whole = resources_pb2.Client()
    whole.CopyFrom(made)
    whole.display_name = "新名"
    request = pb.UpdateClientRequest(
        client=whole, update_mask=FieldMask(paths=["*"]), etag=made.etag, request_id=request_id()
    )
    token = await home.admin_token()
    found = await home.call(home.clients.UpdateClient, request, resources_pb2.Client, token)
    assert (found.display_name, found.scopes, found.jwks) == ("新名", made.scopes, made.jwks)
    # The repeat gets the same answer, whatever has changed since.
    await update(home, found, display_name="又新")
    assert await home.call(home.clients.UpdateClient, request, resources_pb2.Client, token) == found


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("jwks", keys_of(Machine("x", new_key("x"))), "client.rotate"),
        ("assertion_right", RIGHT, "client.assertion"),
        ("owner", "", "update_mask.immutable"),
        ("environment", resources_pb2.CLIENT_ENVIRONMENT_SANDBOX, "update_mask.immutable"),
        ("state", ACTIVE, "update_mask.output_only"),
        ("ip_ranges", ["203.0.113.1/24"], "client.ip_range"),
    ],
)
async def test_what_is_not_changed_so_is_refused(home: Town, field: str, value: Any, rule: str) -> None:
    made = await make(home, a_machine())
    with pytest.raises(InvalidArgument) as refused:
        await update(home, made, **{field: value})
    assert rule in {each.rule for each in refused.value.violations}


async def test_a_token_given_before_loses_what_was_narrowed(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, kind=SYSTEM, scopes=[LIST, READ])
    token = await home.machine_token(machine)
    listed = staff_service_pb2.ListDepartmentsRequest()
    assert await called(home.offices.ListDepartments, listed, token) == "OK"
    process = home.service.process
    # Early in a second: a token of this very second is refused too, and whoever narrowed waits for the next one.
    await asyncio.sleep(1 - process.wall.now().microsecond / 1_000_000)
    narrowed = await update(home, made, scopes=[READ])
    await process.withdrawals.look()  # what the process does every second by itself
    assert await called(home.offices.ListDepartments, listed, token) == "TOKEN_INVALID"
    assert (await home.verifier().verify(await home.machine_token(machine))).scopes == {READ}
    assert await asked_from(home, None, **own(home, machine), scope=LIST) == ("", "SCOPE_NOT_GRANTED")
    again = await update(home, narrowed, scopes=[READ, LIST])
    assert list(again.scopes) == [READ, LIST]


async def test_what_is_widened_takes_no_token_away(home: Town) -> None:
    machine = a_machine()
    made = await make(home, machine, scopes=[LIST])
    token = await home.machine_token(machine)
    await update(home, made, scopes=[LIST, READ])
    await home.service.process.withdrawals.look()
    assert await called(home.offices.ListDepartments, staff_service_pb2.ListDepartmentsRequest(), token) == "OK"


async def test_nobody_widens_beyond_what_they_hold(home: Town) -> None:
    made = await make(home, a_machine(), scopes=[LIST, READ])
    held = await home.machine_token(home.admin, f"identity.clients.update {READ}")
    for wider in ({"scopes": [LIST, READ, "identity.posts.create"]}, {"expire_time": _soon()}):
        narrowed = await update(home, made, held, expire_time=_at(datetime.now(UTC) + timedelta(days=1)))
        assert await reason_of(update(home, narrowed, held, **wider)) == "SCOPE_NOT_GRANTED"
        made = await update(home, narrowed, expire_time=None)
    assert list((await update(home, made, held, scopes=[READ])).scopes) == [READ]


async def test_a_stale_etag_and_a_refused_client_are_not_changed(home: Town) -> None:
    made = await make(home, a_machine())
    await update(home, made, display_name="一")
    assert await reason_of(update(home, made, display_name="二")) == "ETAG_MISMATCH"
    gone = resources_pb2.Client(name="clients/not-there", etag=made.etag)
    assert await reason_of(update(home, gone, display_name="二")) == "RESOURCE_NOT_FOUND"
    waits = await make(home, a_machine("app"), kind=resources_pb2.CLIENT_KIND_CHANNEL, assertion_right=RIGHT)
    refuse = pb.RefuseClientRequest(name=waits.name, reason="不符合条件", etag=waits.etag, request_id=request_id())
    refused = await home.call(home.clients.RefuseClient, refuse, resources_pb2.Client, await home.admin_token())
    assert await reason_of(update(home, refused, display_name="二")) == "STATE_CONFLICT"


async def test_one_human_being_widens_no_channel(home: Town) -> None:
    first, second = await home.administrators()
    machine, auditor = a_machine("app"), home.staff["auditing"]
    made = await make_channel(home, machine, assertion_right=LESS, ip_ranges=["203.0.113.0/24"])
    inside, outside = "203.0.113.9", "198.51.100.1"
    waits = await update(home, made, first, assertion_right=RIGHT, ip_ranges=None)
    assert (waits.state, waits.approvals, waits.assertion_right) == (ACTIVE, 1, LESS)
    assert (waits.pending_terms.assertion_right, list(waits.pending_terms.ip_ranges)) == (RIGHT, [])
    assert await asked_from(home, inside, **speaking(home, machine, auditor)) == ("", "CLIENT_MAY_NOT_ASSERT")
    assert await reason_of(approve(home, waits, first)) == "ACTING_ON_SELF"
    assert await reason_of(approve(home, waits, await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    stands = await approve(home, waits, second)
    assert (stands.approvals, stands.HasField("pending_terms"), stands.assertion_right) == (0, False, RIGHT)
    assert (await asked_from(home, outside, **speaking(home, machine, auditor)))[0]
    assert await reason_of(approve(home, stands, second)) == "STATE_CONFLICT"


async def test_a_machine_widens_a_channel_for_nobody(home: Town) -> None:
    made = await make_channel(home, a_machine("app"), scopes=[])
    waits = await update(home, made, scopes=[READ])
    assert (waits.approvals, list(waits.scopes), list(waits.pending_terms.scopes)) == (0, [], [READ])
    first, second = await home.administrators()
    half = await approve(home, waits, first)
    assert (half.approvals, list(half.scopes)) == (1, [])
    assert list((await approve(home, half, second)).scopes) == [READ]


async def test_a_channel_is_narrowed_by_one_and_at_once(home: Town) -> None:
    first, _ = await home.administrators()
    machine, person = a_machine("app"), await home.person()
    made = await make_channel(home, machine)
    token, _ = await asked_from(home, None, **speaking(home, machine, person))
    narrowed = await update(home, made, first, assertion_right=LESS)
    assert (narrowed.assertion_right, narrowed.HasField("pending_terms"), narrowed.approvals) == (LESS, False, 0)
    await home.service.process.withdrawals.look()
    read = pb.ListClientsRequest()
    assert await called(home.clients.ListClients, read, token) == "TOKEN_INVALID"
    assert await asked_from(home, None, **speaking(home, machine, home.staff["auditing"])) == (
        "",
        "CLIENT_MAY_NOT_ASSERT",
    )


async def test_of_what_is_moved_the_common_part_holds_until_two_agree(home: Town) -> None:
    first, second = await home.administrators()
    made = await make_channel(home, a_machine("app"), scopes=[LIST, READ], ip_ranges=["203.0.113.0/24"])
    waits = await update(home, made, first, scopes=[READ, "identity.posts.get"], ip_ranges=["203.0.113.0/25", "::/0"])
    assert (list(waits.scopes), list(waits.ip_ranges)) == ([READ], ["203.0.113.0/25"])
    stands = await approve(home, waits, second)
    assert (list(stands.scopes), list(stands.ip_ranges)) == ([READ, "identity.posts.get"], ["203.0.113.0/25", "::/0"])


async def test_one_thing_waits_at_a_time(home: Town) -> None:
    """Whoever approves stands behind what they saw, and nobody behind what another asked for before."""
    first, second = await home.administrators()
    machine = a_machine("app")
    made = await make_channel(home, machine, scopes=[])
    new = Machine(machine.client_id, new_key(f"{machine.client_id}-2"))

    def rotation(etag: str) -> pb.RotateClientKeyRequest:
        return pb.RotateClientKeyRequest(name=made.name, jwks=keys_of(new), etag=etag, request_id=request_id())

    rotated = await home.call(home.clients.RotateClientKey, rotation(made.etag), resources_pb2.Client, first)
    widened = await update(home, rotated, second, scopes=[READ])
    assert (widened.HasField("pending_jwks"), widened.HasField("pending_terms"), widened.approvals) == (False, True, 1)
    rotated = await home.call(home.clients.RotateClientKey, rotation(widened.etag), resources_pb2.Client, first)
    assert (rotated.HasField("pending_jwks"), rotated.HasField("pending_terms"), rotated.approvals) == (True, False, 1)
    stands = await approve(home, rotated, second)
    assert (stands.jwks.keys[0].kid, list(stands.scopes)) == (str(new.key.kid), [])
    # Saying again what stands takes back what waits.
    waits = await update(home, stands, first, scopes=[READ])
    back = await update(home, waits, second, scopes=None)
    assert (back.HasField("pending_terms"), back.approvals) == (False, 0)
    assert await reason_of(approve(home, back, second)) == "STATE_CONFLICT"


async def test_whoever_backed_a_waiting_channel_backs_no_other_terms(home: Town) -> None:
    first, second = await home.administrators()
    waits = await make(home, a_machine("app"), first, kind=resources_pb2.CLIENT_KIND_CHANNEL, assertion_right=LESS)
    assert (waits.state, waits.approvals) == (REQUESTED, 1)
    wider = await update(home, waits, second, assertion_right=RIGHT)
    assert (wider.state, wider.approvals, wider.assertion_right) == (REQUESTED, 1, RIGHT)
    assert await reason_of(approve(home, wider, second)) == "ACTING_ON_SELF"
    assert (await approve(home, wider, first)).state == ACTIVE


async def test_a_suspended_channel_widened_meanwhile_comes_back_by_two(home: Town) -> None:
    first, second = await home.administrators()
    machine = a_machine("app")
    made = await make_channel(home, machine, assertion_right=LESS)
    stopped = await suspend(home, made.name)
    wider = await update(home, stopped, first, assertion_right=RIGHT)
    assert wider.state == resources_pb2.CLIENT_STATE_SUSPENDED
    assert await asked_from(home, None, **speaking(home, machine, home.staff["auditing"])) == ("", "CLIENT_NOT_ACTIVE")
    resume = pb.ResumeClientRequest(name=made.name, request_id=request_id())
    waits = await home.call(home.clients.ResumeClient, resume, resources_pb2.Client, first)
    assert (waits.state, waits.approvals) == (REQUESTED, 1)
    assert (await approve(home, waits, second)).state == ACTIVE
