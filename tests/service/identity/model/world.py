"""Two real regions by one clock that the test moves: what the model's steps do there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from libs.access.actor import Actor
from libs.clock import FakeClock
from libs.errors import TongbanError
from libs.process import Process
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import POSTS
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.patience import invoke
from tests.support.service import Ground
from tests.support.town import JWT_BEARER, LIUAN, TIANNING, Town, request_id, town, trusted
from tongban.identity.v1 import (
    account_service_pb2,
    client_service_pb2,
    mandate_service_pb2,
    region_service_pb2,
    resources_pb2,
    staff_service_pb2,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.options.v1 import options_pb2

AWAY, HOME = f"//{TIANNING.id}", f"//{LIUAN.id}"
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"
_INBOUND, _OUTBOUND = resources_pb2.TRUST_DIRECTION_INBOUND, resources_pb2.TRUST_DIRECTION_OUTBOUND


class Refused(Exception):
    """The real system said no, for this reason."""


@dataclass
class World:
    """A region, another one that trusts it, channels, clerks, people and firms."""

    home: Town
    away: Town
    clock: FakeClock
    people: list[str] = field(default_factory=list)
    firms: list[str] = field(default_factory=list)
    channels: list[Machine] = field(default_factory=list)
    clerks: list[str] = field(default_factory=list)

    @property
    def now(self) -> int:
        """The machine's time and the business's, in seconds since the epoch."""
        return int(self.clock.now().timestamp())

    def pass_by(self, seconds: int) -> None:
        """Lets time pass for everybody."""
        self.clock.advance(timedelta(seconds=seconds))

    async def settle(self) -> None:
        """Makes channels and clerks, who stay the same, and two regions that trust each other."""
        for each in (self.home, self.away):
            each.channel.now = each.admin.now = lambda: self.clock.now().timestamp()
            await each.settle(*POSTS)
        await self.home.trust(self.away)
        await self.away.trust(self.home, trusted(3))
        # The region's own window is left alone: administrators sign in there.
        self.channels = [await self._channel(name) for name in ("kiosk-a", "kiosk-b")]
        admin = await self.home.admin_token()
        self.clerks = [(await self.home.make_staff(f"clerk-{n}", admin)).name for n in range(2)]
        for clerk in self.clerks:
            await self.home.assign(clerk, self.home.posts["receiving"], admin)

    async def _channel(self, name: str) -> Machine:
        machine = Machine(name, new_key(f"{name}-1"), self.home.channel.now)
        kinds = [options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF]
        client = resources_pb2.Client(
            display_name="自助终端",
            kind=resources_pb2.CLIENT_KIND_CHANNEL,
            auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
            jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
            assertion_right=resources_pb2.AssertionRight(actor_kinds=kinds, max_assurance=4),
        )
        create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=request_id())
        await self.home.call(
            self.home.clients.CreateClient, create, resources_pb2.Client, await self.home.admin_token()
        )
        await self.home.approve(f"clients/{name}")
        return machine

    async def enter(self, people: int, firms: int) -> None:
        """Lets others come: the people of before are nobody's business any more."""
        self.people = [await self.home.person() for _ in range(people)]
        self.firms = [(await self.home.firm(self.people[n])).name for n in range(firms)]

    async def sign_in(self, subject: str, channel: Machine, assurance: int) -> str:
        """Signs somebody in at a channel."""
        assertion = channel.sign(subject, self.home.base, acr=str(assurance), auth_time=self.now)
        answer = await self.home.post(grant_type=JWT_BEARER, assertion=assertion)
        if answer.status_code != 200:
            raise Refused(answer.text)
        return str(answer.json()["access_token"])

    async def exchange(self, place: Town, token: str, kind: str = ACCESS_TOKEN, **fields: str) -> str:
        """Exchanges a token; raises Refused."""
        try:
            return await place.exchange(token, kind, **fields)
        except TongbanError as error:
            raise Refused(error.reason) from error

    async def accept(self, assertion: str) -> str:
        """Lets the other region take an assertion."""
        return await self.exchange(self.away, assertion, ASSERTION)

    async def keep(self, token: str) -> str:
        """Makes a delegation of a token."""
        return await self.exchange(self.home, token, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)

    async def use_kept(self, kept: str) -> str:
        """Makes an assertion of a delegation, as the service of cases does."""
        channel = self.home.neighbour("cases")
        stub = token_service_pb2_grpc.TokenServiceStub(channel)
        answer = token_service_pb2.IssueServiceTokenResponse
        asked = token_service_pb2.IssueServiceTokenRequest()
        service = (await invoke(stub.IssueServiceToken, asked, answer, to="identity", token="")).access_token
        await channel.close()
        return await self.exchange(
            self.home,
            kept,
            DELEGATION,
            actor_token=service,
            actor_token_type=ACCESS_TOKEN,
            audience=AWAY,
            transfer=TRANSFER,
        )

    async def judged(self, token: str, *, abroad: bool) -> tuple[Actor | None, str]:
        """For whom a service of the region takes a token once it was told what was withdrawn, or why it takes it for nobody."""
        place = self.away if abroad else self.home
        await place.service.process.withdrawals.look()
        try:
            return await place.verifier().verify(token), ""
        except TongbanError as error:
            return None, error.reason

    async def give(self, by: str, principal: str, agent: str, **fields: Any) -> str:
        """Gives a mandate, or passes one on."""
        try:
            return (await self.home.mandate(principal, agent, by, **fields)).name
        except TongbanError as error:
            raise Refused(f"{error.reason} {error}") from error

    async def revoke(self, mandate: str, by: str) -> None:
        """Revokes a mandate."""
        asked = mandate_service_pb2.RevokeMandateRequest(name=mandate, reason="换人", request_id=request_id())
        await self.home.call(self.home.mandates.RevokeMandate, asked, resources_pb2.Mandate, by)

    async def represent(self, firm: str, person: str) -> None:
        """Makes somebody a firm's representative by law."""
        home, clerk = self.home, await self.home.staff_token()
        get = account_service_pb2.GetOrganizationRequest(name=firm)
        found = await home.call(home.accounts.GetOrganization, get, resources_pb2.Organization, clerk)
        asked = account_service_pb2.SetLegalRepresentativeRequest(
            name=firm, legal_representative=person, etag=found.etag, request_id=request_id()
        )
        await home.call(home.accounts.SetLegalRepresentative, asked, resources_pb2.Organization, clerk)

    async def channel_stands(self, channel: Machine, *, stands: bool) -> None:
        """Suspends or resumes a channel."""
        name, home = f"clients/{channel.client_id}", self.home
        token = await home.admin_token()
        if stands:
            asked: Any = client_service_pb2.ResumeClientRequest(name=name, request_id=request_id())
            await home.call(home.clients.ResumeClient, asked, resources_pb2.Client, token)
            await home.approve(name)
        else:
            asked = client_service_pb2.SuspendClientRequest(name=name, reason="失窃", request_id=request_id())
            await home.call(home.clients.SuspendClient, asked, resources_pb2.Client, token)

    async def clerk_stands(self, clerk: str, *, stands: bool) -> None:
        """Takes a clerk's post, or gives it again."""
        token, home = await self.home.admin_token(), self.home
        if stands:
            await home.assign(clerk, home.posts["receiving"], token)
            return
        asked = staff_service_pb2.UnassignStaffRequest(
            name=clerk, post=home.posts["receiving"], request_id=request_id()
        )
        await home.call(home.offices.UnassignStaff, asked, resources_pb2.Staff, token)

    async def trust_stands(self, way: str, *, stands: bool) -> None:
        """Suspends or resumes what goes out of the first region, or what comes in at the second."""
        place, other, direction = (
            (self.home, self.away, _OUTBOUND) if way == "outbound" else (self.away, self.home, _INBOUND)
        )
        name, verb = f"regions/{other.region.id}", "Resume" if stands else "Suspend"
        for token in await place.administrators() if stands else [await place.admin_token()]:
            asked = getattr(region_service_pb2, f"{verb}RegionRequest")(
                name=name, request_id=request_id(), directions=[direction], reason="演练"
            )
            await place.call(getattr(place.regions, f"{verb}Region"), asked, resources_pb2.Region, token)


@asynccontextmanager
async def world(ground: Ground, folder: Path, clock: FakeClock) -> AsyncIterator[World]:
    """Runs both regions by one clock."""

    def by_the_clock(process: Process) -> None:
        process.wall = clock

    async with AsyncExitStack() as stack:
        home, away = [
            await stack.enter_async_context(town(ground, folder, region, clock, by_the_clock))
            for region in (LIUAN, TIANNING)
        ]
        made = World(home, away, clock)
        await made.settle()
        yield made
