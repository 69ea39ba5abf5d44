"""The license service's database is put back from an older copy after cases were closed, under the running region."""

import asyncio
from typing import Any

import pytest

from tests.support import evidence
from tests.support.case_runs import CaseRun
from tests.support.copies import copy_in_region
from tests.support.regions import YIELDING, Regions, owner

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

_CASES = 4
_FOUND_WITHIN = 150.0
_LASTING = """
SELECT id, identifier, number_index, issue_date, valid_from, valid_until, page_digest, ofd_digest, qr_content, sealing, state
FROM licenses WHERE case_name = ANY($1::text[]) AND state = 'ISSUED' ORDER BY id
"""


async def _licenses(regions: Regions, region: str, cases: list[str]) -> list[tuple[Any, ...]]:
    """What of the cases' licences is the same for ever."""
    async with owner(regions.state, region, "license") as connection:
        return [tuple(row) for row in await connection.fetch(_LASTING, cases)]


async def test_licences_of_closed_cases_that_an_older_copy_lacks_are_there_again(regions: Regions) -> None:
    region = regions.handling.gateway.id
    parked = await evidence.parked(regions.state, region)
    copy = copy_in_region(regions.state, region, "license")
    await copy.make()
    run = CaseRun(regions.handling, YIELDING)
    await run.run(_CASES, seed=9_000)
    await run.closed()
    before = await _licenses(regions, region, run.names)
    assert len(before) == _CASES
    assert await evidence.drained(regions.state, region) == {}
    await copy.put_back()
    assert await _licenses(regions, region, run.names) == []
    async with asyncio.timeout(_FOUND_WITHIN):
        while len(await _licenses(regions, region, run.names)) < _CASES:  # noqa: ASYNC110 - in PostgreSQL
            await asyncio.sleep(0.5)
    assert await _licenses(regions, region, run.names) == before, "down to the bytes of the sealed file"
    assert await evidence.drained(regions.state, region) == {}
    made = await evidence.of_cases(regions.state, region, run.names)
    assert made == evidence.Totals(cases=_CASES, licenses=_CASES, signed=_CASES)
    assert await evidence.doubled(regions.state, region) == {}
    assert await evidence.parked(regions.state, region) == parked
