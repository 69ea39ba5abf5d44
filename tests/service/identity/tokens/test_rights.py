"""No exchange, border or credential gives more than the giver has, and every party is looked at again (issue 5, B8)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from libs.access import roles
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import Federation
from tests.service.identity.tokens.test_federation import AWAY, DELEGATION, TRANSFER, _service_token
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import client_service_pb2, resources_pb2, staff_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
Exchanged = Callable[[], Awaitable[str]]


async def _abroad(federation: Federation, token: str, **fields: str) -> frozenset[str]:
    """The permissions that a token of home becomes at the other region."""
    assertion = await federation.home.exchange(token, audience=AWAY, **fields)
    guest = await federation.away.exchange(assertion, ASSERTION)
    return (await federation.away.verifier().verify(guest)).scopes


async def test_a_border_gives_nobody_a_right(federation: Federation) -> None:
    home = federation.home
    person = await home.person()
    one = await home.granted(**home.asserted(person), scope="cases.cases.get")
    assert await _abroad(federation, one) == {"cases.cases.get"}
    assert await _abroad(federation, await home.human_token(person)) == set(roles.PERSON)
    assert await _abroad(federation, await home.human_token(person), scope="cases.cases.list") == {"cases.cases.list"}
    reader = await home.granted(
        **home.asserted(home.staff["auditing"]), scope="sharing.dataGrants.list audit.auditRecords.list"
    )
    assert await _abroad(federation, reader) == {"sharing.dataGrants.list"}
    refused = home.exchange(one, audience=AWAY, scope="cases.cases.create")
    assert await reason_of(refused) == "SCOPE_NOT_GRANTED"


async def test_a_service_is_abroad_what_it_is_at_home_and_no_more(federation: Federation) -> None:
    seal = await _service_token(federation.home, "seal")
    assert await _abroad(federation, seal) == {"seal.certificates.get"}


async def test_an_assertion_that_names_no_permission_gives_none(federation: Federation) -> None:
    home, person = federation.home, await federation.home.person()
    token = await home.granted(**home.asserted(person), scope="audit.auditRecords.prove")
    assertion = await home.exchange(token, audience=AWAY)
    refused = federation.away.exchange(assertion, ASSERTION, scope="cases.cases.get")
    assert await reason_of(refused) == "SCOPE_NOT_GRANTED"


async def test_who_may_not_send_gets_no_delegation(federation: Federation) -> None:
    home = federation.home
    person = await home.human_token(await home.person())
    fields = {"audience": AWAY, "requested_token_type": DELEGATION, "transfer": TRANSFER}
    assert await reason_of(home.exchange(person, **fields)) == "SCOPE_NOT_GRANTED"
    narrow = await home.exchange(
        person, actor_token=await home.staff_token(), actor_token_type=ACCESS_TOKEN, scope="cases.cases.get"
    )
    assert await reason_of(home.exchange(narrow, **fields)) == "SCOPE_NOT_GRANTED"


async def _exchanges(home: Town) -> dict[str, Exchanged]:
    """Every exchange that begins with a token of this region, with tokens that were given already."""
    boss, agent = await home.person(), await home.person()
    firm = await home.firm(boss)
    boss_token, agent_token = await home.human_token(boss), await home.human_token(agent)
    clerk, service = await home.staff_token(), await _service_token(home)
    window = await home.at_window(boss_token, clerk)
    there = {"audience": AWAY}
    kept = {**there, "requested_token_type": DELEGATION, "transfer": TRANSFER}
    delegation = await home.exchange(window, **kept)
    by_service = {"actor_token": service, "actor_token_type": ACCESS_TOKEN}
    return {
        "assert a person": lambda: home.exchange(agent_token, **there),
        "assert staff": lambda: home.exchange(clerk, **there),
        "assert by a service": lambda: home.exchange(agent_token, **there, **by_service),
        "assert at a window": lambda: home.exchange(window, **there),
        "act for a firm": lambda: home.exchange(boss_token, on_behalf_of=firm.name),
        "act for a firm at a window": lambda: home.exchange(window, on_behalf_of=firm.name),
        "stand at a window": lambda: home.at_window(agent_token, clerk),
        "make a delegation": lambda: home.exchange(window, **kept),
        "use a delegation": lambda: home.exchange(
            delegation, DELEGATION, audience=AWAY, transfer=TRANSFER, requested_token_type=ASSERTION, **by_service
        ),
    }


async def _outcomes(exchanges: dict[str, Exchanged]) -> dict[str, str]:
    found = {}
    for name, exchange in exchanges.items():
        try:
            await exchange()
            found[name] = "OK"
        except Exception as error:  # noqa: BLE001 - its reason is what is looked at
            found[name] = getattr(error, "reason", repr(error))
    return found


async def _through_another_channel(home: Town) -> list[str]:
    usual, home.channel = home.channel, Machine("spare", new_key("spare-1"))
    spare, token = home.channel, await home.admin_token()
    made = await home.make_channel(token)
    home.channel = usual
    await home.approve(made.name)
    home.channel = spare
    tokens = await home.administrators()
    home.channel = usual
    return tokens


@asynccontextmanager
async def _suspended(home: Town) -> AsyncIterator[None]:
    # They come through another channel: what came through the suspended one is refused, theirs too.
    home_administrators = await _through_another_channel(home)
    token, name = await home.admin_token(), f"clients/{home.channel.client_id}"
    suspend = client_service_pb2.SuspendClientRequest(name=name, reason="失窃", request_id=request_id())
    await home.call(home.clients.SuspendClient, suspend, resources_pb2.Client, token)
    yield
    resume = client_service_pb2.ResumeClientRequest(name=name, request_id=request_id())
    await home.call(home.clients.ResumeClient, resume, resources_pb2.Client, token)
    for human in home_administrators:
        await _stand_behind(home, name, human)


async def _stand_behind(home: Town, name: str, token: str) -> resources_pb2.Client:
    get = client_service_pb2.GetClientRequest(name=name)
    etag = (await home.call(home.clients.GetClient, get, resources_pb2.Client, token)).etag
    approve = client_service_pb2.ApproveClientRequest(name=name, etag=etag, request_id=request_id())
    return await home.call(home.clients.ApproveClient, approve, resources_pb2.Client, token)


async def test_a_suspended_channels_tokens_beget_nothing(federation: Federation) -> None:
    exchanges = await _exchanges(federation.home)
    assert set((await _outcomes(exchanges)).values()) == {"OK"}
    async with _suspended(federation.home):
        found = await _outcomes(exchanges)
    assert found == dict.fromkeys(exchanges, "CLIENT_NOT_ACTIVE")


async def test_staff_who_left_their_post_stand_behind_no_exchange(federation: Federation) -> None:
    home = federation.home
    exchanges = await _exchanges(home)
    token, name, post = await home.admin_token(), home.staff["receiving"], home.posts["receiving"]
    request = staff_service_pb2.UnassignStaffRequest(name=name, post=post, request_id=request_id())
    await home.call(home.offices.UnassignStaff, request, resources_pb2.Staff, token)
    found = await _outcomes(exchanges)
    await home.assign(name, post, token)
    alone = {"assert a person", "assert by a service", "act for a firm"}
    assert found == {each: "OK" if each in alone else "STAFF_NOT_ACTIVE" for each in exchanges}


async def test_a_new_key_gives_nobody_more_than_they_have(home: Town) -> None:
    """Whoever sets a client's key is the client from then on."""
    rich = Machine("rich", new_key("rich-1"))
    admin = await home.admin_token()
    client = resources_pb2.Client(
        display_name="统计系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        scopes=["cases.cases.create", "identity.clients.*"],
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(rich.key)]),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id="rich", request_id=request_id())
    held = await home.call(home.clients.CreateClient, create, resources_pb2.Client, admin)
    mine = resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key("mine"))])
    narrow_admin = await home.machine_token(home.admin, "identity.clients.rotateKey identity.clients.create")
    narrow_self = await home.machine_token(rich, "identity.clients.rotateKey")
    for thief in (narrow_admin, narrow_self, await home.staff_token("administration")):
        rotate = client_service_pb2.RotateClientKeyRequest(
            name="clients/rich", etag=held.etag, jwks=mine, request_id=request_id()
        )
        stolen = home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, thief)
        assert await reason_of(stolen) == "SCOPE_NOT_GRANTED"
    await home.machine_token(rich)
    theirs = resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key("rich-2"))])
    rotate = client_service_pb2.RotateClientKeyRequest(
        name="clients/rich", etag=held.etag, jwks=theirs, request_id=request_id()
    )
    await home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, await home.machine_token(rich))


async def test_a_service_may_do_by_its_certificate_what_the_contract_lets_it_and_nothing_else(home: Town) -> None:
    calls: dict[str, tuple[Any, Any]] = {
        "CreateClient": (
            type(home.clients),
            client_service_pb2.CreateClientRequest(
                client=resources_pb2.Client(
                    display_name="x",
                    kind=resources_pb2.CLIENT_KIND_SYSTEM,
                    scopes=["identity.*"],
                    auth_method=resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET,
                ),
                client_id="from-a-service",
                request_id=request_id(),
            ),
        ),
        "UnassignStaff": (
            type(home.offices),
            staff_service_pb2.UnassignStaffRequest(
                name=home.staff["receiving"], post=home.posts["receiving"], request_id=request_id()
            ),
        ),
        "ListStaff": (type(home.offices), staff_service_pb2.ListStaffRequest()),
    }
    # No RPC of ClientService names a service; some of StaffService name the caller.
    refused = {"CreateClient": "PEER_NOT_ALLOWED"}
    for name, (stub, request) in calls.items():
        method = getattr(stub(home.neighbour("seal")), name)
        reason = await reason_of(home.call(method, request, Any, ""))
        assert reason == refused.get(name, "PERMISSION_MISSING"), name
    read = staff_service_pb2.GetStaffRequest(name=home.staff["receiving"])
    owner = type(home.offices)(home.neighbour("seal"))
    assert (await home.call(owner.GetStaff, read, resources_pb2.Staff, "")).name == read.name


async def test_a_window_adds_nothing_to_what_the_clerks_token_holds(home: Town) -> None:
    person = await home.human_token(await home.person())
    clerk = await home.granted(
        **home.asserted(home.staff["receiving"]),
        scope="cases.cases.create identity.mandates.create cases.caseTasks.list",
    )
    window = await home.verifier().verify(await home.at_window(person, clerk))
    assert window.scopes == {"cases.cases.create", "identity.mandates.create"}
    narrow = await home.granted(**home.asserted(await home.person()), scope="cases.cases.get cases.cases.create")
    window = await home.verifier().verify(await home.at_window(narrow, clerk))
    assert window.scopes == {"cases.cases.create"}
    whole = await home.verifier().verify(await home.at_window(person, await home.staff_token()))
    assert {"identity.mandates.create", "identity.consents.grant", "cases.caseTransfers.send"} <= whole.scopes
