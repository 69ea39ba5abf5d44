"""Two real regions by one clock that the test moves: what the model's steps do there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from libs.clock import FakeClock
from libs.errors import TongbanError
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from services.identity.core.signing_keys import TokenKeys
from tests.service.identity.conftest import POSTS
from tests.service.identity.model.held import Channel, StandIn
from tests.service.identity.model.ledger import BOTH
from tests.service.identity.model.offices import Offices
from tests.service.identity.model.pages import Pages
from tests.service.identity.model.places import AWAY, Refused, by_the_clock
from tests.support.patience import invoke
from tests.support.service import Ground
from tests.support.town import JWT_BEARER, LIUAN, TIANNING, Town, request_id, town, trusted
from tongban.identity.v1 import account_service_pb2, resources_pb2, token_service_pb2, token_service_pb2_grpc

DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"


@dataclass
class World(Pages, Offices):
    """Both regions with channels, machines and clerks, who stay, and with people and firms, who are others in each run."""

    people: list[str] = field(default_factory=list)
    firms: list[str] = field(default_factory=list)
    wards: list[str] = field(default_factory=list)
    with_passwords: list[str] = field(default_factory=list)

    @property
    def clients(self) -> list[str]:
        """All clients that the steps change."""
        return self.channels + self.machines + self.parties

    async def settle(self) -> None:
        """Makes channels, machines and clerks, and two regions that trust each other."""
        for each in (self.home, self.away):
            each.channel.now = each.admin.now = lambda: self.clock.now().timestamp()
            await each.settle(*POSTS)
        await self.home.trust(self.away)
        await self.away.trust(self.home, trusted(3))
        # The region's own window is left alone: administrators sign in there.
        self.channels = [await self.make_client(name, Channel(4, BOTH)) for name in ("kiosk-a", "kiosk-b")]
        self.machines = [await self.make_client("machine-a", None)]
        await self.make_party()
        admin = await self.home.admin_token()
        self.clerks = [(await self.home.make_staff(f"clerk-{n}", admin)).name for n in range(2)]
        for clerk in self.clerks:
            await self.clerk_stands(clerk, stands=True)
        self.open_doors()

    async def enter(self, people: int, firms: int) -> None:
        """Lets others come: the people of before are nobody's business any more."""
        self.with_passwords = [await self.with_password()]
        self.people = [await self.home.person() for _ in range(people - 1)] + self.with_passwords
        self.firms = [(await self.home.firm(self.people[n])).name for n in range(firms)]
        self.wards = [await self.ward()]

    async def sign_in(
        self, subject: str, channel: str, assurance: int, *, key: int, scope: str = "", stands_in: StandIn | None = None
    ) -> str:
        """Signs somebody in at a channel, which signs by one of the keys that it ever had."""
        signer = self.signers[channel][key]
        assertion = signer.sign(subject, self.home.base, acr=str(assurance), auth_time=self.now)
        more = {"substitution": stands_in.name} if stands_in else {}
        return _granted(await self.home.post(grant_type=JWT_BEARER, assertion=assertion, scope=scope, **more))

    async def machine_asks(self, machine: str, *, key: int, scope: str) -> str:
        """A machine's own token."""
        form = self.home.client_form(self.signers[machine][key])
        return _granted(await self.home.post(grant_type="client_credentials", scope=scope, **form))

    async def exchange(self, place: Town, token: str, kind: str = ACCESS_TOKEN, **fields: str) -> str:
        """Exchanges a token; raises Refused."""
        try:
            return await place.exchange(token, kind, **fields)
        except TongbanError as error:
            raise Refused(error.reason) from error

    async def accept(self, assertion: str, scope: str) -> str:
        """Lets the other region take an assertion."""
        return await self.exchange(self.away, assertion, ASSERTION, scope=scope)

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
        actor = {"actor_token": service, "actor_token_type": ACCESS_TOKEN}
        return await self.exchange(self.home, kept, DELEGATION, **actor, audience=AWAY, transfer=TRANSFER)

    async def represent(self, firm: str, person: str) -> None:
        """Makes somebody a firm's representative by law."""
        home, clerk = self.home, await self.home.staff_token()
        get = account_service_pb2.GetOrganizationRequest(name=firm)
        found = await home.call(home.accounts.GetOrganization, get, resources_pb2.Organization, clerk)
        asked = account_service_pb2.SetLegalRepresentativeRequest(
            name=firm, legal_representative=person, etag=found.etag, request_id=request_id()
        )
        await home.call(home.accounts.SetLegalRepresentative, asked, resources_pb2.Organization, clerk)


def _granted(answer: httpx.Response) -> str:
    if answer.status_code != 200:
        raise Refused(answer.text)
    return str(answer.json()["access_token"])


@asynccontextmanager
async def world(ground: Ground, folder: Path, clock: FakeClock) -> AsyncIterator[World]:
    """Runs both regions by one clock."""
    verifying: list[list[TokenKeys]] = [[], []]
    async with AsyncExitStack() as stack:
        home, away = [
            await stack.enter_async_context(town(ground, folder, region, clock, by_the_clock(clock, noted)))
            for region, noted in zip((LIUAN, TIANNING), verifying, strict=True)
        ]
        made = World(home, away, clock)
        await made.settle()
        made.also_sees(verifying[0])
        yield made
