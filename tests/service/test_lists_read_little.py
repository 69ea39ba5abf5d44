"""A page of a big list reads so many rows and no more, whatever is asked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.lists import listing
from tests.service.test_lists_go_along_an_index import (
    LISTS,
    PAGES,
    ROWS,
    SCANNED,
    VALUES,
    filters,
    place,
    scope,
    tables,
)
from tests.support.lists import AnyList, Plans, fill, rows_read
from tests.support.service import Ground

SIZE = 10
BIG = ("libs.audit.api.RECORDS", "services.cases.search.store.LISTED", "services.license.uses.store.LISTED")
MOST_ROWS = 2 * SCANNED
"""Where PostgreSQL crosses two indexes, some are counted twice."""
MOST_BUFFERS = 3 * SCANNED
"""Of each row a page of the table; before it, the way down the index and a few of its leaves."""


@pytest_asyncio.fixture
async def plans(ground: Ground, request: pytest.FixtureRequest) -> AsyncIterator[Plans]:
    """A connection to a database of the list's service, its table full."""
    name: str = request.getfixturevalue("name")
    async with ground.connection(name.split(".")[1] if name.startswith("services.") else "cases") as driver:
        for table in tables(LISTS[name]):
            await fill(driver, table, ROWS)
        yield Plans(driver, analyze=True)


def asked_of(asked: AnyList) -> list[str]:
    """What each field is asked for, and what nothing fits: it is looked for to the end of what a page may read.

    Left out is what chooses a path of few rows: here they are many.
    """
    few = {column for order in asked.orders.values() for path in order.paths if path.few for column in path.equal}
    known = {name: field for name, field in asked.fields.items() if field.column not in few}
    nothing = [
        f"{name} = nothing"
        for name, field in known.items()
        if field.read.__name__ == "_as_it_is" and "=" in field.operators
    ]
    return [*(text for text in filters(asked) if not text or _field(text) in known), *nothing]


def _field(text: str) -> str:
    return text.removeprefix("NOT ").partition(":")[0].partition(" ")[0]


@pytest.mark.parametrize("name", BIG)
async def test_a_page_reads_no_more_than_it_may(name: str, plans: Plans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SCANNED", SCANNED)
    asked, found = LISTS[name], list[tuple[Any, ...]]()
    for key, order in asked.orders.items():
        for path in order.paths:
            if path.few:
                continue
            for text in asked_of(asked):
                for direction in ("", " desc"):
                    request: Any = asked.request(filter=text, order_by=f"{key}{direction}", page_size=SIZE)
                    for token in ("", PAGES.next_token(request, *place(asked, order))):
                        request.page_token = token
                        await asked.page(plans.connection, PAGES, request, [scope(asked, path)], **VALUES)
                        for statement, plan in plans.seen:
                            rows = rows_read(plan, asked.table.name)
                            buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                            if rows > MOST_ROWS or buffers > MOST_BUFFERS:
                                found.append((text, direction, bool(token), rows, buffers, statement))
                        plans.seen.clear()
    assert found == []
