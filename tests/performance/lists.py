"""How long a page of a million cases takes inside the service: python -m tests.performance.lists

The rows are made in SQL, in less than two minutes. Each list is asked as its callers do, without a filter, with one that an
index answers, and with one that is looked for row by row; told is the median of 50 pages, and the slowest.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from libs.db.connection import DatabaseConnection
from libs.db.paging import Pages
from libs.lists.listing import Scope
from services.cases.search.store import LISTED
from tests.support.backends import backends
from tests.support.lists import fill
from tests.support.service import Ground
from tongban.cases.v1.case_service_pb2 import ListCasesRequest

ROWS, PAGES, LIMIT_MS = 1_000_000, 50, 20.0
DEPARTMENT = Scope({"department": "v7"})
ASKED: dict[str, tuple[list[Scope], dict[str, Any]]] = {
    "all": ([Scope({})], {}),
    "all, oldest first": ([Scope({})], {"order_by": "create_time"}),
    "a department": ([DEPARTMENT], {}),
    "a department, since a day": ([DEPARTMENT], {"filter": "create_time >= 2025-01-01T00:00:00+08:00"}),
    "a person and their firm": ([Scope({"applicant": "v3"}), Scope({"applicant": "v5"}), Scope({"agent": "v3"})], {}),
    "by number": ([DEPARTMENT], {"filter": "number = v700007"}),
    "what many fit": ([DEPARTMENT], {"filter": "assurance < 30"}),
    "what nothing fits": ([Scope({})], {"filter": "task_code = nothing AND NOT license:*"}),
    "what nothing of a department fits": ([DEPARTMENT], {"filter": "home_region = nothing OR rating:*"}),
}


async def measured(connection: DatabaseConnection, scopes: list[Scope], asked: dict[str, Any]) -> list[float]:
    """Milliseconds of the first pages, one after another."""
    pages, request, took = Pages(b"k" * 32), ListCasesRequest(page_size=50, **asked), list[float]()
    for _ in range(PAGES):
        began = time.perf_counter()
        _, request.page_token = await LISTED.page(connection, pages, request, scopes)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def main() -> int:
    """Fills, measures, tells; returns 1 where a page took longer than it may."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder, backends(Path(folder)) as running:
        ground = Ground(running, Path(folder))
        database = await ground.clone("cases")
        driver = await asyncpg.connect(f"{running.postgres_dsn.rpartition('/')[0]}/{database}")
        began = time.monotonic()
        # Values that mean nothing are no state that there is.
        await fill(driver, LISTED.table, ROWS, state="'DECIDED'")
        print(f"{datetime.now(UTC):%Y-%m-%d}: {ROWS} cases made in {time.monotonic() - began:.0f} s")
        for name, (scopes, asked) in ASKED.items():
            took = await measured(DatabaseConnection(driver, 0), scopes, asked)
            worst = max(worst, statistics.median(took))
            print(f"{name:40} median {statistics.median(took):6.2f} ms, slowest {max(took):6.2f} ms")
        await driver.close()
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
