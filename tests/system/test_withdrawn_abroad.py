"""What 六安 withdraws ends the tokens that 天宁 gave on its word: through both gateways, long before they end by themselves."""

import time
from collections.abc import Awaitable, Callable

import pytest
from joserfc.jwk import ECKey

from deploy.local.demo.gateway import Machine, request_id
from deploy.local.demo.people import Registry
from libs import outside
from libs.errors import TongbanError
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tongban.cases.v1 import case_service_pb2
from tongban.identity.v1 import client_service_pb2, mandate_service_pb2, resources_pb2, token_service_pb2
from tongban.options.v1 import options_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
_IN_A_ROW = 6
"""Refusals that tell that both replicas know."""


async def _abroad(regions: Regions, token: str) -> str:
    """天宁's token for who has ``token`` in 六安."""
    home, away = regions.home.gateway, regions.handling.gateway
    asserted = await home.exchange(
        token_service_pb2.ExchangeTokenRequest(
            subject_token=token, subject_token_type=ACCESS_TOKEN, audience=f"//{away.id}"
        )
    )
    accepted = await away.exchange(
        token_service_pb2.ExchangeTokenRequest(subject_token=asserted.access_token, subject_token_type=ASSERTION)
    )
    return accepted.access_token


async def _lists(regions: Regions, token: str) -> str:
    """What the guest comes to who lists their cases in 天宁: OK or the reason."""
    try:
        request, answer = case_service_pb2.ListCasesRequest(), case_service_pb2.ListCasesResponse
        await regions.handling.gateway.using(token).call(request, answer)
    except TongbanError as error:
        return error.reason
    return "OK"


async def _ends_abroad(
    regions: Regions, token: str, bystander: Registry, withdraw: Callable[[], Awaitable[object]]
) -> None:
    guest = await _abroad(regions, token)
    other = await _abroad(regions, await regions.home.token_of_person((await bystander.person()).name))
    assert [await _lists(regions, each) for each in (guest, other)] == ["OK", "OK"]
    await withdraw()
    began, refused = time.monotonic(), 0
    while refused < _IN_A_ROW:
        assert time.monotonic() - began < PATIENCE
        refused = refused + 1 if await _lists(regions, guest) == "TOKEN_INVALID" else 0
    left = outside.jwt_parts(guest, 8192)[1]["exp"] - time.time()
    assert left > 300  # its own end is far
    assert await _lists(regions, other) == "OK"


async def test_a_mandate_that_is_revoked_at_home_ends_abroad(regions: Regions) -> None:
    office = regions.home
    giver, agent = await Registry(office, 9121).person(), await Registry(office, 9122).person()
    own = office.gateway.human(office.channel, giver.name, "PERSON", acr="4")
    mandate = resources_pb2.Mandate(principal=giver.name, agent=agent.name)
    mandate.scope.all_items = True
    mandate.scope.powers.append(options_pb2.MANDATE_POWER_APPLY)
    mandate.end_time.FromJsonString("2024-11-01T00:00:00Z")
    given = mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id())
    name = (await own.call(given, resources_pb2.Mandate)).name
    acting = await office.gateway.exchanged(await office.token_of_person(agent.name), giver.name, name)
    revoke = mandate_service_pb2.RevokeMandateRequest(name=name, reason="不用了", request_id=request_id())
    await _ends_abroad(regions, acting, Registry(office, 9124), lambda: own.call(revoke, resources_pb2.Mandate))


async def test_a_channel_that_is_suspended_at_home_ends_its_peoples_tokens_abroad(regions: Regions) -> None:
    office = regions.home
    channel = await _channel(regions)
    person = await Registry(office, 9123).person()
    token = await office.gateway.human_token(channel, person.name, "PERSON", acr="4")
    suspend = client_service_pb2.SuspendClientRequest(name=channel.client_id, reason="失窃", request_id=request_id())
    admin = office.gateway.using(await office.admin_token())
    await _ends_abroad(regions, token, Registry(office, 9125), lambda: admin.call(suspend, resources_pb2.Client))


async def _channel(regions: Regions) -> Machine:
    """A channel of its own, behind which two administrators stand."""
    office = regions.home
    key = ECKey.generate_key("P-256", {"kid": "kiosk-1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    public = key.as_dict(private=False)
    jwk = resources_pb2.JsonWebKey(
        kid="kiosk-1", kty="EC", alg="ES256", use="sig", crv="P-256", x=str(public["x"]), y=str(public["y"])
    )
    client = resources_pb2.Client(
        display_name="自助终端",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[jwk]),
        assertion_right=resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=4),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id="kiosk-abroad", request_id=request_id())
    made = await office.gateway.using(await office.admin_token()).call(create, resources_pb2.Client)
    for administrator in ("administration", "administration2"):
        asked = office.gateway.using(await office.token_of(administrator))
        approve = client_service_pb2.ApproveClientRequest(name=made.name, etag=made.etag, request_id=request_id())
        made = await asked.call(approve, resources_pb2.Client)
    return Machine(made.name, key)
