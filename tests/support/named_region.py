"""A region that browsers take for a safe one, because its people reach it as `localhost`; and a device for passkeys in a browser."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession, Page

from deploy.local.demo.gateway import Gateway, request_id
from deploy.local.demo.office import Office, open_office, open_person
from deploy.local.launch import Cluster
from deploy.local.own_settings import FILE
from deploy.local.regions import LIUAN
from libs.ids.synthetic import SyntheticPopulation
from tests.support.client_keys import new_key, public_jwk
from tests.support.ports import free_port
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import (
    client_service_pb2,
    resources_pb2,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
)

_PARTY = "signed-in-by-passkey"
REDIRECT = "https://partner.test/here"
"""Where the partner would like its people back."""
PASSKEY = sign_in_service_pb2.AUTHENTICATOR_KIND_PASSKEY


@dataclass(frozen=True)
class Resident:
    """Somebody who has an account: its name, and their own name and number."""

    account: str
    name: str
    number: str


@dataclass
class NamedRegion:
    """A region that its people reach under a name: `localhost`, which browsers take for one that is safe."""

    office: Office
    url: str
    people: SyntheticPopulation

    async def person(self) -> str:
        """Opens somebody's account."""
        return (await self.resident()).account

    async def resident(self) -> Resident:
        """Opens somebody's account; tells what they would type and say of themselves."""
        found = self.people.person()
        document = common_pb2.IdentityDocument(type_code="111", number=found.citizen_id)
        draft = resources_pb2.Person(full_name=found.name, documents=[resources_pb2.HeldDocument(document=document)])
        made = await open_person(self.office.gateway, await self.office.token_of("receiving"), draft)
        return Resident(made.name, found.name, found.citizen_id)

    async def enrollment(self, person: str, kind: "sign_in_service_pb2.AuthenticatorKind.ValueType" = PASSKEY) -> str:
        """The page at which somebody sets what they sign in with, by themselves: a passkey where nothing else is said."""
        stub = sign_in_service_pb2_grpc.SignInServiceStub(self.office.gateway.channel)
        asked = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id(), kind=kind)
        token = await self.office.token_of_person(person)
        return (await self.office.gateway.call(stub.BeginEnrollment, asked, sign_in_service_pb2.Enrollment, token)).uri

    def asked(self) -> str:
        """Where the partner sends the browser."""
        return (
            f"{self.url}/oauth/authorize?response_type=code&client_id={_PARTY}&redirect_uri={REDIRECT}&scope=openid"
            f"&acr_values=3&prompt=login&code_challenge={'x' * 43}&code_challenge_method=S256"
        )


@contextmanager
def started(folder: Path, settings: str = "", services: tuple[str, ...] = ("identity",)) -> Iterator[tuple[Path, str]]:
    """Starts services of the region and its gateway in a folder, by these further settings; gives the state folder, and its address."""
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    state, port = folder / "state", free_port()
    state.mkdir()
    url = f"http://localhost:{port}"
    (state / FILE).write_text(f'[regions.{LIUAN.code}]\npublic_url = "{url}"\n{settings}', encoding="utf-8")
    with Cluster(state, (port,), services=services):
        yield state, url


@asynccontextmanager
async def furnished(state: Path, url: str) -> AsyncIterator[NamedRegion]:
    """Gives the region an office, and a partner that people sign in to."""
    gateway = Gateway(LIUAN.id, LIUAN.name, url, LIUAN.code)  # by its name: what clients sign is for that
    office = await open_office(gateway, state / LIUAN.code / "credentials.json")
    client = resources_pb2.Client(
        display_name="常州通",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key("party-1"))]),
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[REDIRECT]),
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=_PARTY, request_id=request_id())
    await office.gateway.using(await office.admin_token()).call(request, resources_pb2.Client)
    yield NamedRegion(office, url, SyntheticPopulation(LIUAN.code, LIUAN.code[:2]))
    await office.gateway.close()


async def device(page: Page, **more: Any) -> tuple[CDPSession, str]:
    """Gives the browser a device that sees its user and keeps passkeys (CDP, domain WebAuthn)."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **more,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]
