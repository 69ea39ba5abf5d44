"""What making and listing read and write of seals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Insert, Page, Query, joined, of
from services.seal.core.seals import Seal, WholeSeal, seals

ADD = Insert(WholeSeal)


@of(joined(number=sa.Column(type_=sa.BigInteger, nullable=False)))
@dataclass(frozen=True, slots=True)
class _DrawnNumber:
    number: int


@of(seals)
@dataclass(frozen=True, slots=True)
class _CodedSeal:
    id: str


# The sequence behind the seal codes that are not given by the caller.
_NEXT_CODE = Query(_DrawnNumber, "SELECT {columns} FROM nextval('seal_codes') AS number")
_BY_CODE = Query(_CodedSeal, "SELECT {columns} FROM seals WHERE seal_code = :code")
_LISTED = Page(
    Seal,
    "{columns} FROM seals",
    "id DESC",
    {
        "owner": "owner = :owner",
        # Past its end a seal is EXPIRED before anybody writes that down.
        "state": "CASE WHEN state IN ('ACTIVE', 'FROZEN') AND LEAST(valid_until_time, certified_until_time) < :now"
        " THEN 'EXPIRED' ELSE state END = :state",
        "now": "CAST(:now AS timestamptz) IS NOT NULL",
        "kind": "kind = :kind",
        "seal_code": "seal_code = :seal_code",
        "before": "id < CAST(:before AS uuid)",
    },
)


class SealStore:
    """Finds seals and their codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_code(self, code: str) -> bool:
        """Tells whether a seal bears this code."""
        async with self._database.read() as connection:
            return await _BY_CODE.first(connection, code=code) is not None

    async def next_code_number(self) -> int:
        """Draws the next sequence number of a seal code."""
        async with self._database.read() as connection:
            return (await _NEXT_CODE.one(connection)).number

    async def page(self, size: int, filters: Mapping[str, str | int | None], now: datetime) -> list[Seal]:
        """Lists seals, newest first.

        Args:
            size: how many.
            filters: ``owner``, ``state`` (as of ``now``), ``kind``, ``seal_code``, ``before`` (an id).
            now: the time as of which a seal counts as expired.
        """
        async with self._database.read() as connection:
            return await _LISTED.rows(connection, size, **filters, now=now if filters["state"] else None)
