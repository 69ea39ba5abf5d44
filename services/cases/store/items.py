"""Item versions in PostgreSQL, and a short memory of them: a published version's content never changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.cases.domain.clock import Limits
from services.cases.domain.items import ItemState, Offer
from services.cases.domain.materials import MaterialRule
from services.cases.tables import items
from tongban.cases.v1 import item_service_pb2 as pb
from tongban.cases.v1 import resources_pb2

_KEEP_SECONDS = 3.0
_MEMORY = 5_000

_IN_FORCE = sa.select(items).where(items.c.task_code == sa.bindparam(rows.KEY), items.c.state == "PUBLISHED")
_OF_CODE = sa.select(items).where(items.c.task_code == sa.bindparam(rows.KEY)).with_for_update()
_NAMES = sa.text("""
SELECT DISTINCT ON (task_code) task_code, content FROM items WHERE task_code = ANY(:codes)
ORDER BY task_code, number DESC
""").bindparams(sa.bindparam("codes", type_=sa.ARRAY(sa.Text)))


@dataclass(frozen=True, slots=True)
class ItemVersion:
    """An item version as cases need it."""

    id: str
    number: int
    state: str
    content: pb.ItemContent

    @property
    def rules(self) -> tuple[MaterialRule, ...]:
        """Its materials, as the rules need them."""
        return tuple(MaterialRule(rule.code, rule.required, rule.tolerable) for rule in self.content.materials)

    @property
    def limits(self) -> Limits:
        """Its limits, in working days."""
        return Limits(self.content.statutory_limit_days, self.content.promised_limit_days)

    @property
    def codes(self) -> tuple[str, str]:
        """The codes that a mandate may name it by."""
        return (self.content.task_code, self.content.basic_code)

    def offer(self) -> Offer:
        """To whom and over what it is offered."""
        content = self.content
        types, channels = resources_pb2.ApplicantType, resources_pb2.Channel
        return Offer(
            item=f"items/{self.id}",
            task_code=content.task_code,
            state=ItemState(self.state),
            applicant_types=frozenset(
                types.Name(each).removeprefix("APPLICANT_TYPE_") for each in content.applicant_types
            ),
            channels=frozenset(channels.Name(each).removeprefix("CHANNEL_") for each in content.channels),
            cross_region=content.HasField("cross_region"),
            open_regions=frozenset(content.cross_region.regions),
        )


def version_of(row: Row) -> ItemVersion:
    """Opens a row."""
    return ItemVersion(row.id, row.number, row.state, pb.ItemContent.FromString(row.content))


class ItemStore:
    """Item versions. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[ItemVersion, float]] = {}

    async def version(self, identifier: str) -> ItemVersion:
        """Returns a version, at most three seconds old; raises NotFound."""
        return await self._remembered(identifier, rows.by_id(items), f"items/{identifier}")

    async def in_force(self, task_code: str) -> ItemVersion:
        """Returns the published version of an implementation code, at most three seconds old; raises NotFound."""
        return await self._remembered(task_code, _IN_FORCE, "items")

    async def _remembered(self, key: str, query: sa.Select[Any], name: str) -> ItemVersion:
        known = self._known.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        version = version_of(await self._one(query, key, name))
        if len(self._known) >= _MEMORY:
            self._known.clear()
        self._known[key] = (version, time.monotonic() + _KEEP_SECONDS)
        return version

    def forget(self) -> None:
        """Forgets what was read, after a change made here."""
        self._known.clear()

    async def row(self, identifier: str) -> Row:
        """Reads a version's row; raises NotFound."""
        return await self._one(rows.by_id(items), identifier, f"items/{identifier}")

    async def _one(self, query: sa.Select[Any], key: str, name: str) -> Row:
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(query, {rows.KEY: key})).first()
        if row is None:
            raise not_found(name)
        return row

    async def lock_code(self, connection: AsyncConnection, task_code: str) -> Sequence[Row]:
        """Reads all versions of an implementation code and keeps others from changing them."""
        return (await connection.execute(_OF_CODE, {rows.KEY: task_code})).all()

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a version and keeps others from changing it; raises NotFound."""
        row: Row | None = (await connection.execute(rows.by_id(items, lock=True), {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"items/{identifier}")
        return row

    async def publish(self, connection: AsyncConnection, identifier: str, now: datetime) -> Row:
        """Marks a locked draft as published."""
        values = {"state": "PUBLISHED", "publish_time": now, "update_time": now}
        return await rows.update(connection, items, identifier, values)

    async def supersede(self, connection: AsyncConnection, identifier: str, now: datetime) -> Row:
        """Marks a locked version as replaced."""
        values = {"state": "SUPERSEDED", "supersede_time": now, "update_time": now}
        return await rows.update(connection, items, identifier, values)

    async def page(self, filters: dict[str, Any], after: tuple[str, int], size: int) -> Sequence[Row]:
        """Lists versions by implementation code, newest version first."""
        values = filters | {"code": after[0], "number": after[1], "size": size}
        async with self._database.read() as connection:
            return (await connection.execute(_page(frozenset(filters)), values)).all()

    async def names(self, codes: Sequence[str]) -> dict[str, str]:
        """Returns what the newest version of each implementation code is called."""
        async with self._database.read() as connection:
            found = (await connection.execute(_NAMES, {"codes": list(codes)})).all()
        return {row.task_code: pb.ItemContent.FromString(row.content).display_name for row in found}


@cache
def _page(filters: frozenset[str]) -> Any:
    conditions = {
        "task_code": "task_code = :task_code",
        "state": "state = :state",
        "department": "department = :department",
        "category": "category = :category",
        "region": "cross_region AND (open_regions = '{}' OR CAST(:region AS text) = ANY(open_regions))",
    }
    chosen = "".join(f" AND {conditions[name]}" for name in sorted(filters))
    return sa.text(f"""
        SELECT * FROM items WHERE (task_code > :code OR (task_code = :code AND number < :number)) AND state <> 'DRAFT'
        {chosen} ORDER BY task_code, number DESC LIMIT :size
    """).columns(*items.columns)  # noqa: S608 - made of conditions of our own
