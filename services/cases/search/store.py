"""Lists of cases, and their history."""

from collections.abc import Sequence
from functools import cache

from libs.db.engine import Database
from libs.db.query import Page, Query
from services.cases.core.cases import CaseRecord, CaseStore
from services.cases.core.steps import HistoryRow
from services.cases.core.tokens import PageStart

_FILTERS = ("applicant", "department", "state", "task_code")
_OWN = """
SELECT id, create_time FROM cases WHERE {column} = :{name} AND {column} <> ''
  AND (create_time, id) < (CAST(:time AS timestamptz), CAST(:after AS uuid)){chosen}
ORDER BY create_time DESC, id DESC LIMIT :size
"""
_LISTED = Page(
    CaseRecord,
    "{columns} FROM cases",
    "create_time DESC, id DESC",
    {
        **{name: f"{name} = :{name}" for name in _FILTERS},
        "item": "item = CAST(:item AS uuid)",
        "time": "(create_time, id) < (CAST(:time AS timestamptz), CAST(:after AS uuid))",
        "after": "CAST(:after AS uuid) IS NOT NULL",
    },
)
_HISTORY = Query(
    HistoryRow,
    """
SELECT {columns} FROM case_history WHERE case_id = CAST(:case_id AS uuid) AND sequence > CAST(:after AS integer)
ORDER BY sequence LIMIT :size
""",
)


async def history(database: Database, case_id: str, after: int, size: int) -> list[HistoryRow]:
    """Reads up to ``size`` steps after the one with the number ``after``."""
    async with database.read() as connection:
        return await _HISTORY.all(connection, case_id=case_id, after=after, size=size)


async def of_parties(
    store: CaseStore, applicants: Sequence[str], agent: str, filters: dict[str, str], after: PageStart, size: int
) -> list[CaseRecord]:
    """Lists the cases of up to two applicants and of an agent, newest first, each branch along its own index."""
    names = {f"applicant{number}": name for number, name in enumerate(applicants)} | {"agent": agent}
    query = _of_parties(len(applicants), frozenset(filters))
    async with store.database.read() as connection:
        found = await query.all(connection, **names, **filters, time=after.time, after=after.id, size=size)
    return [store.opened(each) for each in found]


async def filtered(store: CaseStore, filters: dict[str, str], after: PageStart, size: int) -> list[CaseRecord]:
    """Lists cases that fit all ``filters`` (column to value), newest first."""
    async with store.database.read() as connection:
        found = await _LISTED.rows(connection, size, **filters, time=after.time, after=after.id)
    return [store.opened(each) for each in found]


@cache
def _of_parties(applicants: int, filters: frozenset[str]) -> Query[CaseRecord]:
    chosen = "".join(f" AND {'item = CAST(:item AS uuid)' if n == 'item' else f'{n} = :{n}'}" for n in sorted(filters))
    branches = [("applicant", f"applicant{number}") for number in range(applicants)] + [("agent", "agent")]
    union = " UNION ".join(f"({_OWN.format(column=column, name=name, chosen=chosen)})" for column, name in branches)
    return Query(
        CaseRecord,
        f"""
SELECT {{columns:listed}} FROM cases AS listed JOIN ({union}) AS own USING (id)
ORDER BY listed.create_time DESC, listed.id DESC LIMIT :size
""",  # noqa: S608 - made of column names of our own
    )
