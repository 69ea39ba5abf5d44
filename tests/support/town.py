"""A region's identity service as the world sees it: its RPCs and its HTTP endpoints, with tokens that it made itself."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from joserfc.jwk import ECKey

from libs.clock import Clock
from libs.config import HttpConfig, RegionConfig
from libs.errors import TongbanError
from libs.ids.synthetic import SyntheticPopulation
from libs.process import Process
from libs.rpc.token_types import ACCESS_TOKEN
from libs.security.tokens import TokenVerifier
from services.identity.app import own_verifier, signing_keys
from services.identity.config import Bootstrap
from services.identity.core.signing_keys import CODES, TOKENS
from tests.support.backends import HOST, free_port
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.patience import PATIENCE, invoke
from tests.support.service import Ground, Service, base_url, serving
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    client_service_pb2,
    client_service_pb2_grpc,
    mandate_service_pb2,
    mandate_service_pb2_grpc,
    region_service_pb2,
    region_service_pb2_grpc,
    resources_pb2,
    staff_service_pb2,
    staff_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    verification_service_pb2,
    verification_service_pb2_grpc,
)
from tongban.options.v1 import options_pb2

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIUAN = RegionConfig(id="341500", name="六安市")
TIANNING = RegionConfig(id="320402", name="常州市天宁区")
Answer = TypeVar("Answer", bound=Message)
FIRST = '"1"'
"""The etag of what was made and not changed since."""


def trusted(max_assurance: int = 4, **terms: Any) -> resources_pb2.RegionTrust:
    """What passes one way between two regions: all, where nothing else is said."""
    return resources_pb2.RegionTrust(max_assurance=max_assurance, **terms)


def request_id() -> str:
    """A fresh idempotency key."""
    return str(uuid.uuid4())


class Town:
    """One region's identity service."""

    def __init__(self, service: Service, region: RegionConfig, http: httpx.AsyncClient, credentials: Path) -> None:
        self.service = service
        self.region = region
        self.http = http
        self.credentials = credentials
        self.base = base_url(region)
        self.code = region.code_on(date(2024, 1, 1))
        self.people = SyntheticPopulation(self.code, province=self.code[:2])
        self.admin = self.machine_of_file()
        self.channel = Machine("window", new_key("window-1"))
        self.staff: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        self.posts: dict[str, str] = {}
        self.department = ""
        grpc_channel = service.channel
        self.accounts = account_service_pb2_grpc.AccountServiceStub(grpc_channel)
        self.checks = verification_service_pb2_grpc.VerificationServiceStub(grpc_channel)
        self.offices = staff_service_pb2_grpc.StaffServiceStub(grpc_channel)
        self.clients = client_service_pb2_grpc.ClientServiceStub(grpc_channel)
        self.mandates = mandate_service_pb2_grpc.MandateServiceStub(grpc_channel)
        self.regions = region_service_pb2_grpc.RegionServiceStub(grpc_channel)
        self.tokens = token_service_pb2_grpc.TokenServiceStub(grpc_channel)

    def machine_of_file(self) -> Machine:
        """The administrator's client as the first start wrote it."""
        content = json.loads(self.credentials.read_text(encoding="utf-8"))
        return Machine(content["client_id"], ECKey.import_key(content["private_key_jwk"]))

    async def call(self, method: Any, request: Message, answer: type[Answer], token: str) -> Answer:
        """Calls an RPC with a token."""
        return await invoke(method, request, answer, to="identity", token=token)

    async def post(self, **form: str) -> httpx.Response:
        """Asks the token endpoint."""
        return await self.http.post("/oauth/token", data=form)

    async def granted(self, **form: str) -> str:
        """Asks the token endpoint and returns the token."""
        answer = await self.post(**form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def client_form(self, machine: Machine, **claims: Any) -> dict[str, str]:
        """The fields with which a client authenticates by its key."""
        assertion = machine.sign(machine.client_id, f"{self.base}/oauth/token", **claims)
        return {"client_assertion_type": CLIENT_ASSERTION, "client_assertion": assertion}

    async def machine_token(self, machine: Machine, scope: str = "") -> str:
        """A client's own token."""
        return await self.granted(grant_type="client_credentials", scope=scope, **self.client_form(machine))

    async def admin_token(self) -> str:
        """The administrator's token."""
        return await self.machine_token(self.admin)

    def asserted(self, subject: str, **claims: Any) -> dict[str, str]:
        """The form by which the channel says who sits before it."""
        said = {"acr": "4", "auth_time": int(self.channel.now()), **claims}
        return {"grant_type": JWT_BEARER, "assertion": self.channel.sign(subject, self.base, **said)}

    async def human_token(self, subject: str, **claims: Any) -> str:
        """The token of a person or a member of staff at the channel."""
        return await self.granted(**self.asserted(subject, **claims))

    async def staff_token(self, post: str = "receiving") -> str:
        """The token of the member of staff at a post."""
        return await self.human_token(self.staff[post])

    async def exchange(self, token: str, kind: str = ACCESS_TOKEN, **fields: str) -> str:
        """Exchanges a token by RPC and returns the new one."""
        request = token_service_pb2.ExchangeTokenRequest(subject_token=token, subject_token_type=kind, **fields)
        answer = token_service_pb2.ExchangeTokenResponse
        return (await self.call(self.tokens.ExchangeToken, request, answer, "")).access_token

    async def at_window(self, person: str, clerk: str) -> str:
        """Exchanges a person's and a clerk's token for one of both."""
        return await self.exchange(person, actor_token=clerk, actor_token_type=ACCESS_TOKEN)

    def verifier(self) -> TokenVerifier:
        """What the region's services check its tokens by."""
        return self.service.process.verifier(signing_keys(self.service.process))

    async def settle(self, *posts: tuple[str, "resources_pb2.Duty.ValueType"]) -> None:
        """Makes a department, posts with a member of staff each, and the window's channel."""
        token = await self.admin_token()
        department = resources_pb2.Department(
            display_name=f"{self.region.name}审批局", uscc=self.people.uscc("11"), region_code=self.code
        )
        request = staff_service_pb2.CreateDepartmentRequest(department=department, request_id=request_id())
        made = await self.call(self.offices.CreateDepartment, request, resources_pb2.Department, token)
        self.department = made.name
        await self.make_channel(token)
        for key, duty in posts:
            self.posts[key] = (await self.make_post(key, [duty], token)).name
            self.staff[key] = (await self.make_staff(key, token)).name
            await self.assign(self.staff[key], self.posts[key], token)

    async def make_channel(self, token: str) -> resources_pb2.Client:
        """Makes the window's channel."""
        client = resources_pb2.Client(
            display_name="窗口系统",
            kind=resources_pb2.CLIENT_KIND_CHANNEL,
            auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
            jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(self.channel.key)]),
            assertion_right=resources_pb2.AssertionRight(
                actor_kinds=[options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF], max_assurance=4
            ),
            scopes=["identity.verifications.record"],
        )
        create = client_service_pb2.CreateClientRequest(
            client=client, client_id=self.channel.client_id, request_id=request_id()
        )
        return await self.call(self.clients.CreateClient, create, resources_pb2.Client, token)

    async def make_post(
        self, title: str, duties: "list[resources_pb2.Duty.ValueType]", token: str
    ) -> resources_pb2.Post:
        """Makes a post in the department."""
        request = staff_service_pb2.CreatePostRequest(
            parent=self.department, post=resources_pb2.Post(display_name=title, duties=duties), request_id=request_id()
        )
        return await self.call(self.offices.CreatePost, request, resources_pb2.Post, token)

    async def make_staff(self, number: str, token: str, person: str = "") -> resources_pb2.Staff:
        """Enters a member of staff: ``person``, or somebody who was seen for this."""
        person = person or await self.person(token="" if "receiving" in self.staff else token)
        member = resources_pb2.Staff(staff_number=number, department=self.department, person=person)
        request = staff_service_pb2.CreateStaffRequest(staff=member, request_id=request_id())
        return await self.call(self.offices.CreateStaff, request, resources_pb2.Staff, token)

    async def assign(self, staff: str, post: str, token: str) -> resources_pb2.Staff:
        """Assigns a post from now on."""
        request = staff_service_pb2.AssignStaffRequest(name=staff, post=post, request_id=request_id())
        return await self.call(self.offices.AssignStaff, request, resources_pb2.Staff, token)

    async def appoint(self, staff: str, post: str) -> resources_pb2.Staff:
        """Assigns a post that two people must stand behind."""
        first, second = await self.administrators()
        return await self.stand_behind(await self.assign(staff, post, first), post, second)

    async def stand_behind(self, member: resources_pb2.Staff, post: str, token: str) -> resources_pb2.Staff:
        """Approves the assignment of a post as it was read."""
        request = staff_service_pb2.ApproveStaffRequest(
            name=member.name, post=post, etag=member.etag, request_id=request_id()
        )
        return await self.call(self.offices.ApproveStaff, request, resources_pb2.Staff, token)

    async def person(self, *, verified: bool = True, token: str = "", born: date | None = None) -> str:
        """Opens a person's account and checks the name in person: at the window, or with the ``token`` given."""
        drawn, token = self.people.person(), token or await self.staff_token()
        number = self.people.citizen_id(born) if born else drawn.citizen_id
        document = common_pb2.IdentityDocument(type_code="111", number=number)
        create = account_service_pb2.CreatePersonRequest(
            person=resources_pb2.Person(
                full_name=drawn.name, documents=[resources_pb2.HeldDocument(document=document)]
            ),
            request_id=request_id(),
        )
        made = await self.call(self.accounts.CreatePerson, create, resources_pb2.Person, token)
        self.numbers[made.name] = drawn.citizen_id
        if verified:
            check = verification_service_pb2.RecordVerificationRequest(person=made.name, request_id=request_id())
            check.in_person.place = "大厅 A1"
            await self.call(self.checks.RecordVerification, check, resources_pb2.Verification, token)
        return made.name

    async def firm(self, representative: str = "") -> resources_pb2.Organization:
        """Opens a firm's account."""
        drawn = self.people.firm()
        organization = resources_pb2.Organization(
            display_name=drawn.name,
            uscc=drawn.uscc,
            kind=party_pb2.PARTY_KIND_ENTERPRISE,
            legal_representative=representative,
        )
        request = account_service_pb2.CreateOrganizationRequest(organization=organization, request_id=request_id())
        token = await self.staff_token()
        return await self.call(self.accounts.CreateOrganization, request, resources_pb2.Organization, token)

    async def mandate(
        self, principal: str, agent: str, token: str, *, seconds: int = 86_400, **fields: Any
    ) -> resources_pb2.Mandate:
        """Gives a mandate for one item, from now on for ``seconds`` of business time."""
        scope = resources_pb2.MandateScope(
            item_codes=["ITEM-1"], powers=[options_pb2.MANDATE_POWER_APPLY, options_pb2.MANDATE_POWER_PRESENT]
        )
        draft = resources_pb2.Mandate(principal=principal, agent=agent, **{"scope": scope, **fields})
        end = int(self.service.process.clock.now().timestamp()) + seconds
        draft.end_time.FromSeconds(end)
        request = mandate_service_pb2.CreateMandateRequest(mandate=draft, request_id=request_id())
        return await self.call(self.mandates.CreateMandate, request, resources_pb2.Mandate, token)

    def anchor(self) -> resources_pb2.RegionAnchor:
        """Where this region is reached and how it is known."""
        of_tokens, of_codes = (
            resources_pb2.JsonWebKeySet(
                keys=[resources_pb2.JsonWebKey(**key) for key in signing_keys(self.service.process, purpose).public()]
            )
            for purpose in (TOKENS, CODES)
        )
        root = (self.service.process.config.keys.folder / "root.der").read_bytes()
        return resources_pb2.RegionAnchor(
            gateway_url=self.base,
            issuer=self.base,
            jwks=of_tokens,
            root_certificate=root,
            code_keys=of_codes,
        )

    async def administrators(self) -> list[str]:
        """The tokens of two administrators, who are two human beings; the first two of the region, if need be."""
        token = await self.admin_token()
        keys = ["administration", "admin-1", "admin-2"][0 if "administration" in self.staff else 1 :][:2]
        if "administrators" not in self.posts:
            post = await self.make_post("administrators", [resources_pb2.DUTY_ADMINISTRATION], token)
            self.posts["administrators"] = post.name
            for key in keys:
                if key not in self.staff:
                    self.staff[key] = (await self.make_staff(key, token)).name
                    await self.assign(self.staff[key], post.name, token)
        return [await self.staff_token(key) for key in keys]

    async def approve(self, client: str) -> resources_pb2.Client:
        """Lets two people stand behind a client that was asked for by a machine."""
        found = resources_pb2.Client()
        for token in await self.administrators():
            get = client_service_pb2.GetClientRequest(name=client)
            etag = (await self.call(self.clients.GetClient, get, resources_pb2.Client, token)).etag
            request = client_service_pb2.ApproveClientRequest(name=client, etag=etag, request_id=request_id())
            found = await self.call(self.clients.ApproveClient, request, resources_pb2.Client, token)
        return found

    async def trust(
        self,
        other: "Town",
        inbound: "resources_pb2.RegionTrust | None" = None,
        outbound: "resources_pb2.RegionTrust | None" = None,
    ) -> resources_pb2.Region:
        """Puts another region on the trust list and begins the trust: one proposes, another agrees."""
        token, second = await self.administrators()
        region = resources_pb2.Region(
            display_name=other.region.name,
            anchor=other.anchor(),
            inbound=inbound or trusted(),
            outbound=outbound or trusted(),
        )
        propose = region_service_pb2.ProposeRegionRequest(
            region_id=other.region.id, region=region, request_id=request_id()
        )
        made = await self.call(self.regions.ProposeRegion, propose, resources_pb2.Region, token)
        activate = region_service_pb2.ActivateRegionRequest(name=made.name, etag=made.etag, request_id=request_id())
        return await self.call(self.regions.ActivateRegion, activate, resources_pb2.Region, second)

    def neighbour(self, name: str) -> grpc.aio.Channel:
        """A channel of another service of the region."""
        return self.service.channel_as(name)


async def _answers(http: httpx.AsyncClient) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            await http.get("/.well-known/jwks.json")
        except httpx.TransportError:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("the HTTP endpoint did not start")


def _own_keys(process: Process) -> None:
    """Lets the service check tokens as it does when it really runs: by its own keys."""
    usual = process.verifier

    def by_own_keys(_keys: Any) -> TokenVerifier:
        process.verifier = usual  # type: ignore[method-assign]
        return own_verifier(process)

    verifier: Any = by_own_keys
    process.verifier = verifier  # type: ignore[method-assign]


@asynccontextmanager
async def town(
    ground: Ground,
    folder: Path,
    region: RegionConfig = LIUAN,
    clock: Clock | None = None,
    prepare: Callable[[Process], None] | None = None,
    **extra: Any,
) -> AsyncIterator[Town]:
    """Runs a region's identity service with its HTTP endpoint."""
    port, credentials = free_port(), folder / f"{region.id}.json"

    def prepared(process: Process) -> None:
        _own_keys(process)
        if prepare is not None:
            prepare(process)

    sections: dict[str, Any] = {
        "http": HttpConfig(host=HOST, port=port),
        "bootstrap": Bootstrap(credentials_file=str(credentials)),
        **extra,
    }
    async with serving(ground, "identity", clock, prepare=prepared, region=region, **sections) as service:
        beside = (*service.process._servers, *service.process._tasks)
        tasks = [asyncio.ensure_future(task()) for task in beside]
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as http:
            await _answers(http)
            try:
                yield Town(service, region, http, credentials)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def reason_of(call: Awaitable[Any]) -> str:
    """Runs a call that must be refused and returns the reason."""
    with pytest.raises(TongbanError) as refusal:
        await call
    return refusal.value.reason
