"""What makes another able to speak for people takes two human beings (issue 5, B8; decision 0018)."""

from typing import Any

import pytest

from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import Town, reason_of, request_id, trusted
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import region_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTIVE, REQUESTED = resources_pb2.CLIENT_STATE_ACTIVE, resources_pb2.CLIENT_STATE_REQUESTED


def _keys(machine: Machine) -> resources_pb2.JsonWebKeySet:
    return resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)])


async def _channel(home: Town, name: str, token: str) -> tuple[Machine, resources_pb2.Client]:
    machine = Machine(name, new_key(f"{name}-1"))
    client = resources_pb2.Client(
        display_name="自助终端",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        jwks=_keys(machine),
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        assertion_right=resources_pb2.AssertionRight(
            actor_kinds=[options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF], max_assurance=4
        ),
    )
    create = pb.CreateClientRequest(client=client, client_id=name, request_id=request_id())
    return machine, await home.call(home.clients.CreateClient, create, resources_pb2.Client, token)


async def _approve(home: Town, client: resources_pb2.Client, token: str) -> resources_pb2.Client:
    request = pb.ApproveClientRequest(name=client.name, etag=client.etag, request_id=request_id())
    return await home.call(home.clients.ApproveClient, request, resources_pb2.Client, token)


async def _speaks(home: Town, machine: Machine, subject: str) -> str:
    """OK, or the reason why the machine can't speak for ``subject``."""
    assertion = machine.sign(subject, home.base, acr="4")
    answer = await home.post(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)
    return "OK" if answer.status_code == 200 else str(answer.json()["reason"])


async def test_one_human_being_makes_no_channel(home: Town) -> None:
    first, second = await home.administrators()
    machine, made = await _channel(home, "kiosk", first)
    assert (made.state, made.approvals) == (REQUESTED, 1)
    auditor = home.staff["auditing"]
    assert await _speaks(home, machine, auditor) == "CLIENT_NOT_ACTIVE"
    assert await reason_of(_approve(home, made, first)) == "ACTING_ON_SELF"
    assert await reason_of(_approve(home, made, await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    resume = pb.ResumeClientRequest(name=made.name, request_id=request_id())
    assert await reason_of(home.call(home.clients.ResumeClient, resume, resources_pb2.Client, first)) == (
        "STATE_CONFLICT"
    )
    assert await _speaks(home, machine, auditor) == "CLIENT_NOT_ACTIVE"
    stands = await _approve(home, made, second)
    assert (stands.state, stands.approvals) == (ACTIVE, 0)
    assert await _speaks(home, machine, auditor) == "OK"
    assert await reason_of(_approve(home, stands, second)) == "STATE_CONFLICT"


async def test_a_machine_counts_for_nobody(home: Town) -> None:
    """The region has a channel: the client of the first start makes no further one by itself."""
    machine, made = await _channel(home, "hotline", await home.admin_token())
    assert (made.state, made.approvals) == (REQUESTED, 0)
    first, second = await home.administrators()
    half = await _approve(home, made, first)
    assert (half.state, half.approvals) == (REQUESTED, 1)
    assert await _speaks(home, machine, home.staff["auditing"]) == "CLIENT_NOT_ACTIVE"
    assert await reason_of(_approve(home, made, second)) == "ETAG_MISMATCH"
    assert (await _approve(home, half, second)).state == ACTIVE


async def test_new_keys_of_a_channel_wait_for_two(home: Town) -> None:
    first, second = await home.administrators()
    old, made = await _channel(home, "app", first)
    waits = await _approve(home, made, second)
    for number, (asker, humans) in enumerate(((first, (second,)), (await home.admin_token(), (first, second)))):
        new = Machine("app", new_key(f"app-{number + 2}"))
        rotate = pb.RotateClientKeyRequest(
            name="clients/app", etag=waits.etag, jwks=_keys(new), request_id=request_id()
        )
        waits = await home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, asker)
        assert waits.pending_jwks.keys[0].kid == str(new.key.kid)
        auditor = home.staff["auditing"]
        assert await _speaks(home, new, auditor) == "TOKEN_INVALID"
        assert await _speaks(home, old, auditor) == "OK"
        for human in humans:
            waits = await _approve(home, waits, human)
        assert (waits.HasField("pending_jwks"), waits.approvals) == (False, 0)
        assert await _speaks(home, new, auditor) == "OK"
        assert await _speaks(home, old, auditor) == "TOKEN_INVALID"
        old = new


async def test_one_human_being_trusts_no_region(home: Town) -> None:
    first, second = await home.administrators()
    anchor = home.anchor()
    anchor.issuer = "https://evil.test"
    region = resources_pb2.Region(display_name="某地", anchor=anchor, inbound=trusted(4), outbound=trusted(4))
    propose = region_service_pb2.ProposeRegionRequest(region_id="110105", region=region, request_id=request_id())
    made = await home.call(home.regions.ProposeRegion, propose, resources_pb2.Region, first)
    activate = region_service_pb2.ActivateRegionRequest(name=made.name, etag=made.etag, request_id=request_id())

    async def activated(token: str) -> Any:
        return await home.call(home.regions.ActivateRegion, activate, resources_pb2.Region, token)

    assert await reason_of(activated(first)) == "ACTING_ON_SELF"
    assert await reason_of(activated(await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    # Other keys than those that somebody stands behind: who set them stands behind them alone.
    rekey = region_service_pb2.SetRegionKeysRequest(
        name=made.name, etag=made.etag, anchor=anchor, request_id=request_id()
    )
    changed = await home.call(home.regions.SetRegionKeys, rekey, resources_pb2.Region, second)
    assert await reason_of(activated(first)) == "ETAG_MISMATCH"
    activate.etag = changed.etag
    assert await reason_of(activated(second)) == "ACTING_ON_SELF"
    assert (await activated(first)).state == resources_pb2.REGION_STATE_ACTIVE
