"""How many uses there were, and by how many items: one statement, so that all figures of an answer are of one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Query, joined, of

_MOST_ITEMS = 1000
_NUMBER = sa.Column(type_=sa.BigInteger, nullable=False)
_WHERE = {
    "license": "license_id = CAST(:license AS uuid)",
    "license_type": "license_id IN (SELECT id FROM licenses WHERE license_type = CAST(:license_type AS uuid))",
    "issuer": "issuer_department = CAST(:issuer AS text)",
    "start": "use_time >= CAST(:start AS timestamptz)",
    "end": "use_time < CAST(:end AS timestamptz)",
}


@of(
    joined(
        service_item=sa.Column(type_=sa.Text, nullable=False),
        uses=_NUMBER,
        licenses=_NUMBER,
        service_items=_NUMBER,
        cases=_NUMBER,
        departments=_NUMBER,
        is_total=sa.Column(type_=sa.Boolean, nullable=False),
    )
)
@dataclass(frozen=True, slots=True)
class UseCount:
    """The uses of one item; of all where ``is_total``."""

    service_item: str
    uses: int
    licenses: int
    service_items: int
    cases: int
    departments: int
    is_total: bool


_COUNTED = """
SELECT {{columns}} FROM (
  SELECT coalesce(service_item, '') AS service_item, count(*) AS uses, count(DISTINCT license_id) AS licenses,
    count(DISTINCT service_item) FILTER (WHERE service_item <> '') AS service_items,
    count(DISTINCT case_name) FILTER (WHERE case_name <> '') AS cases,
    count(DISTINCT (region_code, department)) FILTER (WHERE department <> '') AS departments,
    GROUPING(service_item) = 1 AS is_total
  FROM license_uses WHERE {where} GROUP BY GROUPING SETS ((), (service_item))
  ORDER BY is_total DESC, uses DESC, service_item LIMIT 1002
) AS counted
"""


@cache
def _statement(given: tuple[str, ...]) -> Query[UseCount]:
    return Query(UseCount, _COUNTED.format(where=" AND ".join(_WHERE[name] for name in given)))


async def count(database: Database, wanted: Mapping[str, Any]) -> tuple[UseCount, list[UseCount]]:
    """Counts the uses that fit all of ``wanted``, whose keys are those of this module's conditions; all, and by item."""
    async with database.read() as connection:
        total, *items = await _statement(tuple(sorted(wanted))).all(connection, **wanted)
    return total, [each for each in items if each.service_item][:_MOST_ITEMS]
