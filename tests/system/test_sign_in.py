"""A person signs in to a partner through the gateway of a region with two replicas of everything, and ends it from elsewhere."""

import asyncio
import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from deploy.local.demo.gateway import CLIENT_ASSERTION, Machine, request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from tests.support.client_keys import new_key, public_jwk
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tongban.identity.v1 import client_service_pb2, resources_pb2, sign_in_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
_PARTY, _REDIRECT, _PASSWORD = "signed-in-to", "https://partner.test/here", "春眠不觉晓处处闻啼鸟"
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')
_WHY = {"useContext": {"purposeCode": "OWN_USE", "purpose": "查询本人办件"}}


async def _party(office: Office, client_id: str = _PARTY) -> Machine:
    key = new_key("party-1")
    client = resources_pb2.Client(
        display_name="常州通",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["cases.cases.list"],
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[_REDIRECT]),
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=client_id, request_id=request_id())
    await office.gateway.using(await office.admin_token()).call(request, resources_pb2.Client)
    return Machine(client_id, key)


def _ticket(page: httpx.Response) -> str:
    found = _TICKET.search(page.text)
    assert found, page.text
    return found[1]


class _Partner:
    """The partner's server: it pushes what it wants, and exchanges the code."""

    def __init__(self, office: Office, machine: Machine, http: httpx.AsyncClient) -> None:
        self._gateway = office.gateway
        self._machine = machine
        self._http = http
        self._verifier = secrets.token_urlsafe(48)

    async def asks(self, path: str, **form: str) -> httpx.Response:
        """Sends a form, signed."""
        assertion = self._machine.sign(f"{self._gateway.url}/oauth/token", self._machine.client_id)
        proof = {"client_assertion_type": CLIENT_ASSERTION, "client_assertion": assertion}
        return await self._http.post(f"/oauth/{path}", data={**form, **proof})

    async def pushed(self) -> dict[str, str]:
        """Pushes a request; returns what the browser is sent with."""
        digest = hashlib.sha256(self._verifier.encode()).digest()
        pushed = await self.asks(
            "par",
            response_type="code",
            client_id=self._machine.client_id,
            redirect_uri=_REDIRECT,
            scope="openid offline_access cases.cases.list",
            code_challenge=base64.urlsafe_b64encode(digest).decode().rstrip("="),
            code_challenge_method="S256",
        )
        assert pushed.status_code == 201, pushed.text
        return {"client_id": self._machine.client_id, "request_uri": pushed.json()["request_uri"]}

    async def tokens(self, code: str) -> dict[str, str]:
        """Exchanges a code."""
        answer = await self.asks(
            "token",
            grant_type="authorization_code",
            code=code,
            redirect_uri=_REDIRECT,
            code_verifier=self._verifier,
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["tongban-receipt"]
        found: dict[str, str] = answer.json()
        return found


async def _signed_in(office: Office, browser: httpx.AsyncClient, asked: dict[str, str], number: str) -> str:
    """Signs in and agrees; returns the code."""
    page = await browser.get("/oauth/authorize", params=asked)
    form = {"ticket": _ticket(page), "login": number, "password": _PASSWORD}
    page = await browser.post("/oauth/sign-in", data=form)
    answer = await browser.post("/oauth/consent", data={"ticket": _ticket(page), "decision": "allow"})
    assert answer.status_code == 303, answer.text
    location = urlsplit(answer.headers["location"])
    assert parse_qs(location.query)["iss"] == [office.gateway.url]
    return parse_qs(location.query)["code"][0]


async def test_who_signed_in_is_served_until_they_end_it_from_elsewhere(regions: Regions) -> None:
    office = regions.handling
    resident = await Registry(office, 77).person()
    elsewhere = office.gateway.human(office.channel, resident.name, "PERSON", acr="4")
    begin = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
    opened = await elsewhere.call(begin, sign_in_service_pb2.Enrollment)
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False) as http:
        ticket = _ticket(await http.get(opened.uri))
        form = {"ticket": ticket, "password": _PASSWORD, "again": _PASSWORD}
        assert (await http.post("/oauth/enroll", data=form)).status_code == 200
        partner = _Partner(office, await _party(office), http)
        tokens = await partner.tokens(await _signed_in(office, http, await partner.pushed(), resident.number))
        served = {"authorization": f"Bearer {tokens['access_token']}"}
        # Both replicas of the service that is asked are told in their turn.
        for _ in range(4):
            assert (await http.post("/v1/cases:read", json=_WHY, headers=served)).status_code == 200
        (session,) = (await elsewhere.identity.list_sessions()).sessions
        assert list(session.clients) == [f"clients/{_PARTY}"]
        end = sign_in_service_pb2.EndSessionRequest(name=session.name, request_id=request_id())
        await elsewhere.call(end, sign_in_service_pb2.Session)
        refused = await partner.asks("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        async with asyncio.timeout(PATIENCE):
            in_a_row = 0
            while in_a_row < 4:
                answer = await http.post("/v1/cases:read", json=_WHY, headers=served)
                in_a_row = in_a_row + 1 if answer.status_code == 401 else 0
                await asyncio.sleep(0.1)
        assert answer.json()["details"][0]["reason"] == "TOKEN_INVALID"
        page = await http.get("/oauth/authorize", params=await partner.pushed())
        assert "/oauth/sign-in" in page.text


@pytest.mark.parametrize(
    ("claims", "status", "reason", "asked"),
    [
        ({"acr": "1"}, 403, "ASSURANCE_TOO_LOW", 'acr_values="2"'),
        ({"acr": "4", "auth_time": 1_700_000_000}, 401, "AUTHENTICATION_TOO_OLD", 'max_age="900"'),
    ],
    ids=["level", "age"],
)
async def test_what_a_better_sign_in_would_mend_says_so_in_a_header(
    regions: Regions, claims: dict[str, Any], status: int, reason: str, asked: str
) -> None:
    """RFC 9470, 3: a client that knows the RFC sends the browser to sign in with what the header asks for."""
    office = regions.handling
    resident = await Registry(office, 78 + status).person()
    token = await office.gateway.human_token(office.channel, resident.name, "PERSON", **claims)
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False) as http:
        answer = await http.post(
            "/v1/enrollments:begin", json={"requestId": request_id()}, headers={"authorization": f"Bearer {token}"}
        )
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (status, reason)
    assert answer.headers["www-authenticate"] == (
        f'Bearer realm="tongban", error="insufficient_user_authentication", {asked}'
    )
