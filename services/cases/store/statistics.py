"""Counts over cases: one statement, so that all figures of an answer are of one moment."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from libs.db.engine import Database, Row

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


class StatisticsStore:
    """Counts in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(
        self,
        dimensions: Sequence[str],
        measures: Sequence[str],
        period: tuple[datetime, datetime],
        filters: dict[str, str],
    ) -> Sequence[Row]:
        """Counts each measure by its own time.

        Args:
            dimensions: names of DIMENSIONS.
            measures: names of measures.
            period: from, included, and to, not included.
            filters: column to value.

        Returns:
            rows of measure number, dimension values in order, count.
        """
        keys = "".join(f", {DIMENSIONS[name]}" for name in dimensions)
        conditions = "".join(f" AND cases.{name} = :{name}" for name in sorted(filters))
        query = " UNION ALL ".join(
            f"SELECT {number} AS measure{keys}, count(*) AS cases {_MEASURES[name]}{conditions} GROUP BY 1{keys}"
            for number, name in enumerate(measures)
        )
        async with self._database.read() as connection:
            values = {"start": period[0], "end": period[1], **filters}
            return (await connection.execute(sa.text(query), values)).all()
