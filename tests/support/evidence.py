"""What must hold of a region's databases after cases were run, whatever happened to its processes meanwhile."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.regions import SERVICES
from libs.audit.records import parse_canonical
from tests.support.regions import COUNTS, owner
from tongban.common.v1 import common_pb2

_DRAIN_WITHIN = 60.0
_DOUBLED = 'SELECT "{column}" FROM "{table}" GROUP BY "{column}" HAVING count(*) > 1'
_SIGNED_USES = """
SELECT sealings.number, sealing_batches.use_context FROM sealings
JOIN sealing_batches ON sealing_batches.id = sealings.batch JOIN sealing_outcomes USING (batch)
WHERE sealing_outcomes.state = 'SIGNED'
"""
_RECORDS = "SELECT canonical FROM audit_records WHERE object LIKE 'seals/%'"
_SIGNED = "SELECT count(*) FROM sealings JOIN sealing_outcomes USING (batch) WHERE sealing_outcomes.state = 'SIGNED'"


@dataclass(frozen=True)
class Totals:
    """How many cases, licences and signed sealings a region holds."""

    cases: int
    licenses: int
    signed: int

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(self.cases - other.cases, self.licenses - other.licenses, self.signed - other.signed)


async def totals(state: Path, region: str) -> Totals:
    """Counts them."""
    found = []
    for database, query in (("cases", f"{COUNTS} cases"), ("license", f"{COUNTS} licenses"), ("seal", _SIGNED)):
        async with owner(state, region, database) as connection:
            found.append(await connection.fetchval(query))
    return Totals(*found)


async def doubled(state: Path, region: str) -> dict[str, list[str]]:
    """Case numbers, licence identifiers, sealing numbers and licences of one case that stand there twice."""
    places = (("cases", "cases", "number"), ("license", "licenses", "identifier"), ("seal", "sealings", "number"))
    found: dict[str, list[str]] = {}
    for database, table, column in places:
        async with owner(state, region, database) as connection:
            rows = await connection.fetch(_DOUBLED.format(table=table, column=column))
        if twice := [row[column] for row in rows if row[column] is not None]:
            found[f"{table}.{column}"] = twice
    return found


async def unrecorded_sealings(state: Path, region: str) -> list[str]:
    """Numbers of signed sealings that the seal service's audit log does not tell of twice: meant, and done."""
    async with owner(state, region, "seal") as connection:
        uses, rows = await connection.fetch(_SIGNED_USES), await connection.fetch(_RECORDS)
    records = [parse_canonical(row["canonical"]) for row in rows]
    told = {
        meant: {record.transaction_id for record in records
                if record.result == "OK" and record.action.endswith(".intent") is meant}
        for meant in (True, False)
    }  # fmt: skip
    transactions = {row["number"]: common_pb2.UseContext.FromString(row["use_context"]).transaction_id for row in uses}
    return [number for number, use in transactions.items() if use not in told[True] or use not in told[False]]


async def waiting(state: Path, region: str, table: str, services: Sequence[str] = SERVICES) -> dict[str, int]:
    """How many rows of a table (outbox, parked_events) each service's database holds, where there are any."""
    found: dict[str, int] = {}
    for service in services:
        async with owner(state, region, service) as connection:
            if rows := await connection.fetchval(f'{COUNTS} "{table}"'):
                found[service] = rows
    return found


async def drained(state: Path, region: str) -> dict[str, int]:
    """Waits until every outbox is empty; returns what is left where that does not come."""
    end = time.monotonic() + _DRAIN_WITHIN
    while True:
        left = await waiting(state, region, "outbox")
        if not left or time.monotonic() > end:
            return left
        await asyncio.sleep(0.2)
