"""Whoever follows reads the log along an index: what was told before the cursor, and of other things, costs nothing."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from libs.db.schema import changes, event_sequences, outbox
from libs.events import changes as log
from libs.events.relay import _MOVED
from tests.support.lists import Plans, fill, nodes
from tests.support.service import Ground

ROWS = 20_000
_VALUES: dict[str, Any] = {"after": 100, "last": ROWS, "most": log.LOOKED, "subject": "v7", "position": 100}


@pytest_asyncio.fixture
async def plans(ground: Ground) -> AsyncIterator[Plans]:
    """A connection to a database whose log is full."""
    async with ground.connection("seal") as driver:
        await fill(driver, changes, ROWS)
        await fill(driver, event_sequences, ROWS, subject="'v' || i")
        await fill(driver, outbox, 1_000)
        yield Plans(driver)


def _scans(plan: Mapping[str, Any]) -> list[str]:
    """How the tables are read."""
    return [f"{node['Node Type']} {node.get('Index Name', '')}" for node in nodes(plan) if "Relation Name" in node]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (log.LAST, "changes_pkey"),
        (log.AT, "changes_pkey"),
        (log.ALL, "changes_pkey"),
        (log.OF_SUBJECT, "changes_subject"),
    ],
)
async def test_a_page_goes_along_an_index(plans: Plans, query: Any, index: str) -> None:
    await query.all(plans.connection, **_VALUES)
    ((_, plan),) = plans.seen
    assert [node["Index Name"] for node in nodes(plan) if "Index Name" in node] == [index], plan
    assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan)}


async def test_a_page_of_everything_sorts_nothing(plans: Plans) -> None:
    await log.ALL.all(plans.connection, **_VALUES)
    ((_, plan),) = plans.seen
    assert _scans(plan) == ["Index Scan changes_pkey"]
    assert "Sort" not in {node["Node Type"] for node in nodes(plan)}


async def test_where_to_begin_at_a_time_is_found_along_an_index(plans: Plans) -> None:
    time = await plans.driver.fetchval("SELECT log_time FROM changes WHERE position = 10000")
    await log.BEFORE.all(plans.connection, time=time)
    ((_, plan),) = plans.seen
    assert _scans(plan) == ["Index Scan changes_log_time"], plan
    assert "Sort" not in {node["Node Type"] for node in nodes(plan)}


async def test_a_batch_is_numbered_by_the_keys_of_its_subjects(plans: Plans) -> None:
    """A million subjects are counted, and none but the batch's are looked at."""
    await _MOVED.all(plans.connection, size=500)
    ((_, plan),) = plans.seen
    read = [node for node in nodes(plan) if node.get("Relation Name") == "event_sequences"]
    assert {node["Node Type"] for node in read} == {"ModifyTable"}
