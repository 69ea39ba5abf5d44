"""How long a page of a million rows takes inside the service: python -m tests.performance.lists

The rows are made in SQL, in some minutes: cases, audit records, uses of licences. Each list is asked as its callers do, without
a filter, with one that an index answers, and with one that is looked for row by row; told is the median of 50 pages, and the
slowest. That a page reads so many rows and no more is held by tests/service/test_lists_read_little.py, on any machine.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from libs.audit.api import RECORDS
from libs.db.connection import DatabaseConnection
from libs.db.paging import Pages
from libs.lists.listing import Scope
from services.cases.search.store import LISTED as CASES
from services.license.uses.store import LISTED as USES
from tests.support.backends import backends
from tests.support.lists import AnyList, fill
from tests.support.service import Ground

ROWS, PAGES, LIMIT_MS = 1_000_000, 50, 20.0
DEPARTMENT = Scope({"department": "v7"})
LICENSE = Scope({"license_id": "00000000-0000-0000-0000-000000000007"})
Asked = dict[str, tuple[list[Scope], dict[str, Any]]]
OF_CASES: Asked = {
    "all": ([Scope({})], {}),
    "all, oldest first": ([Scope({})], {"order_by": "create_time"}),
    "a department": ([DEPARTMENT], {}),
    "a department, since a day": ([DEPARTMENT], {"filter": "create_time >= 2025-01-01T00:00:00+08:00"}),
    "a person and their firm": ([Scope({"applicant": "v3"}), Scope({"applicant": "v5"}), Scope({"agent": "v3"})], {}),
    "by number": ([DEPARTMENT], {"filter": "number = v700007"}),
    "what many fit": ([DEPARTMENT], {"filter": "assurance < 30"}),
    "what nothing fits": ([Scope({})], {"filter": "task_code = nothing AND NOT results.license:*"}),
    "what nothing of a department fits": ([DEPARTMENT], {"filter": "home_region = nothing OR rating:*"}),
    "one time of another kind": ([Scope({})], {"filter": "submit_time = 2024-06-05T00:00:00Z"}),
}
OF_RECORDS: Asked = {
    "all": ([Scope({})], {}),
    "of one object": ([Scope({})], {"filter": "object = v7"}),
    "of one actor, in a month": (
        [Scope({})],
        {"filter": "actor = v7 AND record_time >= 2024-06-01T00:00:00Z AND record_time < 2024-07-01T00:00:00Z"},
    ),
    "of actors that there are not": ([Scope({})], {"filter": "actor = x OR actor = y"}),
}
OF_USES: Asked = {
    "of a licence": ([LICENSE], {}),
    "of a licence, in a month": (
        [LICENSE],
        {"filter": "use_time >= 2024-06-01T00:00:00Z AND use_time < 2024-07-01T00:00:00Z"},
    ),
    "of a licence, by nobody": ([LICENSE], {"filter": "actor = nobody"}),
    "of a case": ([Scope({"case_name": "v7"})], {"order_by": "use_time"}),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A list, whose service's database it lies in, and what is asked of it. ``given`` as for :func:`fill`."""

    name: str
    service: str
    listed: AnyList
    asked: Asked
    given: dict[str, str] = field(default_factory=dict)


LISTS = (
    # Values that mean nothing are no state that there is.
    Measured("cases", "cases", CASES, OF_CASES, {"state": "'DECIDED'"}),
    Measured("audit records", "cases", RECORDS, OF_RECORDS),
    Measured("license uses", "license", USES, OF_USES, {"action": "'READ'", "basis": "'CASE'"}),
)


async def measured(connection: DatabaseConnection, what: Measured, name: str) -> list[float]:
    """Milliseconds of the first pages, one after another."""
    scopes, asked = what.asked[name]
    request: Any = what.listed.request(page_size=50, **asked)
    pages, took = Pages(b"k" * 32), list[float]()
    for _ in range(PAGES):
        began = time.perf_counter()
        _, request.page_token = await what.listed.page(connection, pages, request, scopes)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def told(ground: Ground, what: Measured) -> float:
    """Fills a list's table, measures, and tells; returns the worst median."""
    async with ground.connection(what.service) as driver:
        began, worst = time.monotonic(), 0.0
        await fill(driver, what.listed.table, ROWS, **what.given)
        print(f"{datetime.now(UTC):%Y-%m-%d}: {ROWS} {what.name} made in {time.monotonic() - began:.0f} s")
        for name in what.asked:
            took = await measured(DatabaseConnection(driver, 0), what, name)
            worst = max(worst, statistics.median(took))
            print(f"{name:40} median {statistics.median(took):6.2f} ms, slowest {max(took):6.2f} ms")
        return worst


async def main() -> int:
    """Returns 1 where a page took longer than it may."""
    with tempfile.TemporaryDirectory() as folder, backends(Path(folder)) as running:
        ground = Ground(running, Path(folder))
        worst = [await told(ground, what) for what in LISTS]
    return int(max(worst) > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
