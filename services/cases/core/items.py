"""Versions of service items in PostgreSQL, and a short memory of them: a published version's content never changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from libs.rpc.messages import Names
from libs.timed_cache import TimedCache
from libs.values.kinds import ValueField
from libs.values.messages import type_of
from services.cases.core import schema
from services.cases.core.cases import id_of
from services.cases.core.clock import HandlingLimits
from services.cases.core.materials import MaterialRule
from services.cases.core.offers import ItemState, Offer
from tongban.cases.v1 import item_service_pb2 as pb
from tongban.cases.v1 import resources_pb2
from tongban.common.v1 import party_pb2

PARTY_KINDS, CHANNELS = Names(party_pb2.PartyKind), Names(resources_pb2.Channel)
_KEEP_SECONDS, _MEMORY = 3.0, 5_000

items = sa.Table(
    "items",
    schema.METADATA,
    columns.record_id(),
    sa.Column("number", sa.Integer, nullable=False),
    *columns.given("state", "task_code", "category", "department"),
    sa.Column("cross_region", sa.Boolean, nullable=False),
    sa.Column("open_regions", ARRAY(sa.Text), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("statutory_limit_days", sa.SmallInteger, nullable=False),
    columns.moment("publish_time"),
    columns.moment("supersede_time"),
    *columns.life(),
    sa.UniqueConstraint("task_code", "number"),
    sa.Index("items_in_force", "task_code", unique=True, postgresql_where=sa.text("state = 'PUBLISHED'")),
    sa.Index("items_draft", "task_code", unique=True, postgresql_where=sa.text("state = 'DRAFT'")),
    comment="Versions of service items; the content of a published one never changes.",
)


@of(items)
@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item version as it is stored."""

    id: str
    number: int
    task_code: str
    category: str
    department: str
    cross_region: bool
    open_regions: tuple[str, ...]
    content: bytes
    statutory_limit_days: int
    create_time: datetime
    update_time: datetime
    state: ItemState = ItemState.DRAFT
    publish_time: datetime | None = None
    supersede_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"serviceItems/{self.id}"


@dataclass(frozen=True)
class ItemVersion:
    """An item version as cases need it; kept for seconds, and with it what is worked out from it."""

    id: str
    number: int
    state: ItemState
    content: pb.ItemContent

    @cached_property
    def rules(self) -> tuple[MaterialRule, ...]:
        """Its materials, as the rules need them."""
        return tuple(MaterialRule(rule.code, rule.required, rule.tolerable) for rule in self.content.materials)

    @cached_property
    def form(self) -> tuple[ValueField, ...]:
        """The fields of its form, as the rules of values need them."""
        return form_of(self.content)

    @property
    def limits(self) -> HandlingLimits:
        """Its limits, in working days."""
        return limits_of(self.content)

    @property
    def license_type(self) -> str:
        """The licence type of what an approval yields; empty where that is no licence."""
        return license_type_of(self.content)

    @property
    def codes(self) -> tuple[str, str]:
        """The codes that a mandate may name it by."""
        return (self.content.task_code, self.content.basic_code)

    def offer(self) -> Offer:
        """To whom and over what it is offered."""
        content = self.content
        return Offer(
            item=f"serviceItems/{self.id}",
            task_code=content.task_code,
            state=self.state,
            applicant_kinds=frozenset(map(PARTY_KINDS.name, content.applicant_kinds)),
            channels=frozenset(map(CHANNELS.name, content.channels)),
            cross_region=content.HasField("cross_region"),
            open_regions=frozenset(content.cross_region.regions),
        )


def limits_of(content: pb.ItemContent) -> HandlingLimits:
    """Returns an item's limits; the contract takes working days alone."""
    return HandlingLimits(content.statutory_limit.amount, content.promised_limit.amount)


def license_type_of(content: pb.ItemContent) -> str:
    """Returns the licence type that an approval yields, of the one result that the contract takes; empty where there is none."""
    licenses = (each.license_type for each in content.results if each.kind == pb.ITEM_RESULT_KIND_LICENSE)
    return next(licenses, "")


def form_of(content: pb.ItemContent) -> tuple[ValueField, ...]:
    """Returns what the fields of an item's form declare."""
    return tuple(
        ValueField(each.key, each.display_name, each.required, type_of(each.type)) for each in content.form_fields
    )


@of(items)
@dataclass(frozen=True, slots=True)
class LongestLimit:
    """The longest limit by law of any item that is offered, in working days."""

    statutory_limit_days: int


_LONGEST = Query(
    LongestLimit,
    "SELECT CAST(coalesce(max(statutory_limit_days), 0) AS integer) FROM items WHERE state = 'PUBLISHED'",
)
_BY_ID = Query(ItemRow, "SELECT {columns} FROM items WHERE id = CAST(:key AS uuid)")
_IN_FORCE = Query(ItemRow, "SELECT {columns} FROM items WHERE task_code = :key AND state = 'PUBLISHED'")
_NEWEST = Query(
    ItemRow,
    """
SELECT DISTINCT ON (task_code) {columns} FROM items WHERE task_code = ANY(CAST(:codes AS text[]))
ORDER BY task_code, number DESC
""",
)


class ItemStore:
    """Reads item versions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: TimedCache[ItemVersion] = TimedCache(_KEEP_SECONDS, _MEMORY)

    async def version(self, name: str) -> ItemVersion:
        """Returns a version by its name or id, at most three seconds old; raises NotFound."""
        key = id_of(name)
        return await self._remembered(key, _BY_ID, f"serviceItems/{key}")

    async def in_force(self, task_code: str) -> ItemVersion:
        """Returns the published version of an implementation code, at most three seconds old; raises NotFound."""
        return await self._remembered(task_code, _IN_FORCE, "items")

    async def _remembered(self, key: str, query: Query[ItemRow], name: str) -> ItemVersion:
        async def read() -> ItemVersion:
            row = await self._one(query, key, name)
            return ItemVersion(row.id, row.number, row.state, pb.ItemContent.FromString(row.content))

        return await self._kept.get(key, read)

    def forget(self) -> None:
        """Forgets what was read, after a change made here."""
        self._kept.forget_all()

    async def get(self, name: str) -> ItemRow:
        """Reads a version as it is stored; raises NotFound."""
        return await self._one(_BY_ID, id_of(name), name)

    async def _one(self, query: Query[ItemRow], key: str, name: str) -> ItemRow:
        async with self._database.read() as connection:
            found = await query.first(connection, key=key)
        if found is None:
            raise not_found(name)
        return found

    async def longest_limit(self) -> int:
        """Returns the longest limit by law of any item that is offered, in working days; 0 where there is none."""
        async with self._database.read() as connection:
            return (await _LONGEST.one(connection)).statutory_limit_days

    async def names(self, codes: Sequence[str]) -> dict[str, str]:
        """Returns what the newest version of each implementation code is called."""
        async with self._database.read() as connection:
            found = await _NEWEST.all(connection, codes=list(codes))
        return {row.task_code: pb.ItemContent.FromString(row.content).display_name for row in found}
