"""A partner that knows RFC 9470: it sends its people to sign in with what a refusal asks for, and calls again."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from deploy.local.demo.gateway import CLIENT_ASSERTION, Machine, request_id
from deploy.local.demo.office import Office
from tests.support.client_keys import new_key, public_jwk
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

SCOPES = ("identity.mandates.create", "cases.cases.create", "cases.cases.submit")
_CHALLENGE = re.compile(
    r'Bearer realm="tongban", error="insufficient_user_authentication", (?P<name>acr_values|max_age)="(?P<value>\d+)"'
)


@dataclass
class Partner:
    """Its server: where it would like its people back, what it sends them with, and what it calls with the tokens that it gets."""

    back: str
    machine: Machine
    http: httpx.AsyncClient
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def asks(self, **wishes: str) -> str:
        """Where it sends the browser, with what a refusal asked for."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        said = {
            "response_type": "code",
            "client_id": self.machine.client_id,
            "redirect_uri": self.back,
            "scope": " ".join(("openid", *SCOPES)),
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **wishes,
        }
        return f"{self.http.base_url}/oauth/authorize?{urlencode(said)}"

    async def token(self, address: str) -> str:
        """The token of the code with which the browser came back to this address."""
        said = parse_qs(urlsplit(address).query)
        assert "code" in said, said
        where = f"{str(self.http.base_url).rstrip('/')}/oauth/token"
        form = {
            "grant_type": "authorization_code",
            "code": said["code"][0],
            "redirect_uri": self.back,
            "code_verifier": self.verifier,
            "client_assertion_type": CLIENT_ASSERTION,
            "client_assertion": self.machine.sign(where, self.machine.client_id),
        }
        answer = await self.http.post("/oauth/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def calls(self, path: str, body: dict[str, Any], token: str) -> httpx.Response:
        """Calls the region in the person's name."""
        told = {"requestId": request_id(), **body}
        return await self.http.post(path, json=told, headers={"authorization": f"Bearer {token}"})


def wishes_of(answer: httpx.Response) -> dict[str, str]:
    """What a refusal asks the partner to ask for (RFC 9470, 3); the server's own word, and nothing that the test knows."""
    found = _CHALLENGE.fullmatch(answer.headers.get("www-authenticate", ""))
    assert found, (answer.status_code, answer.text, answer.headers)
    return {found["name"]: found["value"]}


async def partner_of(office: Office, http: httpx.AsyncClient, back: str) -> Partner:
    """Makes its client: a channel, at which people do what they may do; two administrators stand behind it."""
    name, key = f"steps-up-{secrets.token_hex(4)}", new_key("party-1")
    client = resources_pb2.Client(
        display_name="常州通",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        assertion_right=resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=3),
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[back]),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=request_id())
    made = await office.gateway.using(await office.admin_token()).call(create, resources_pb2.Client)
    for duty in ("administration", "administration2"):
        if made.state != resources_pb2.CLIENT_STATE_ACTIVE:
            approve = client_service_pb2.ApproveClientRequest(name=made.name, etag=made.etag, request_id=request_id())
            made = await office.gateway.using(await office.token_of(duty)).call(approve, resources_pb2.Client)
    assert made.state == resources_pb2.CLIENT_STATE_ACTIVE
    return Partner(back, Machine(name, key), http)
