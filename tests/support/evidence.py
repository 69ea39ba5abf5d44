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
_CASES = "SELECT count(*) FROM cases WHERE 'cases/' || id::text = ANY($1::text[])"
_LICENSES = "SELECT count(*) FROM licenses WHERE case_name = ANY($1::text[])"
_PARKED = "SELECT consumer || ' ' || id FROM parked_events"
_RECORDS = "SELECT canonical FROM audit_records WHERE object LIKE 'seals/%'"


@dataclass(frozen=True)
class Totals:
    """How many cases, licences and signed sealings a region holds."""

    cases: int
    licenses: int
    signed: int


async def of_cases(state: Path, region: str, names: Sequence[str]) -> Totals:
    """Counts what belongs to these cases, and nothing of what others left or still do."""
    async with owner(state, region, "cases") as connection:
        cases = await connection.fetchval(_CASES, names)
    async with owner(state, region, "license") as connection:
        licenses = await connection.fetchval(_LICENSES, names)
    async with owner(state, region, "seal") as connection:
        uses = await connection.fetch(_SIGNED_USES)
    mine = set(names)
    signed = sum(common_pb2.UseContext.FromString(row["use_context"]).case in mine for row in uses)
    return Totals(cases, licenses, signed)


async def vanished(state: Path, region: str, acknowledged: Sequence[str]) -> dict[str, list[str]]:
    """Names of acknowledged cases that are in no table, or have no audit record; and of cases without one."""
    async with owner(state, region, "cases") as connection:
        kept = {f"cases/{row[0]}" for row in await connection.fetch("SELECT id FROM cases")}
        recorded = {row[0] for row in await connection.fetch("SELECT object FROM audit_records")}
    found = {
        "not in the table": sorted(set(acknowledged) - kept),
        "not in the log": sorted(set(acknowledged) - recorded),
        "in the table and not in the log": sorted(kept - recorded),
    }
    return {what: names for what, names in found.items() if names}


async def parked(state: Path, region: str) -> set[str]:
    """The parked events of all services."""
    found: set[str] = set()
    for service in SERVICES:
        async with owner(state, region, service) as connection:
            found |= {f"{service} {row[0]}" for row in await connection.fetch(_PARKED)}
    return found


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
        meant: {
            record.transaction_id
            for record in records
            if record.result == "OK" and record.action.endswith(".intent") is meant
        }
        for meant in (True, False)
    }
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
