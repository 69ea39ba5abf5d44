"""Clients that people sign in to, and people with a password, made through the gateway."""

import json
import re

import httpx

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import open_person
from libs.ids.synthetic import SyntheticPopulation
from tests.peers.conftest import Town
from tests.support.client_keys import new_key, public_jwk
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import (
    client_service_pb2,
    client_service_pb2_grpc,
    resources_pb2,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
)

PASSWORD_KIND = sign_in_service_pb2.AUTHENTICATOR_KIND_PASSWORD
PASSWORD = "会当凌绝顶一览众山小"
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')


async def registered(
    town: Town, client_id: str, redirect: str, *scopes: str, at_devices: bool = False, bound: bool = False
) -> str:
    """Registers a client, to which people sign in at devices too where that is wished; returns its key, private, as a JWK.

    ``bound``: it gets tokens that are bound to a key, and no others.
    """
    key = new_key("openid-1")
    client = resources_pb2.Client(
        display_name="常州通",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[redirect], post_logout_redirect_uris=[redirect]),
        device_sign_in=at_devices,
        scopes=scopes,
        sender_constraint=resources_pb2.SENDER_CONSTRAINT_DPOP
        if bound
        else resources_pb2.SENDER_CONSTRAINT_UNSPECIFIED,
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=client_id, request_id=request_id())
    stub = client_service_pb2_grpc.ClientServiceStub(town.office.gateway.channel)
    token = await town.office.admin_token()
    await town.office.gateway.call(stub.CreateClient, request, resources_pb2.Client, token)
    return json.dumps(key.as_dict(private=True))


async def certified(town: Town, client_id: str, certificate: bytes, *scopes: str) -> None:
    """Registers a client that proves who it is by a certificate."""
    client = resources_pb2.Client(
        display_name="常州通",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_TLS_CLIENT_AUTH,
        certificates=[resources_pb2.ClientCertificate(certificate=certificate)],
        sender_constraint=resources_pb2.SENDER_CONSTRAINT_MTLS,
        scopes=scopes,
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=client_id, request_id=request_id())
    stub = client_service_pb2_grpc.ClientServiceStub(town.office.gateway.channel)
    await town.office.gateway.call(stub.CreateClient, request, resources_pb2.Client, await town.office.admin_token())


async def told_of_logouts(town: Town, client_id: str, uri: str) -> None:
    """Has a client be told of logouts."""
    stub = client_service_pb2_grpc.ClientServiceStub(town.office.gateway.channel)
    token, name = await town.office.admin_token(), f"clients/{client_id}"
    asked = client_service_pb2.GetClientRequest(name=name)
    stands = await town.office.gateway.call(stub.GetClient, asked, resources_pb2.Client, token)
    request = client_service_pb2.UpdateClientRequest(request_id=request_id(), etag=stands.etag)
    request.client.name, request.client.backchannel_logout_uri = name, uri
    request.update_mask.paths.append("backchannel_logout_uri")
    await town.office.gateway.call(stub.UpdateClient, request, resources_pb2.Client, token)


async def through(browser: httpx.AsyncClient, location: str, number: str) -> str:
    """Signs in and agrees; returns where the browser is sent."""
    page = await browser.get(location)
    signed = {"ticket": ticket_of(page), "login": number, "password": PASSWORD}
    page = await browser.post("/oauth/sign-in", data=signed)
    agreed = {"ticket": ticket_of(page), "decision": "allow"}
    answer = await browser.post("/oauth/consent", data=agreed)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def enrolled(town: Town, browser: httpx.AsyncClient) -> tuple[str, str]:
    """Somebody who has set a password; their name and the number of their document."""
    person, number = await somebody(town)
    page = await browser.get(await enrollment_uri(town, person))
    form = {"ticket": ticket_of(page), "password": PASSWORD, "again": PASSWORD}
    assert (await browser.post("/oauth/enroll", data=form)).status_code == 200
    return person, number


async def somebody(town: Town) -> tuple[str, str]:
    """Opens somebody's account; returns their name and the number of their document."""
    office = town.office
    drawn = _PEOPLE.setdefault(office.gateway.code, SyntheticPopulation(office.gateway.code, office.gateway.code[:2]))
    found = drawn.person()
    document = common_pb2.IdentityDocument(type_code="111", number=found.citizen_id)
    draft = resources_pb2.Person(full_name=found.name, documents=[resources_pb2.HeldDocument(document=document)])
    made = await open_person(office.gateway, await office.token_of("receiving"), draft)
    return made.name, found.citizen_id


async def enrollment_uri(
    town: Town, person: str, kind: "sign_in_service_pb2.AuthenticatorKind.ValueType" = PASSWORD_KIND
) -> str:
    """The page at which the person sets a password, or one-time codes."""
    stub = sign_in_service_pb2_grpc.SignInServiceStub(town.office.gateway.channel)
    asked = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id(), kind=kind)
    token = await town.office.token_of_person(person)
    return (await town.office.gateway.call(stub.BeginEnrollment, asked, sign_in_service_pb2.Enrollment, token)).uri


def ticket_of(page: httpx.Response) -> str:
    """The ticket in a page's form."""
    found = _TICKET.search(page.text)
    assert found, page.text
    return found[1]


_PEOPLE: dict[str, SyntheticPopulation] = {}
