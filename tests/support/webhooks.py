"""Webhooks under test: a receiver of HTTP that does as it is told, logs of changes that a test writes, and a clock that it moves."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from services.identity.app import signing_keys
from services.identity.config import Config, Webhooks
from services.identity.core.parts import Parts, parts_of
from services.identity.webhooks.following import ChangeLogs
from services.identity.webhooks.sending import WebhookSender
from services.identity.webhooks.worker import WebhookWorker
from tests.service.identity.api_clients.clients import a_machine, make
from tests.support.backends import HOST
from tests.support.client_keys import Machine
from tests.support.patience import PATIENCE
from tests.support.town import Town, request_id
from tongban.cases.v1 import events_pb2 as cases_events
from tongban.events.v1 import change_service_pb2 as changes_pb
from tongban.identity.v1 import webhook_service_pb2 as pb
from tongban.identity.v1 import webhook_service_pb2_grpc as pb_grpc

ACCEPTED = "cn.tongban.cases.case.accepted.v1"
DECIDED = "cn.tongban.cases.case.decided.v1"
LOCAL = Webhooks(allow_http=True, private_ranges=("127.0.0.0/8",), seconds=2.0)  # type: ignore[arg-type]
SCOPES = [
    "events.changes.list",
    "cases.cases.get",
    "identity.webhooks.*",
    "identity.webhookDeliveries.*",
    "identity.consents.get",
]


@dataclass
class Hands:
    """A clock whose hands the test moves."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        """The machine's time, and what was put to it."""
        return datetime.now(UTC) + self.ahead

    def forward(self, **by: float) -> None:
        """Moves the hands."""
        self.ahead += timedelta(**by)


@dataclass(frozen=True)
class Received:
    """A request that a receiver got."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """By what a repeat is known."""
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """A receiver on this machine; ``answers`` is what it says next, 204 where nothing is left."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    always: str = "204 No Content"
    got: list[Received] = field(default_factory=list)
    busy: int = 0
    most: int = 0
    slowly: float = 0.0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    open: list[asyncio.StreamWriter] = field(default_factory=list)
    server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Begins to listen, where it did before if it did."""
        self.server = await asyncio.start_server(self.handle, HOST, self.port, reuse_address=True)
        self.port = self.server.sockets[0].getsockname()[1]

    async def leave(self) -> None:
        """Is gone: nobody listens there any more, and what was connected is cut."""
        if self.server is not None:
            self.server.close()
        for each in self.open:
            each.close()
            await asyncio.wait_for(asyncio.shield(each.wait_closed()), PATIENCE)
        self.open.clear()
        self.server = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The ids that it got, in order."""
        return [each.id for each in self.got]

    def took(self) -> list[Any]:
        """What the bodies said, in order."""
        return [each.told for each in self.got]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves a connection."""
        self.open.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [each.partition(": ") for each in head.split("\r\n")[1:] if each]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.got.append(Received(headers, body))
        self.came.set()
        await asyncio.sleep(self.slowly)
        self.busy -= 1
        status, _, more = (self.answers.pop(0) if self.answers else self.always).partition("|")
        writer.write(f"HTTP/1.1 {status}\r\n{more}content-length: 0\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Runs a receiver."""
    receiver = Receiver()
    await receiver.listen()
    yield receiver
    await receiver.leave()


@dataclass
class WrittenLogs:
    """Logs of changes that a test writes; ``hidden`` are things that nobody may see any more."""

    changes_of: list[changes_pb.Change] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    asked: list[changes_pb.ListChangesRequest] = field(default_factory=list)
    refuse: Exception | None = None

    def tell(self, *subjects: str, kind: str = ACCEPTED) -> list[str]:
        """Writes a change of each of these things; returns their ids."""
        made = []
        for subject in subjects:
            number = len(self.changes_of)
            change = changes_pb.Change(
                id=f"e{number}",
                source="//341500/cases",
                specversion="1.0",
                type=kind,
                subject=subject,
                sequence=f"{number:015}",
                dataschema=f"http://gateway.test/schemas/{kind}.json",
            )
            change.time.FromDatetime(datetime(2026, 3, 2, 1, tzinfo=UTC))
            change.data.Pack(cases_events.CaseAccepted(case=cases_events.CaseSummary(name=subject)))
            self.changes_of.append(change)
            made.append(f"cases_e{number}")
        return made

    async def changes(self, token: str, request: changes_pb.ListChangesRequest) -> changes_pb.ListChangesResponse:
        """Lists what stands behind a cursor; the cursor is a number."""
        assert token
        self.asked.append(request)
        if self.refuse is not None:
            raise self.refuse
        start = int(request.cursor or "0")
        found = [
            (place, each)
            for place, each in enumerate(self.changes_of)
            if place >= start
            and each.subject not in self.hidden
            and (not request.types or each.type in request.types)
            and request.subject in ("", each.subject)
        ]
        shown, full = found[: request.page_size], len(found) > request.page_size
        end = shown[-1][0] + 1 if full else len(self.changes_of)
        return changes_pb.ListChangesResponse(
            changes=[each for _, each in shown], next_cursor=str(end), at_end=not full
        )


@dataclass
class Post:
    """A region's webhooks, served by nobody but the test."""

    town: Town
    wall: Hands = field(default_factory=Hands)
    logs: WrittenLogs = field(default_factory=WrittenLogs)
    senders: list[WebhookSender] = field(default_factory=list)
    usual: list[WebhookWorker] = field(default_factory=list)

    @property
    def stub(self) -> Any:
        """Its RPCs."""
        return pb_grpc.WebhookServiceStub(self.town.service.channel)

    @property
    def parts(self) -> Parts:
        """What the worker stands on, with the clock of the test."""
        process = self.town.service.process
        assert isinstance(process.config, Config)
        return replace(parts_of(process, process.config, signing_keys(process)), wall=self.wall)

    def worker(self, logs: ChangeLogs | None = None, config: Webhooks = LOCAL) -> WebhookWorker:
        """A worker, as each replica has one."""
        self.senders.append(WebhookSender(config))
        return WebhookWorker(self.parts, logs or self.logs, self.senders[-1], config.poll_seconds)

    async def serve(self) -> None:
        """Gives each webhook that is due its turn, after what is left of the pause behind the last one."""
        self.wall.forward(seconds=6)
        if not self.usual:
            self.usual.append(self.worker())
        await self.usual[0].serve_all()

    async def close(self) -> None:
        """Closes what was opened."""
        for each in self.senders:
            await each.close()

    async def partner(self, *scopes: str) -> tuple[Machine, str]:
        """A client, and a token of its own."""
        machine = a_machine()
        await make(self.town, machine, scopes=list(scopes) or SCOPES)
        return machine, await self.town.machine_token(machine)

    async def call(self, rpc: str, request: Any, token: str) -> Any:
        """Calls an RPC."""
        answer = {
            "ListWebhooks": pb.ListWebhooksResponse,
            "ListWebhookDeliveries": pb.ListWebhookDeliveriesResponse,
        }.get(rpc, pb.WebhookDelivery if rpc == "PingWebhook" or "Delivery" in rpc else pb.Webhook)
        method: Any = getattr(self.stub, rpc)
        return await self.town.call(method, request, answer, token)

    async def create(self, token: str, url: str, types: Sequence[str] = (ACCEPTED,), **fields: Any) -> pb.Webhook:
        """Makes a webhook."""
        webhook = pb.Webhook(url=url, types=types, **fields)
        made = await self.call(
            "CreateWebhook", pb.CreateWebhookRequest(webhook=webhook, request_id=request_id()), token
        )
        assert isinstance(made, pb.Webhook)
        return made

    async def step(self, rpc: str, name: str, token: str, **fields: Any) -> Any:
        """Does something to a webhook or a delivery."""
        request: Any = getattr(pb, f"{rpc}Request")
        return await self.call(rpc, request(name=name, request_id=request_id(), **fields), token)

    async def deliveries(self, token: str, asked: str = "") -> list[pb.WebhookDelivery]:
        """Lists deliveries, the oldest first, to the end."""
        request = pb.ListWebhookDeliveriesRequest(filter=asked, order_by="create_time", page_size=1000)
        found: list[pb.WebhookDelivery] = []
        while True:
            answer = await self.call("ListWebhookDeliveries", request, token)
            found += answer.webhook_deliveries
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token


def is_signed(received: Received, secret: str) -> bool:
    """Whether one of the signatures is that of a secret, as Standard Webhooks has receivers check it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{received.id}.{received.headers['webhook-timestamp']}.".encode() + received.body
    wanted = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    return f"v1,{wanted}" in received.headers["webhook-signature"].split(" ")
