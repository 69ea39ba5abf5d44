"""Clients that come with a certificate, and tokens bound to it: given, taken, exchanged, refused; and headers that nobody can forge (RFC 8705)."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from libs.errors import TongbanError, Unauthenticated
from libs.rpc.token_types import ACCESS_TOKEN
from tests.service.identity.api_clients.clients import a_machine, get, make, make_channel, update
from tests.service.identity.conftest import POSTS
from tests.support.certified_town import MTLS_URL, at_the_door, certified_town, granted, own, partner, posted
from tests.support.partner_certificates import HeldCertificate, Signer
from tests.support.proof_keys import Holder, rpc
from tests.support.service import Ground
from tests.support.signing_in import REDIRECT, Opened, enrolled
from tests.support.town import TOKEN_EXCHANGE, Town
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIGNER = Signer("partners")
GET = "/tongban.identity.v1.ClientService/GetClient"
EXCHANGE = "/tongban.identity.v1.TokenService/ExchangeToken"
MTLS = resources_pb2.SENDER_CONSTRAINT_MTLS
READS = ["identity.clients.get", "identity.clients.list"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region that takes certificates."""
    async with certified_town(ground, tmp_path_factory.mktemp("certified")) as found:
        await found.settle(*POSTS)
        yield found


@pytest.fixture
def held() -> HeldCertificate:
    return SIGNER.sign("erp")


@pytest.fixture
def stranger() -> HeldCertificate:
    return SIGNER.sign("stranger")


def _refused(answer: httpx.Response, error: str, reason: str, status: int = 400) -> None:
    said = answer.json()
    assert (answer.status_code, said["error"], said.get("reason", "")) == (status, error, reason), answer.text


async def _not_presented(home: Town, metadata: dict[str, str], rule: str, path: str = GET, request: Any = None) -> None:
    asked = request or client_service_pb2.GetClientRequest(name="clients/administrator")
    with pytest.raises(Unauthenticated) as raised:
        await rpc(home, path, asked, metadata)
    assert (raised.value.reason, raised.value.metadata) == ("CERTIFICATE_NOT_PRESENTED", {"rule": rule})


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_who_comes_with_a_certificate_gets_a_token_bound_to_it(home: Town, held: HeldCertificate) -> None:
    made = await partner(home, held)
    actor = await home.verifier().verify(await granted(home, held, **own(made)))
    assert (actor.client, actor.claims["cnf"]) == (
        own(made)["client_id"],
        {"x5t#S256": made.certificates[0].thumbprint},
    )
    assert (made.certificates[0].subject, made.certificates[0].certificate) == ("CN=erp", held.der)


async def test_it_is_taken_with_the_certificate_alone(
    home: Town, held: HeldCertificate, stranger: HeldCertificate
) -> None:
    token = await granted(home, held, **own(made := await partner(home, held, scopes=READS)))
    asked = client_service_pb2.GetClientRequest(name=made.name)
    assert resources_pb2.Client.FromString(await rpc(home, GET, asked, _bearer(token) | held.told)).name == made.name
    await rpc(home, GET, asked, _bearer(token) | held.told)
    await _not_presented(home, _bearer(token), "missing")
    await _not_presented(home, _bearer(token) | stranger.told, "other")
    await _not_presented(home, _bearer(token) | {"x-forwarded-client-cert": "Hash=none"}, "missing")
    both = {"x-forwarded-client-cert": f"Hash={stranger.digest},Hash={held.digest}"}
    await _not_presented(home, _bearer(token) | both, "missing")
    # A proof is no certificate.
    shown = Holder().shown("POST", f"{home.base}{GET}", token)
    with pytest.raises(Unauthenticated, match="POSSESSION_NOT_PROVEN"):
        await rpc(home, GET, asked, shown | held.told)


async def test_only_its_own_certificates_prove_who_a_client_is(
    home: Town, held: HeldCertificate, stranger: HeldCertificate
) -> None:
    made = await partner(home, held)
    await partner(home, stranger)
    _refused(await posted(home, stranger, **own(made)), "invalid_client", "TOKEN_INVALID", 401)
    _refused(await posted(home, held, **own(made) | {"client_id": "nobody"}), "invalid_client", "TOKEN_INVALID", 401)
    _refused(
        await posted(home, held, **own(made) | {"client_id": "administrator"}), "invalid_client", "TOKEN_INVALID", 401
    )
    _refused(await posted(home, None, **own(made)), "invalid_client", "", 401)


async def test_at_the_plain_door_a_header_proves_nothing(home: Town, held: HeldCertificate) -> None:
    """Certificates are public: whoever can write that header would be any client."""
    made = await partner(home, held, scopes=READS)
    for name in ("x-forwarded-client-cert", "X-Forwarded-Client-Cert"):
        told = {name: held.told["x-forwarded-client-cert"]}
        answer = await home.http.post("/oauth/token", data=own(made), headers=told)
        _refused(answer, "invalid_client", "", 401)
        # Nor is a token bound by it.
        form = {"grant_type": "client_credentials", **home.client_form(home.admin)}
        answer = await home.http.post("/oauth/token", data=form, headers=told)
        assert "cnf" not in (await home.verifier().verify(answer.json()["access_token"])).claims
    token = await granted(home, held, **own(made))
    answer = await home.http.get("/oauth/userinfo", headers=_bearer(token) | held.told)
    _refused(answer, "invalid_token", "CERTIFICATE_NOT_PRESENTED", 401)


async def test_the_other_door_is_the_gateway_s_alone(home: Town, held: HeldCertificate) -> None:
    """A neighbour has a certificate of the region too, and says who comes with which certificate no more than anybody else."""
    form = own(await partner(home, held))
    for process in ("cases", ""):
        async with at_the_door(home, process) as door:
            with pytest.raises(httpx.TransportError):
                await door.post("/oauth/token", data=form, headers=held.told)
    plain = httpx.AsyncClient(base_url=str(at_the_door(home).base_url).replace("https", "http"), trust_env=False)
    async with plain:
        with pytest.raises(httpx.TransportError):
            await plain.post("/oauth/token", data=form, headers=held.told)


async def test_a_neighbour_s_word_at_the_service_s_port_binds_nothing(home: Town, held: HeldCertificate) -> None:
    token = await granted(home, held, **own(await partner(home, held, scopes=READS)))
    channel = home.neighbour("cases")
    function: Any = channel.unary_unary(EXCHANGE, request_serializer=pb.ExchangeTokenRequest.SerializeToString)
    person = await home.human_token(boss := await home.person())
    firm = await home.firm(boss)
    request = pb.ExchangeTokenRequest(subject_token=person, subject_token_type=ACCESS_TOKEN, on_behalf_of=firm.name)
    answer = pb.ExchangeTokenResponse.FromString(
        await function(request, metadata=list(held.told.items()), timeout=30.0)
    )
    await channel.close()
    assert "cnf" not in (await home.verifier().verify(answer.access_token)).claims
    assert token


async def test_exchanges_ask_for_the_certificate_and_keep_it(
    home: Town, held: HeldCertificate, stranger: HeldCertificate
) -> None:
    person = await home.person()
    token = await granted(home, held, **home.asserted(person))
    firm = await home.firm(person)
    shown = {"subject_token": token, "subject_token_type": ACCESS_TOKEN, "on_behalf_of": firm.name}
    form = {"grant_type": TOKEN_EXCHANGE, **shown}
    _refused(await home.post(**form), "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    _refused(await posted(home, stranger, **form), "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    actor = await home.verifier().verify(await granted(home, held, **form))
    assert (actor.organization, actor.bound_key) == (
        firm.name,
        (await home.verifier().verify(token)).bound_key,
    )
    request = pb.ExchangeTokenRequest(**shown)
    await _not_presented(home, {}, "missing", EXCHANGE, request)
    await _not_presented(home, stranger.told, "other", EXCHANGE, request)
    for metadata in (held.told, held.told | _bearer(token)):
        made = pb.ExchangeTokenResponse.FromString(await rpc(home, EXCHANGE, request, metadata))
        assert made.token_type == "Bearer"
        assert (await home.verifier().verify(made.access_token)).bound_key == actor.bound_key


async def test_at_a_window_both_tokens_are_of_one_certificate(home: Town, held: HeldCertificate) -> None:
    person = await granted(home, held, **home.asserted(await home.person()))
    clerk = await home.staff_token()
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": person,
        "subject_token_type": ACCESS_TOKEN,
        "actor_token": clerk,
        "actor_token_type": ACCESS_TOKEN,
    }
    assert "cnf" in (await home.verifier().verify(await granted(home, held, **form))).claims
    other = await granted(home, SIGNER.sign("window"), **home.asserted(home.staff["receiving"]))
    _refused(await posted(home, held, **form | {"actor_token": other}), "invalid_request", "CERTIFICATE_NOT_PRESENTED")


async def test_people_sign_in_to_a_client_that_comes_with_a_certificate(
    home: Town, held: HeldCertificate, stranger: HeldCertificate, opened: Opened
) -> None:
    """Code, userinfo, introspection and refresh: all with the certificate, and nothing without."""
    made = await partner(home, held, sign_in=resources_pb2.ClientSignIn(redirect_uris=[REDIRECT]))
    me = {"client_id": own(made)["client_id"]}
    person = await enrolled(home)
    browser = opened(a_machine())
    code = await browser.code(person, **me)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": browser.verifier,
    }
    _refused(await posted(home, None, **form, **me), "invalid_client", "", 401)
    _refused(await posted(home, stranger, **form, **me), "invalid_client", "TOKEN_INVALID", 401)
    first = (await posted(home, held, **form, **me)).json()
    token = first["access_token"]
    async with at_the_door(home) as door:
        user = await door.get("/oauth/userinfo", headers=_bearer(token) | held.told)
        assert (user.status_code, user.json()["sub"]) == (200, person), user.text
        for told in ({}, stranger.told):
            user = await door.get("/oauth/userinfo", headers=_bearer(token) | told)
            _refused(user, "invalid_token", "CERTIFICATE_NOT_PRESENTED", 401)
            assert 'error="invalid_token"' in user.headers["www-authenticate"]
    good = (await posted(home, held, "/oauth/introspect", token=token, **me)).json()
    thumbprint = made.certificates[0].thumbprint
    assert (good["active"], good["token_type"], good["cnf"]) == (True, "Bearer", {"x5t#S256": thumbprint})
    _refused(
        await posted(home, stranger, "/oauth/introspect", token=token, **me), "invalid_client", "TOKEN_INVALID", 401
    )
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **me}
    _refused(await home.post(**again), "invalid_client", "", 401)
    fresh = await home.verifier().verify(await granted(home, held, **again))
    assert fresh.claims["cnf"] == {"x5t#S256": thumbprint}


async def test_a_sign_in_that_was_bound_gives_no_bearer_s_token_any_more(
    home: Town, held: HeldCertificate, opened: Opened
) -> None:
    machine = a_machine()
    await make(home, machine, sign_in=resources_pb2.ClientSignIn(redirect_uris=[REDIRECT]))
    browser = opened(machine)
    code = await browser.code(await enrolled(home))
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": browser.verifier,
    }
    first = (await posted(home, held, **form, **home.client_form(machine))).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    _refused(await home.post(**refresh, **home.client_form(machine)), "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    await granted(home, held, **refresh, **home.client_form(machine))


async def test_a_client_can_be_made_to_come_with_a_certificate(
    home: Town, held: HeldCertificate, stranger: HeldCertificate
) -> None:
    """Also one that signs by its key; what it got before is worth nothing."""
    machine = a_machine()
    made = await make(home, machine, scopes=READS)

    def form() -> dict[str, str]:
        return {"grant_type": "client_credentials", **home.client_form(machine)}

    before = await home.granted(**form())
    made = await update(home, made, sender_constraint=MTLS)
    assert made.sender_constraint == MTLS
    await home.service.process.withdrawals.look()
    with pytest.raises(TongbanError, match="TOKEN_INVALID"):
        await home.verifier().verify(before)
    _refused(await home.post(**form()), "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    await granted(home, held, **form())
    async with at_the_door(home) as door:
        proof = {"dpop": Holder().proof("POST", f"{MTLS_URL}/oauth/token")}
        answer = await door.post("/oauth/token", data=form(), headers=held.told | proof)
    _refused(answer, "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    # A proof for the listener's own address is a proof, for who may bring one.
    freed = await update(home, made, sender_constraint=resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED)
    async with at_the_door(home) as door:
        proof = {"dpop": Holder().proof("POST", f"{MTLS_URL}/oauth/token")}
        answer = await door.post("/oauth/token", data=form(), headers=stranger.told | proof)
    assert (answer.json()["token_type"], freed.sender_constraint) == ("DPoP", 0)


async def test_a_channel_that_must_come_with_one_gets_people_s_tokens_with_one(
    home: Town, held: HeldCertificate
) -> None:
    machine = a_machine("ch")
    channel = await make_channel(home, machine)
    person = await home.person()
    said = {"acr": "4", "auth_time": int(time.time())}

    def form() -> dict[str, str]:
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {
            "grant_type": grant,
            "assertion": machine.sign(person, MTLS_URL, **said),
            "client_id": machine.client_id,
        }

    bearer = await home.granted(**form())
    firm = await home.firm(person)
    channel = await update(home, await get(home, channel.name), sender_constraint=MTLS)
    _refused(await home.post(**form()), "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    assert (await home.verifier().verify(await granted(home, held, **form()))).subject == person
    exchange = {"grant_type": TOKEN_EXCHANGE, "subject_token": bearer, "subject_token_type": ACCESS_TOKEN}
    answer = await home.post(**exchange, on_behalf_of=firm.name)
    _refused(answer, "invalid_request", "CERTIFICATE_NOT_PRESENTED")
    # To come without is more, and of a channel waits for two people; so does another way to bind.
    waiting = await update(home, channel, sender_constraint=resources_pb2.SENDER_CONSTRAINT_DPOP)
    assert (waiting.sender_constraint, waiting.HasField("pending_terms")) == (MTLS, True)


async def test_what_is_published_tells_where_certificates_are_taken(home: Town) -> None:
    found = (await home.http.get("/.well-known/oauth-authorization-server")).json()
    assert found["tls_client_certificate_bound_access_tokens"] is True
    assert "tls_client_auth" in found["token_endpoint_auth_methods_supported"]
    aliases = found["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == f"{MTLS_URL}/oauth/token"
    # RFC 8705, 5: an alias of an endpoint has its name.
    assert aliases.items() <= {k: v.replace(home.base, MTLS_URL) for k, v in found.items() if k in aliases}.items()
