"""Tokens that only their holder can use: given for a proof, taken with a proof, exchanged with a proof (RFC 9449)."""

import time
import uuid
from typing import Any

import pytest
from redis.asyncio import Redis

from libs.errors import Unauthenticated
from libs.process import Process
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.api_clients.clients import a_machine, get, make, make_channel, update
from tests.service.identity.conftest import Federation
from tests.support.client_keys import Machine
from tests.support.proof_keys import Holder, bound_grant, bound_token, rpc
from tests.support.town import TOKEN_EXCHANGE, Town, reason_of
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
GET = "/tongban.identity.v1.ClientService/GetClient"
EXCHANGE = "/tongban.identity.v1.TokenService/ExchangeToken"
ME = client_service_pb2.GetClientRequest(name="clients/administrator")
DPOP = resources_pb2.SENDER_CONSTRAINT_DPOP
SAYS_NOTHING: dict[str, str] = {}


@pytest.fixture
def holder() -> Holder:
    return Holder()


def _machine_form(town: Town, machine: Machine) -> dict[str, str]:
    return {"grant_type": "client_credentials", **town.client_form(machine)}


async def _admin(home: Town, holder: Holder) -> str:
    return await bound_token(home, holder, **_machine_form(home, home.admin))


def _refused_at_oauth(answer: Any, rule: str = "") -> None:
    assert (answer.status_code, answer.json()["error"], answer.json()["reason"]) == (
        400,
        "invalid_dpop_proof",
        "POSSESSION_NOT_PROVEN",
    ), answer.text


async def _not_proven(home: Town, metadata: dict[str, str], rule: str, path: str = GET, request: Any = ME) -> None:
    with pytest.raises(Unauthenticated) as raised:
        await rpc(home, path, request, metadata)
    assert (raised.value.reason, raised.value.metadata["rule"]) == ("POSSESSION_NOT_PROVEN", rule)


async def test_a_client_that_proves_a_key_gets_a_token_bound_to_it(home: Town, holder: Holder) -> None:
    actor = await home.verifier().verify(await _admin(home, holder))
    assert actor.claims["cnf"] == {"jkt": holder.thumbprint}
    found = (await home.http.get("/.well-known/oauth-authorization-server")).json()
    assert found["dpop_signing_alg_values_supported"] == ["ES256", "PS256"]


async def test_it_is_taken_with_its_key_s_proof_alone(home: Town, holder: Holder) -> None:
    token = await _admin(home, holder)
    uri = f"{home.base}{GET}"
    shown = holder.shown("POST", uri, token)
    assert resources_pb2.Client.FromString(await rpc(home, GET, ME, shown)).name == ME.name
    await _not_proven(home, shown, "jti")
    await _not_proven(home, {"authorization": f"Bearer {token}"}, "missing")
    await _not_proven(home, {"authorization": f"DPoP {token}"}, "missing")
    await _not_proven(home, Holder().shown("POST", uri, token), "key")
    await _not_proven(home, holder.shown("POST", f"{home.base}{EXCHANGE}", token), "htu")
    await _not_proven(home, holder.shown("GET", uri, token), "htm")
    other = await _admin(home, holder)
    await _not_proven(home, {**shown, "dpop": holder.proof("POST", uri, other)}, "ath")
    bearer = await home.admin_token()
    await _not_proven(home, holder.shown("POST", uri, bearer), "unbound")


async def test_of_a_json_request_the_proof_is_for_what_the_gateway_saw(home: Town, holder: Holder) -> None:
    token = await _admin(home, holder)
    seen = {"x-tongban-method": "GET", "x-tongban-path": "/v1/clients/administrator", "x-tongban-request": "r-1"}
    shown = holder.shown("GET", f"{home.base}/v1/clients/administrator", token)
    await rpc(home, GET, ME, shown | seen)
    # What the gateway sends again is the same request; what comes again is not.
    await rpc(home, GET, ME, shown | seen)
    await _not_proven(home, shown | seen | {"x-tongban-request": "r-2"}, "jti")
    await _not_proven(home, holder.shown("POST", f"{home.base}{GET}", token) | seen, "htm")


async def test_a_neighbour_passes_on_what_was_looked_at(home: Town, holder: Holder) -> None:
    token = await bound_token(home, holder, **home.asserted(await home.person()))
    channel = home.neighbour("cases")
    path = "/tongban.identity.v1.MandateService/ListMandates"
    function: Any = channel.unary_unary(path)
    await function(b"", metadata=[("authorization", f"Bearer {token}")], timeout=30.0)
    await channel.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htu": "https://elsewhere.test/oauth/token"},
        {"iat": 1_700_000_000},
        {"header": {"typ": "JWT"}},
        {"jti": None},
    ],
)
async def test_what_is_no_proof_for_the_token_endpoint_gives_nothing(
    home: Town, holder: Holder, changes: dict[str, Any]
) -> None:
    proof = holder.proof("POST", f"{home.base}/oauth/token", **{"htm": "POST", **changes})
    answer = await home.http.post("/oauth/token", data=_machine_form(home, home.admin), headers={"dpop": proof})
    _refused_at_oauth(answer)


async def test_a_proof_is_good_once_and_one_at_a_time(home: Town, holder: Holder) -> None:
    uri = f"{home.base}/oauth/token"
    headers = {"dpop": holder.proof("POST", uri)}
    first = await home.http.post("/oauth/token", data=_machine_form(home, home.admin), headers=headers)
    assert first.status_code == 200
    _refused_at_oauth(await home.http.post("/oauth/token", data=_machine_form(home, home.admin), headers=headers))
    two = [("dpop", holder.proof("POST", uri)), ("dpop", holder.proof("POST", uri))]
    _refused_at_oauth(await home.http.post("/oauth/token", data=_machine_form(home, home.admin), headers=two))


async def test_without_redis_no_proof_is_taken(home: Town, holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await _admin(home, holder)
    used = home.service.process.proofs._used
    monkeypatch.setattr(used, "_redis", Redis.from_url("redis://127.0.0.1:1/0"))
    secret = _machine_form(home, home.admin)
    answer = await bound_grant(home, holder, **secret)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert await reason_of(rpc(home, GET, ME, holder.shown("POST", f"{home.base}{GET}", token))) == (
        "DEPENDENCY_UNAVAILABLE"
    )


async def test_people_at_a_channel_get_bound_tokens_too(home: Town, holder: Holder) -> None:
    person = await home.person()
    actor = await home.verifier().verify(await bound_token(home, holder, **home.asserted(person)))
    assert (actor.subject, actor.bound_key) == (person, holder.thumbprint)
    clerk = await home.verifier().verify(await bound_token(home, holder, **home.asserted(home.staff["receiving"])))
    assert clerk.bound_key == holder.thumbprint


async def test_an_exchange_asks_for_the_key_and_binds_to_it(home: Town, holder: Holder) -> None:
    token = await bound_token(home, holder, **home.asserted(person := await home.person()))
    firm = await home.firm(person)
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "on_behalf_of": firm.name,
    }
    _refused_at_oauth(await home.post(**form))
    _refused_at_oauth(await bound_grant(home, Holder(), **form))
    actor = await home.verifier().verify(await bound_token(home, holder, **form))
    assert (actor.organization, actor.bound_key) == (firm.name, holder.thumbprint)


async def test_so_does_the_rpc(home: Town, holder: Holder) -> None:
    token = await bound_token(home, holder, **home.asserted(person := await home.person()))
    firm = await home.firm(person)
    request = pb.ExchangeTokenRequest(subject_token=token, subject_token_type=ACCESS_TOKEN, on_behalf_of=firm.name)
    await _not_proven(home, SAYS_NOTHING, "key", EXCHANGE, request)
    uri = f"{home.base}{EXCHANGE}"
    made = pb.ExchangeTokenResponse.FromString(await rpc(home, EXCHANGE, request, {"dpop": holder.proof("POST", uri)}))
    assert made.token_type == "DPoP"
    assert (await home.verifier().verify(made.access_token)).bound_key == holder.thumbprint
    # Also with the token beside it, whose proof is used up then.
    await rpc(home, EXCHANGE, request, holder.shown("POST", uri, token))
    thief = Holder()
    await _not_proven(home, {"dpop": thief.proof("POST", uri)}, "key", EXCHANGE, request)


async def test_at_a_window_one_key_proves_both_tokens(home: Town, holder: Holder) -> None:
    person = await bound_token(home, holder, **home.asserted(await home.person()))
    clerk = await bound_token(home, holder, **home.asserted(home.staff["receiving"]))
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": person,
        "subject_token_type": ACCESS_TOKEN,
        "actor_token": clerk,
        "actor_token_type": ACCESS_TOKEN,
    }
    assert (await home.verifier().verify(await bound_token(home, holder, **form))).bound_key == holder.thumbprint
    another = await bound_token(home, Holder(), **home.asserted(home.staff["receiving"]))
    _refused_at_oauth(await bound_grant(home, holder, **form | {"actor_token": another}))


async def test_over_the_border_the_key_goes_along(federation: Federation, holder: Holder) -> None:
    home, away = federation.home, federation.away
    token = await bound_token(home, holder, **home.asserted(await home.person()))
    asked = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}

    async def word() -> str:
        answer = await bound_grant(home, holder, **asked, audience="//320402")
        assert (answer.status_code, answer.json()["token_type"]) == (200, "N_A"), answer.text
        return str(answer.json()["access_token"])

    shown = {"grant_type": TOKEN_EXCHANGE, "subject_token": await word(), "subject_token_type": ASSERTION}
    _refused_at_oauth(await away.post(**shown))
    _refused_at_oauth(await bound_grant(away, Holder(), **shown))
    guest = await away.verifier().verify(await bound_token(away, holder, **shown))
    assert (guest.region, guest.bound_key) == ("341500", holder.thumbprint)


async def test_a_service_goes_over_the_border_for_whoever_showed_their_key(
    federation: Federation, holder: Holder
) -> None:
    """It was handed the token inside the region, has no key, and what it gets is bound to none."""
    home, away = federation.home, federation.away
    token = await bound_token(home, holder, **home.asserted(await home.person()))
    channel = home.neighbour("cases")
    function: Any = channel.unary_unary(EXCHANGE, request_serializer=pb.ExchangeTokenRequest.SerializeToString)
    request = pb.ExchangeTokenRequest(subject_token=token, subject_token_type=ACCESS_TOKEN, audience="//320402")
    made = pb.ExchangeTokenResponse.FromString(await function(request, timeout=30.0))
    await channel.close()
    guest = await away.verifier().verify(await away.exchange(made.access_token, ASSERTION))
    assert (guest.region, guest.bound_key) == ("341500", "")


async def test_a_client_that_demands_it_gets_no_bearer_s_token(home: Town, holder: Holder) -> None:
    machine = a_machine()
    made = await make(home, machine, scopes=["identity.clients.get"], sender_constraint=DPOP)
    assert made.sender_constraint == DPOP
    _refused_at_oauth(await home.post(**_machine_form(home, machine)))
    await bound_token(home, holder, **_machine_form(home, machine))
    freed = await update(home, made, sender_constraint=resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED)
    assert freed.sender_constraint == resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED
    assert (await home.post(**_machine_form(home, machine))).json()["token_type"] == "Bearer"


async def test_once_it_is_demanded_bearer_s_tokens_from_before_are_worth_nothing(home: Town, holder: Holder) -> None:
    machine = a_machine("ch")
    channel = await make_channel(home, machine)
    person = await home.person()
    said = {"acr": "4", "auth_time": int(time.time())}

    def form() -> dict[str, str]:
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {"grant_type": grant, "assertion": machine.sign(person, home.base, **said)}

    bearer = await home.granted(**form())
    firm = await home.firm(person)
    channel = await update(home, await get(home, channel.name), sender_constraint=DPOP)
    _refused_at_oauth(await home.post(**form()))
    withdrawn = home.service.process.withdrawals
    await withdrawn.look()
    with pytest.raises(Unauthenticated):
        await home.verifier().verify(bearer)
    exchange = {"grant_type": TOKEN_EXCHANGE, "subject_token": bearer, "subject_token_type": ACCESS_TOKEN}
    _refused_at_oauth(await home.post(**exchange, on_behalf_of=firm.name))
    # To let bearers in again is more, and of a channel waits for two people.
    waiting = await update(home, channel, sender_constraint=resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED)
    assert (waiting.sender_constraint, waiting.HasField("pending_terms")) == (DPOP, True)
    assert waiting.pending_terms.sender_constraint == resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED
    _refused_at_oauth(await home.post(**form()))
    freed = await home.approve(channel.name)
    assert freed.sender_constraint == resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED
    assert (await home.post(**form())).status_code == 200


async def test_ids_of_proofs_lie_in_redis_as_digests(home: Town, holder: Holder) -> None:
    process: Process = home.service.process
    jti = str(uuid.uuid4())
    proof = holder.proof("POST", f"{home.base}/oauth/token", jti=jti)
    await home.http.post("/oauth/token", data=_machine_form(home, home.admin), headers={"dpop": proof})
    names = await process.redis.keys("tongban:341500:proofs:*")
    assert names
    assert not any(jti in str(name) for name in names)
    assert all([0 < await process.redis.ttl(name) <= 190 for name in names])
