"""Use of this region's data within a grant: decide, read, count and record, and only then release."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from google.protobuf.message import Message

from libs.audit.log import Entry, Log
from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.command import Command, digest_of
from libs.errors import TongbanError, Unavailable, invalid_field, reasons
from services.sharing import statements
from services.sharing.caller import key_of
from services.sharing.domain.catalog import require_keys, require_known
from services.sharing.domain.grants import Allowed, Mode, Use, decide, require
from services.sharing.ledger import Ledger, Settlement
from services.sharing.sources import DataSources, SourceFault
from services.sharing.standing import Held, Key, Standing, Standings
from services.sharing.usecases.mount_watch import MountWatch
from services.sharing.usecases.pages import Found, Page, found, found_raw, page_of, rows_message
from services.sharing.values import CellFault, read_value
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb

Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
_ATTEMPTS = 3


class Changed(Exception):
    """The mounted table is not what it was: the use is decided anew."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """For whom data is used: the region, the department as grants name it, and the person at the keyboard."""

    region: str
    department: str
    operator: str


class Uses:
    """Queries and comparisons on resources of this region."""

    def __init__(
        self, standings: Standings, sources: DataSources, watch: MountWatch, ledger: Ledger, clock: Clock, log: Log
    ) -> None:
        self._standings = standings
        self._sources = sources
        self._watch = watch
        self._ledger = ledger
        self._clock = clock
        self._log = log

    async def query(self, command: Command, request: pb.QueryRequest, consumer: Consumer) -> pb.QueryResponse:
        """Reads rows."""
        use = _use(request.use_context, consumer, tuple(request.fields), allow_partial=request.allow_partial)

        async def once(standing: Standing) -> tuple[Settlement, pb.QueryResponse]:
            held, allowed, arguments = self._within(standing, use, request.conditions)
            page = page_of(request, held.grant, allowed.row_limit)
            rows = await self._rows(standing, allowed, request, arguments, page)
            response = rows_message(allowed, request, page, rows)
            response.grant = held.grant.name
            return self._settlement(command, standing, held, allowed, response, response), response

        return await self._settled(_key(request.resource, request.grant, consumer), once)

    async def compare(self, command: Command, request: pb.CompareRequest, consumer: Consumer) -> pb.CompareResponse:
        """Holds given values against the rows'."""
        fields = tuple(given.field for given in request.given)
        if len(set(fields)) < len(fields):
            raise invalid_field("given", "given.unique", "each field stands once")
        use = _use(request.use_context, consumer, fields, mode=Mode.COMPARE)

        async def once(standing: Standing) -> tuple[Settlement, pb.CompareResponse]:
            held, allowed, arguments = self._within(standing, use, request.conditions)
            found, *outcomes = await self._compared(standing, allowed, request, arguments)
            response = pb.CompareResponse(
                grant=held.grant.name,
                comparisons=[
                    pb.Comparison(field=field, outcome=_outcome(found, matches))
                    for field, matches in zip(fields, outcomes, strict=True)
                ],
            )
            return self._settlement(command, standing, held, allowed, pb.QueryResponse(), response), response

        return await self._settled(_key(request.resource, request.grant, consumer), once)

    async def _settled(self, key: Key, once: Callable[[Standing], Awaitable[tuple[Settlement, Answer]]]) -> Answer:
        """Releases an answer once its use is counted and recorded; what was decided on old knowledge is tried anew."""
        kept = self._standings.kept(key)
        for _ in range(_ATTEMPTS):
            standing = kept or await self._standings.read(key)
            try:
                settlement, answer = await once(standing)
            except Changed:
                kept = None
                continue
            except TongbanError as error:
                if kept is None or isinstance(error, Unavailable):
                    raise
                kept = None
                continue
            answer.receipt.CopyFrom(self._log.receipt(settlement.entries[0]))
            if await self._ledger.settle(settlement):
                return answer
            kept = None
        raise reasons.concurrent_change("the grant is changing; try again", retry_after=0.1)

    def _within(
        self, standing: Standing, use: Use, conditions: Sequence[pb.KeyCondition]
    ) -> tuple[Held, Allowed, list[Any]]:
        """Holds a use against grant, entry and mount; returns the arguments of keys and row conditions with it."""
        now = self._clock.now()
        held = standing.chosen(now)
        keys = [condition.field for condition in conditions]
        require_known(standing.name, standing.entry, use.fields)
        require_keys(standing.name, standing.entry, keys)
        allowed = require(decide(held.grant, use, held.usage_on(local_day(now)), now))
        table = standing.table()
        arguments = [
            table.bind_all(
                path,
                condition.field,
                [
                    read_value(f"{path}[{n}]", standing.fields[condition.field], value)
                    for n, value in enumerate(condition.values)
                ],
            )
            for position, condition in enumerate(conditions)
            if (path := f"conditions[{position}].values")
        ]
        return held, allowed, [*arguments, *statements.row_arguments(table, allowed.row_conditions)]

    async def _rows(
        self, standing: Standing, allowed: Allowed, request: pb.QueryRequest, arguments: list[Any], page: Page
    ) -> Found:
        """Reads a page; where something of it can't be given, each of its cells by itself."""
        keys = tuple(condition.field for condition in request.conditions)
        after = bool(page.place)
        everything = [*arguments, page.asked, *page.place]

        async def read(*, raw: bool) -> Found:
            plan = (statements.select, allowed.fields, keys, allowed.row_conditions, after, raw)
            rows = await self._fetch(standing, plan, everything)
            return (found_raw if raw else found)(standing, allowed, rows, page)

        try:
            return await read(raw=False)
        except (SourceFault, CellFault) as fault:
            await self._look(standing, fault)
        return await read(raw=True)

    async def _look(self, standing: Standing, fault: Exception) -> None:
        """Looks at the table again; raises Changed where it is not what it was."""
        if await self._watch.changed(standing):
            raise Changed from fault

    async def _compared(
        self, standing: Standing, allowed: Allowed, request: pb.CompareRequest, arguments: list[Any]
    ) -> Sequence[bool]:
        table, keys = standing.table(), tuple(condition.field for condition in request.conditions)
        given = [
            table.bind(path, each.field, read_value(path, standing.fields[each.field], each.value))
            for n, each in enumerate(request.given)
            if (path := f"given[{n}].value")
        ]
        plan = (statements.compare, allowed.fields, keys, allowed.row_conditions)
        try:
            rows: list[Sequence[bool]] = await self._fetch(standing, plan, [*arguments, *given])
        except SourceFault as fault:
            await self._look(standing, fault)
            raise
        return rows[0]

    async def _fetch(self, standing: Standing, plan: tuple[Any, ...], arguments: list[Any]) -> list[Any]:
        table, sql = standing.table(), standing.statements.get(plan)
        if sql is None:
            build, *parts = plan
            sql = standing.statements[plan] = build(table, *parts)
        return await self._sources.fetch(table.source.data_source, sql, arguments)

    def _settlement(
        self,
        command: Command,
        standing: Standing,
        held: Held,
        allowed: Allowed,
        given: pb.QueryResponse,
        response: Message,
    ) -> Settlement:
        """Builds what is counted and recorded: of ``response``, the rows that are ``given`` and those that can't be."""
        now, command, rows = self._clock.now(), _under(command, held), len(given.rows)
        released = self._log.entry(
            command, now, standing.name, fields=allowed.fields, record_count=rows, response_digest=digest_of(response)
        )
        entries: list[Entry] = [released]
        if allowed.refused_fields:
            entries.append(
                self._log.entry(
                    command,
                    now,
                    standing.name,
                    result="FIELD_NOT_GRANTED",
                    fields=allowed.refused_fields,
                    transaction_id=released.transaction_id,
                )
            )
        if given.unreadable_rows:
            fields = sorted({field for row in given.unreadable_rows for field in row.fields})
            entries.append(
                self._log.entry(
                    command,
                    now,
                    standing.name,
                    result="SOURCE_VALUE_UNREADABLE",
                    fields=fields,
                    record_count=len(given.unreadable_rows),
                    transaction_id=released.transaction_id,
                )
            )
        return Settlement(standing, held, rows, entries)


def _use(
    context: common_pb2.UseContext,
    consumer: Consumer,
    fields: tuple[str, ...],
    *,
    mode: Mode = Mode.READ,
    allow_partial: bool = False,
) -> Use:
    return Use(
        fields=fields,
        purpose=context.purpose,
        department=consumer.department,
        region=consumer.region,
        case_name=context.case_name,
        mode=mode,
        allow_partial=allow_partial,
    )


def _key(resource: str, grant: str, consumer: Consumer) -> Key:
    return Key(key_of(resource), key_of(grant) if grant else None, consumer.region, consumer.department)


def _under(command: Command, held: Held) -> Command:
    """Adds the grant to the legal basis that the record names."""
    use = common_pb2.UseContext()
    use.CopyFrom(command.use)
    use.legal_basis = f"{held.grant.name} {use.legal_basis}".strip()
    return replace(command, use=use)


def _outcome(found: bool, matches: bool) -> pb.CompareOutcome.ValueType:
    if not found:
        return pb.COMPARE_OUTCOME_NO_ROW
    return pb.COMPARE_OUTCOME_MATCH if matches else pb.COMPARE_OUTCOME_NO_MATCH
