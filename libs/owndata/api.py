"""OwnDataService over a service's own log and tables; every service registers it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.access.actor import Actor
from libs.audit.log import Log
from libs.audit.records import Record, parse_canonical
from libs.clock import Clock
from libs.crypto.provider import Signer
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.query import joined, of
from libs.db.schema import audit_records, data_uses
from libs.documents.store import digest_of
from libs.errors import invalid_field, reasons
from libs.lists import fields
from libs.lists.listing import FilteredList, Scope
from libs.lists.paths import Order, Path
from libs.owndata.copies import Handlers, OwnDataFiles
from libs.owndata.holdings import HeldKind, KnownBy, counted
from libs.owndata.rules import use_of
from libs.rpc.call import Call
from tongban.owndata.v1 import own_data_service_pb2 as pb


@of(
    joined(
        **{each: data_uses.c[each] for each in ("id", "subject", "record_time")}, canonical=audit_records.c.canonical
    )
)
@dataclass(frozen=True, slots=True)
class ToldUse:
    """Whose data a record of the log tells of, and the record."""

    id: int
    subject: str
    record_time: datetime
    canonical: bytes


@dataclass(frozen=True, slots=True)
class FileSigner:
    """The key of the service's log, and its certificate."""

    key: Signer
    certificate: bytes


USES = FilteredList(
    ToldUse,
    pb.ListUsesRequest,
    data_uses,
    {
        "resource": fields.text("object"),
        "use_context.purpose_code": fields.text("purpose_code"),
        "use_context.service_item": fields.text("service_item"),
        "use_context.case": fields.text("case_name"),
        "use_time": fields.moment("record_time"),
    },
    {"use_time": Order(("record_time", "id"), (Path(("subject",)),))},
    "use_time desc",
    "(SELECT u.id, u.subject, u.record_time, r.canonical, r.object, r.purpose_code, r.service_item, r.case_name"
    " FROM data_uses AS u JOIN audit_records AS r ON r.seq = u.record_seq)",
)


class OwnDataApi:
    """Tells people of their own data at this service."""

    def __init__(
        self,
        log: Log,
        database: Database,
        pages: Pages,
        clock: Clock,
        signer: FileSigner,
        kinds: Sequence[HeldKind],
        handlers: Handlers,
        known_by: KnownBy,
    ) -> None:
        self._service = log.service
        self._database = database
        self._pages = pages
        self._clock = clock
        self._signer = signer
        self._kinds = kinds
        self._known_by = known_by
        self._files = OwnDataFiles(log.region, log.service, kinds, handlers)

    async def list_uses(self, request: pb.ListUsesRequest, call: Call) -> pb.ListUsesResponse:
        """Lists the uses of the caller's data, newest first."""
        self._must_be_ours(request.parent)
        names: dict[str, str] = {}
        for subject in sorted(_asked(call.actor, request.subject)):
            names |= dict.fromkeys((subject, *await self._known_by(call.actor, subject)), subject)
        scopes = [Scope({"subject": each}) for each in names]
        async with self._database.read() as connection:
            shown, token = await USES.page(connection, self._pages, request, scopes)
        call.own()
        uses = [use_of(_read(row), names[row.subject], self._service) for row in shown]
        return pb.ListUsesResponse(uses=uses, next_page_token=token)

    async def count_holdings(self, request: pb.CountHoldingsRequest, call: Call) -> pb.CountHoldingsResponse:
        """Counts what is held on the caller, or on whom they act for."""
        self._must_be_ours(request.parent)
        subject = _one(call.actor, request.subject)
        call.own()
        holdings = await counted(self._database, self._kinds, sorted(_asked(call.actor, subject)))
        return pb.CountHoldingsResponse(subject=subject, holdings=holdings)

    async def download_own_data(self, request: pb.DownloadOwnDataRequest, call: Call) -> pb.DownloadOwnDataResponse:
        """Hands out what is held on the caller, or on whom they act for, signed."""
        self._must_be_ours(request.parent)
        subject = _one(call.actor, request.subject)
        uses = pb.ListUsesRequest(parent=self._service, subject=subject)
        made = await self._files.make(subject, self.list_uses, uses, self._clock.now(), call)
        call.own()
        signature = await asyncio.to_thread(self._signer.key.sign, made.content)
        return pb.DownloadOwnDataResponse(
            content=made.content,
            digest=digest_of(made.content),
            signature=signature,
            certificate=self._signer.certificate,
            complete=made.complete,
        )

    def _must_be_ours(self, parent: str) -> None:
        if parent != self._service:
            raise invalid_field("parent", "service", f"this is {self._service}")


def _one(actor: Actor, subject: str) -> str:
    """Returns on whom something is asked: whom the caller names, or acts for, else themselves; raises NOT_OWNER."""
    wanted = subject or actor.organization or actor.person
    _asked(actor, wanted)
    return wanted


def _asked(actor: Actor, subject: str) -> frozenset[str]:
    """Returns whose data is asked for, under all names that they had; raises NOT_OWNER where that is not the caller's to see."""
    if not subject:
        return actor.speaks_for
    if subject not in actor.speaks_for:
        raise reasons.not_owner("people are told of their own data, and of that of whom they act for")
    return actor.known_as(subject)


def _read(row: ToldUse) -> Record:
    return parse_canonical(row.canonical)
