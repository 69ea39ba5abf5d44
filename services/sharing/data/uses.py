"""Use of this region's data within a grant: decide, read, count and record, and only then release."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message

from libs.civil.calendar import local_day
from libs.db.command import Command, digest_of
from libs.errors import TongbanError, Unavailable, invalid_field, reasons
from services.sharing.core.catalogue import require_keys, require_known
from services.sharing.core.ids import key_of
from services.sharing.core.messages import read_value
from services.sharing.core.parts import Parts
from services.sharing.core.subjects import asked_about
from services.sharing.data import statements
from services.sharing.data.consumers import DataConsumer, under_grant
from services.sharing.data.holdings import HeldGrant, Holding, HoldingKey, Holdings
from services.sharing.data.pages import DataPage, FoundRows, found, found_raw, page_of, rows_message
from services.sharing.data.rules import DataUse, GrantedUse, UseMode, decide, require
from services.sharing.data.values import CellFault
from services.sharing.grants.service import DecidedOn, Settlement, UsageLedger
from services.sharing.integrations.data_sources import SourceFault
from services.sharing.mounts.service import MountWatch
from tongban.sharing.v1 import data_service_pb2 as pb

Answer = TypeVar("Answer", pb.QueryResponse, pb.CompareResponse)
Once = Callable[[Holding], Awaitable[tuple["UseWithinGrant", Settlement, Answer]]]
_ATTEMPTS = 3


class TableChanged(Exception):
    """The mounted table is not what it was: the use is decided anew."""


@dataclass(frozen=True, slots=True)
class UseWithinGrant:
    """A use that is within a grant.

    Attributes:
        holding, held: what it was decided on.
        allowed: what may leave.
        arguments: the values of its keys and of the grant's row conditions, as the driver wants them.
    """

    holding: Holding
    held: HeldGrant
    allowed: GrantedUse
    arguments: list[Any]


class DataUses:
    """Queries and comparisons on resources of this region."""

    def __init__(self, parts: Parts, ledger: UsageLedger, watch: MountWatch) -> None:
        self._clock = parts.clock
        self._log = parts.log
        self._pages = parts.pages
        self._sources = parts.sources
        self._cipher = parts.cipher
        self._holdings = Holdings(parts.database)
        self._ledger = ledger
        self._watch = watch

    async def query(self, command: Command, request: pb.QueryRequest, consumer: DataConsumer) -> pb.QueryResponse:
        """Reads rows."""
        use = _use(consumer, tuple(request.fields), allow_partial=request.allow_partial)

        async def once(holding: Holding) -> tuple[UseWithinGrant, Settlement, pb.QueryResponse]:
            decided = self._decided(holding, use, request.conditions)
            page = page_of(self._pages, request, decided.held.grant, decided.allowed.row_limit)
            rows = await self._rows(decided, request, page)
            answer = rows_message(self._pages, decided.allowed, request, page, rows)
            answer.grant = decided.held.grant.name
            subjects = asked_about(self._cipher, request.conditions) if answer.rows else frozenset()
            return decided, self._settlement(command, decided, answer, answer, subjects), answer

        return await self._settled(command, _key(request.resource, consumer), once)

    async def compare(self, command: Command, request: pb.CompareRequest, consumer: DataConsumer) -> pb.CompareResponse:
        """Holds given values against the rows'."""
        fields = tuple(given.field for given in request.given)
        if len(set(fields)) < len(fields):
            raise invalid_field("given", "given.unique", "each field stands once")
        use = _use(consumer, fields, mode=UseMode.COMPARE)

        async def once(holding: Holding) -> tuple[UseWithinGrant, Settlement, pb.CompareResponse]:
            decided = self._decided(holding, use, request.conditions)
            outcomes = await self._compared(decided, request)
            answer = pb.CompareResponse(grant=decided.held.grant.name, comparisons=_comparisons(fields, outcomes))
            exists = outcomes[0]
            subjects = asked_about(self._cipher, request.conditions) if exists else frozenset()
            return decided, self._settlement(command, decided, answer, pb.QueryResponse(), subjects), answer

        return await self._settled(command, _key(request.resource, consumer), once)

    async def _settled(self, command: Command, key: HoldingKey, once: "Once[Answer]") -> Answer:
        """Releases an answer once its use is counted and recorded; what was decided on old knowledge is tried anew."""
        kept = self._holdings.kept(key)
        for _ in range(_ATTEMPTS):
            holding = kept or await self._holdings.read(key)
            try:
                decided, settlement, answer = await once(holding)
            except TableChanged:
                kept = None
                continue
            except TongbanError as error:
                if kept is None or isinstance(error, Unavailable):
                    raise
                kept = None
                continue
            used = await self._ledger.settle(settlement)
            if used is not None:
                command.recorded(self._log.receipt(settlement.entries[0]))
                decided.held.used = used
                return answer
            kept = None
        raise reasons.concurrent_change("the grant is changing; try again", retry_after=0.1)

    def _decided(self, holding: Holding, use: DataUse, conditions: Sequence[pb.KeyCondition]) -> UseWithinGrant:
        """Holds a use against grant, entry and mount."""
        now = self._clock.now()
        held = holding.chosen(now)
        require_known(holding.name, holding.entry, use.fields)
        require_keys(holding.name, holding.entry, [condition.field for condition in conditions])
        allowed = require(decide(held.grant, use, held.used.on(local_day(now)), now))
        keys = [_key_argument(holding, place, condition) for place, condition in enumerate(conditions)]
        arguments = [*keys, *statements.row_arguments(holding.table(), allowed.row_conditions)]
        return UseWithinGrant(holding, held, allowed, arguments)

    async def _rows(self, decided: UseWithinGrant, request: pb.QueryRequest, page: DataPage) -> FoundRows:
        """Reads a page; where something of it can't be given, each of its cells by itself."""
        holding, allowed = decided.holding, decided.allowed
        keys = tuple(condition.field for condition in request.conditions)
        everything = [*decided.arguments, page.asked, *page.place]

        async def read(*, raw: bool) -> FoundRows:
            plan = (statements.select, allowed.fields, keys, allowed.row_conditions, bool(page.place), raw)
            rows = await self._fetch(holding, plan, everything)
            return (found_raw if raw else found)(holding, allowed, rows, page)

        try:
            return await read(raw=False)
        except (SourceFault, CellFault) as fault:
            await self._look(holding, fault)
        return await read(raw=True)

    async def _look(self, holding: Holding, fault: Exception) -> None:
        """Looks at the table again; raises TableChanged where it is not what it was."""
        if await self._watch.changed(holding.key.resource, holding.versions[1], holding.table(), holding.entry.fields):
            raise TableChanged from fault

    async def _compared(self, decided: UseWithinGrant, request: pb.CompareRequest) -> Sequence[bool]:
        holding, allowed = decided.holding, decided.allowed
        keys = tuple(condition.field for condition in request.conditions)
        given = [_given_argument(holding, place, each) for place, each in enumerate(request.given)]
        plan = (statements.compare, allowed.fields, keys, allowed.row_conditions)
        try:
            rows: list[Sequence[bool]] = await self._fetch(holding, plan, [*decided.arguments, *given])
        except SourceFault as fault:
            await self._look(holding, fault)
            raise
        return rows[0]

    async def _fetch(self, holding: Holding, plan: tuple[Any, ...], arguments: list[Any]) -> list[Any]:
        table, sql = holding.table(), holding.statements.get(plan)
        if sql is None:
            build, *parts = plan
            sql = holding.statements[plan] = build(table, *parts)
        return await self._sources.fetch(table.source.data_source, sql, arguments)

    def _settlement(
        self,
        command: Command,
        decided: UseWithinGrant,
        answer: Message,
        given: pb.QueryResponse,
        subjects: Collection[str],
    ) -> Settlement:
        """Builds what is counted and recorded: of ``answer``, the rows that are ``given`` and those that can't be."""
        holding, held, allowed = decided.holding, decided.held, decided.allowed
        entry = partial(
            self._log.entry,
            replace(command, use=under_grant(command.use, held.grant.name)),
            self._clock.now(),
            holding.name,
        )
        released = entry(
            fields=allowed.fields,
            record_count=len(given.rows),
            response_digest=digest_of(answer),
            subjects=subjects,
        )
        beside = [entry(**each, transaction_id=released.transaction_id) for each in _refused(allowed, given)]
        on = DecidedOn(held.key, held.version, holding.key.resource, *holding.versions)
        return Settlement(on, held.grant.terms.quota, len(given.rows), [released, *beside])


def _refused(allowed: GrantedUse, given: pb.QueryResponse) -> Iterator[Mapping[str, Any]]:
    """Returns what is recorded beside what leaves: the fields that the grant does not give, the rows that can't be given."""
    if allowed.refused_fields:
        yield {"result": "FIELD_NOT_GRANTED", "fields": allowed.refused_fields}
    if unreadable := given.unreadable_rows:
        fields = sorted({field for row in unreadable for field in row.fields})
        yield {"result": "SOURCE_VALUE_UNREADABLE", "fields": fields, "record_count": len(unreadable)}


def _use(
    consumer: DataConsumer, fields: tuple[str, ...], *, mode: UseMode = UseMode.READ, allow_partial: bool = False
) -> DataUse:
    return DataUse(
        fields=fields,
        purpose_code=consumer.use.purpose_code,
        department=consumer.department,
        region=consumer.region,
        case_name=consumer.use.case,
        mode=mode,
        allow_partial=allow_partial,
    )


def _key(resource: str, consumer: DataConsumer) -> HoldingKey:
    grant = consumer.use.grant
    return HoldingKey(key_of(resource), key_of(grant) if grant else None, consumer.region, consumer.department)


def _key_argument(holding: Holding, place: int, condition: pb.KeyCondition) -> list[Any]:
    path, field = f"conditions[{place}].values", holding.fields[condition.field]
    values = [read_value(f"{path}[{n}]", field, value) for n, value in enumerate(condition.values)]
    return holding.table().bind_all(path, condition.field, values)


def _given_argument(holding: Holding, place: int, given: pb.GivenValue) -> Any:
    path = f"given[{place}].value"
    return holding.table().bind(path, given.field, read_value(path, holding.fields[given.field], given.value))


def _comparisons(fields: Sequence[str], outcomes: Sequence[bool]) -> list[pb.Comparison]:
    """Builds what is told of each field; the first of ``outcomes`` says whether there is a row at all."""
    exists, *matches = outcomes
    return [
        pb.Comparison(field=field, outcome=_outcome(exists, same)) for field, same in zip(fields, matches, strict=True)
    ]


def _outcome(exists: bool, same: bool) -> pb.CompareOutcome.ValueType:
    if not exists:
        return pb.COMPARE_OUTCOME_NO_ROW
    return pb.COMPARE_OUTCOME_MATCH if same else pb.COMPARE_OUTCOME_NO_MATCH
