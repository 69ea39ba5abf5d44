"""Counts over cases: one statement, so that all figures of an answer are of one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db.engine import Database
from libs.db.query import Query, of

DIMENSIONS = {
    "ITEM": "task_code",
    "OUTCOME": "outcome",
    "STATE": "state",
    "CHANNEL": "channel",
    "DEPARTMENT": "department",
    "RATING": "rating",
    "CATEGORY": "category",
}
"""The column of each dimension."""

_counts = sa.Table(
    "counts",
    # No table of the database: what the statement below gives.
    sa.MetaData(),
    sa.Column("measure", sa.Integer, nullable=False),
    sa.Column("keys", ARRAY(sa.Text), nullable=False),
    sa.Column("cases", sa.Integer, nullable=False),
)


@of(_counts)
@dataclass(frozen=True, slots=True)
class CaseCount:
    """How many cases there are of one measure, with these values of the dimensions, in their order."""

    measure: int
    keys: tuple[str, ...]
    cases: int


_CASES = "FROM cases WHERE {time} >= :start AND {time} < :end"
_LICENSES = """
FROM case_licenses JOIN cases ON cases.id = case_licenses.case_id
WHERE case_licenses.issue_time >= :start AND case_licenses.issue_time < :end
"""
_MEASURES = {
    "RECEIVED": _CASES.format(time="submit_time"),
    "ACCEPTED": _CASES.format(time="accept_time"),
    "DECIDED": _CASES.format(time="decide_time"),
    "APPROVED": _CASES.format(time="decide_time") + " AND outcome IN ('APPROVED', 'PARTIAL')",
    "LICENSES_ISSUED": _LICENSES,
    "CLOSED": _CASES.format(time="close_time"),
    "RATED": _CASES.format(time="rate_time"),
}


async def count(
    database: Database,
    dimensions: Sequence[str],
    measures: Sequence[str],
    period: tuple[datetime, datetime],
    filters: Mapping[str, str],
) -> list[CaseCount]:
    """Counts each measure by its own time.

    Args:
        database: where the cases are.
        dimensions: names of DIMENSIONS.
        measures: names of measures.
        period: from, included, and to, not included.
        filters: column to value.
    """
    columns = [f"cases.{DIMENSIONS[name]}" for name in dimensions]
    keys, group = ", ".join(columns), "".join(f", {each}" for each in columns)
    chosen = "".join(f" AND cases.{name} = :{name}" for name in sorted(filters))
    text = " UNION ALL ".join(
        f"SELECT {number} AS measure, CAST(ARRAY[{keys}] AS text[]), CAST(count(*) AS integer) "
        f"{_MEASURES[name]}{chosen} GROUP BY 1{group}"
        for number, name in enumerate(measures)
    )
    async with database.read() as connection:
        return await Query(CaseCount, text).all(connection, start=period[0], end=period[1], **filters)
