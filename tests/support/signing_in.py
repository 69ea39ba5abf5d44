"""People who sign in at the region's pages, in a browser without a script; and clients that send them there."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support import sql
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import Town, request_id
from tongban.identity.v1 import client_service_pb2, resources_pb2, sign_in_service_pb2, sign_in_service_pb2_grpc

REDIRECT = "https://partner.test/callback?from=tongban"
GOODBYE = "https://partner.test/bye"
PASSWORD = "青山一道同云雨2026"
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')


def sign_in_stub(town: Town) -> sign_in_service_pb2_grpc.SignInServiceStub:
    """The RPCs of what one signs in with."""
    return sign_in_service_pb2_grpc.SignInServiceStub(town.service.channel)


async def relying_party(
    town: Town,
    kind: "resources_pb2.ClientKind.ValueType" = resources_pb2.CLIENT_KIND_PARTNER,
    *scopes: str,
    **terms: Any,
) -> Machine:
    """Makes a client that people sign in to."""
    machine = Machine(f"rp-{secrets.token_hex(6)}", new_key("rp-1"))
    client = resources_pb2.Client(
        display_name="常州通",
        kind=kind,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
        scopes=scopes,
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[REDIRECT], post_logout_redirect_uris=[GOODBYE]),
        **terms,
    )
    request = client_service_pb2.CreateClientRequest(
        client=client, client_id=machine.client_id, request_id=request_id()
    )
    await town.call(town.clients.CreateClient, request, resources_pb2.Client, await town.admin_token())
    return machine


async def enrolled(town: Town, password: str = PASSWORD) -> str:
    """Opens a person's account and sets their password; returns the person."""
    person = await town.person()
    answer = await town.http.post("/oauth/enroll", data=filled(await enrollment(town, person), password))
    assert answer.status_code == 200, answer.text
    return person


async def enrollment(town: Town, person: str) -> str:
    """The secret of a page at which the person sets their password."""
    asked = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
    token = await town.human_token(person)
    opened = await town.call(sign_in_stub(town).BeginEnrollment, asked, sign_in_service_pb2.Enrollment, token)
    assert opened.uri.startswith(f"{town.base}/oauth/enroll?ticket=")
    return opened.uri.partition("ticket=")[2]


def filled(ticket: str, password: str, again: str | None = None) -> dict[str, str]:
    """The form of that page."""
    return {"ticket": ticket, "password": password, "again": password if again is None else again}


def ticket_of(page: httpx.Response) -> str:
    """The ticket in a page's form."""
    found = _TICKET.search(page.text)
    assert found, page.text
    return found[1]


def told(answer: httpx.Response) -> dict[str, str]:
    """What a client is told in the address that the browser is sent to."""
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(REDIRECT)
    said = parse_qs(urlsplit(location).query, keep_blank_values=True)
    assert said.pop("from") == ["tongban"]
    return {name: value for name, (value,) in said.items()}


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    """Checks that a client was refused so."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"


async def changed(town: Town, statement: str) -> None:
    """Changes rows as time or somebody else would."""
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, statement)


class Browser:
    """A person's browser: it keeps cookies, and sends what its forms hold."""

    def __init__(self, town: Town, party: Machine) -> None:
        self._town = town
        self._party = party
        self._http = httpx.AsyncClient(base_url=town.http.base_url, trust_env=False)
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self.page: httpx.Response | None = None

    def asked(self, **changes: Any) -> dict[str, str]:
        """What the client sends the browser with; None leaves something out."""
        parameters = {
            "response_type": "code",
            "client_id": self._party.client_id,
            "redirect_uri": REDIRECT,
            "scope": "openid profile offline_access",
            "state": "wie-gehts",
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in parameters.items() if value is not None}

    async def begin(self, **changes: Any) -> httpx.Response:
        """Goes where the client sends it."""
        self.page = await self._http.get("/oauth/authorize", params=self.asked(**changes))
        return self.page

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Sends the form of the page that it shows."""
        assert self.page is not None
        answer = await self._http.post(path, data={"ticket": ticket_of(self.page), **fields})
        if answer.status_code != 303:
            self.page = answer
        return answer

    async def submit_beside(self, path: str) -> httpx.Response:
        """Sends the ticket of the page that it shows, as the page's script does; the page stays."""
        assert self.page is not None
        return await self._http.post(path, data={"ticket": ticket_of(self.page)})

    async def sign_in(self, person: str, password: str = PASSWORD) -> httpx.Response:
        """Types number and password."""
        return await self.submit("/oauth/sign-in", login=self._town.numbers[person], password=password)

    async def knocked(self, page: httpx.Response, login: str, password: str, headers: dict[str, str]) -> httpx.Response:
        """Types what somebody guesses, from where ``headers`` say."""
        form = {"ticket": ticket_of(page), "login": login, "password": password}
        return await self._http.post("/oauth/sign-in", data=form, headers=headers)

    def cookie(self, name: str) -> str:
        """A cookie that it keeps, or an empty string."""
        return self._http.cookies.get(name) or ""

    async def code(self, person: str, **changes: Any) -> str:
        """Signs in, agrees where that is asked for, and returns the code."""
        answer = await self.begin(**changes)
        if answer.status_code == 200 and "/oauth/sign-in" in answer.text:
            answer = await self.sign_in(person)
        if answer.status_code == 200:
            answer = await self.submit("/oauth/consent", decision="allow")
        return told(answer)["code"]

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        """Opens a page."""
        return await self._http.get(path, params=parameters)

    async def post(self, path: str, **form: str) -> httpx.Response:
        """Sends a form."""
        return await self._http.post(path, data=form)

    async def tokens(self, code: str, **changes: str) -> httpx.Response:
        """What the client gets for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self._town.post(**form, **self._town.client_form(self._party))

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        """What the client gets for a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": token, **changes}
        return await self._town.post(**form, **self._town.client_form(self._party))

    async def signed_in(self, person: str, **changes: Any) -> dict[str, Any]:
        """Goes the whole way; returns the tokens."""
        answer = await self.tokens(await self.code(person, **changes))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def close(self) -> None:
        """Closes it."""
        await self._http.aclose()


Opened = Callable[[Machine], Browser]
"""Opens a browser that a client sends to sign in; it is closed with the test."""
