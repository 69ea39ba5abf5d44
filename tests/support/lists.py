"""All lists that are filtered, tables filled for them, and the plans of what they ask."""

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

import libs
import services
from libs.db.connection import DatabaseConnection
from libs.lists.listing import FilteredList
from tests.support.process import until

AnyList = FilteredList[Any]


def all_lists() -> dict[str, AnyList]:
    """Every list of the libraries and the services, by module and name."""
    found: dict[str, AnyList] = {}
    for package in (libs, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__") or ".migrations" in module.name:
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, FilteredList) and value not in found.values():
                    found[f"{module.name}.{name}"] = value
    return found


async def fill(driver: Any, table: sa.Table, rows: int, **given: str) -> None:
    """Fills a table with ``rows`` rows that mean nothing: some values come often, times grow, ids are their order.

    ``given`` says in SQL what a column holds instead.
    """
    columns = [each for each in table.columns if each.computed is None and each.identity is None]
    names = ", ".join(each.name for each in columns)
    values = ", ".join(given.get(each.name) or _value(each) for each in columns)
    await driver.execute("SET session_replication_role = replica")
    await driver.execute(f"INSERT INTO {table.name} ({names}) SELECT {values} FROM generate_series(1, {rows}) AS i")
    await until(lambda: _vacuumed(driver, table))


async def _vacuumed(driver: Any, table: sa.Table) -> bool:
    """Vacuums until every page is known to be visible to all: as long as an older transaction goes on, such as that of a worker
    of autovacuum, none is, and PostgreSQL plans for a table that nobody looks after.
    """
    await driver.execute(f"VACUUM ANALYZE {table.name}")
    return bool(
        await driver.fetchval(f"SELECT relallvisible = relpages FROM pg_class WHERE oid = '{table.name}'::regclass")
    )


def _value(column: "sa.Column[Any]") -> str:
    kind: Any = column.type
    alone = column.primary_key or column.unique or _is_unique(column)
    if isinstance(kind, ARRAY):
        return f"ARRAY[{_one(kind.item_type, False)}]"
    return _one(kind, alone)


def _is_unique(column: "sa.Column[Any]") -> bool:
    indexes = [[each.name for each in index.columns] for index in column.table.indexes if index.unique]
    constraints = [
        [each.name for each in found.columns]
        for found in column.table.constraints
        if isinstance(found, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
    ]
    return any(column.name in names for names in (*indexes, *constraints))


def _one(kind: Any, alone: bool) -> str:
    number = "i" if alone else "i % 40"
    if isinstance(kind, sa.Uuid):
        return f"CAST(lpad(to_hex({number}), 32, '0') AS uuid)"
    if isinstance(kind, sa.DateTime):
        return "timestamptz '2024-01-01 00:00:00+08' + i * interval '1 minute'"
    if isinstance(kind, sa.Date):
        return "date '2024-01-01' + CAST(i / 1440 AS integer)"
    if isinstance(kind, sa.Boolean):
        return "i % 2 = 0"
    if isinstance(kind, sa.LargeBinary):
        return f"convert_to(CAST({number} AS text), 'UTF8')"
    if isinstance(kind, JSONB):
        return "'[]'::jsonb"
    if isinstance(kind, sa.Interval):
        return "interval '1 hour'"
    if isinstance(kind, sa.Integer | sa.Numeric | sa.Float):
        return number
    return f"'v' || {number}"


@dataclass
class Plans:
    """A connection's driver that keeps the plan of every statement; of rows it gives none, for they mean nothing.

    With ``analyze`` each statement is run, and its plan says what was read.
    """

    driver: Any
    analyze: bool = False
    seen: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def connection(self) -> DatabaseConnection:
        """A connection to give to what is looked at."""
        return DatabaseConnection(self, 0)

    async def _explain(self, text: str, values: tuple[Any, ...]) -> None:
        asked = "ANALYZE, BUFFERS, FORMAT JSON" if self.analyze else "FORMAT JSON"
        (plan,) = json.loads(await self.driver.fetchval(f"EXPLAIN ({asked}) {text}", *values))
        self.seen.append((text, plan["Plan"]))

    async def fetch(self, text: str, *values: Any) -> Any:
        """Explains only."""
        await self._explain(text, values)
        return []

    async def fetchrow(self, text: str, *values: Any) -> Any:
        """Explains and runs."""
        await self._explain(text, values)
        return await self.driver.fetchrow(text, *values)


def rows_read(plan: Mapping[str, Any], table: str) -> int:
    """How many rows of a table a plan that was run has looked at."""
    each_loop = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    scans = [each for each in nodes(plan) if each.get("Relation Name") == table]
    return sum(round(sum(each.get(kind, 0) for kind in each_loop) * each["Actual Loops"]) for each in scans)


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The steps of a plan."""
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)
