"""Whatever a list is asked, PostgreSQL reads its table along an index: no page reads, or sorts, all that there is."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import pytest_asyncio

from libs.db.paging import Pages
from libs.lists import listing
from libs.lists.fields import FilterField
from libs.lists.listing import Scope
from libs.lists.paths import Order, Path, is_array, type_of
from tests.support.lists import AnyList, Plans, all_lists, fill, nodes
from tests.support.service import Ground

LISTS = all_lists()
ROWS, SCANNED = 20_000, 100
"""As 5,000 are to a million: more than a page looks at."""
PAGES = Pages(b"k" * 32)
VALUES: dict[str, Any] = {
    "now": datetime(2024, 1, 9, tzinfo=UTC),
    "home": "340221",
    "holders": ["v7"],
    "today": date(2024, 1, 9),
    "represented": ["v7"],
}
_SAMPLES: dict[str, Any] = {"uuid": "00000000-0000-0000-0000-000000000007", "text": "v7", "bigint": 7}


@pytest_asyncio.fixture
async def plans(ground: Ground, request: pytest.FixtureRequest) -> AsyncIterator[Plans]:
    """A connection to a database of the list's service, its table full."""
    name: str = request.getfixturevalue("name")
    service = name.split(".")[1] if name.startswith("services.") else "cases"
    async with ground.connection(service) as driver:
        for table in tables(LISTS[name]):
            await fill(driver, table, ROWS)
        yield Plans(driver)


def tables(asked: AnyList) -> list[Any]:
    """The tables that a list selects from."""
    return [each for each in asked.table.metadata.sorted_tables if f" {each.name} " in f" {asked.source} "]


def filters(asked: AnyList) -> list[str]:
    """No filter, and each field compared in each way that it knows, also turned round."""
    found = [
        f"{name}:*" if operator == ":*" else f"{name} {operator} {sample(known)}"
        for name, known in asked.fields.items()
        for operator in sorted(known.operators)
    ]
    return ["", *found, *(f"NOT {each}" for each in found)]


def sample(known: FilterField) -> str:
    """A value that the field takes."""
    try:
        known.read("")
    except ValueError as told:
        # The refusal names the values, or the form of names.
        if str(told).startswith("a value is one of "):
            return str(told).removeprefix("a value is one of ").split(", ")[0]
        if "<uuid>" in str(told):
            return str(told).removeprefix("a name is ").partition(" or ")[0].replace("<uuid>", _SAMPLES["uuid"])
    return {"timestamptz": "2024-01-05T00:00:00Z", "date": "2024-01-05", "boolean": "true", "bigint": "7"}.get(
        known.cast, "v7"
    )


def scope(asked: AnyList, path: Path) -> Scope:
    """What makes a list go along a path, but for what another table says."""
    columns = [each for each in path.equal if each in asked.table.columns]
    held = {column: _SAMPLES[type_of(asked.table, column)] for column in columns}
    return Scope(held, (path.when,) if path.when else ())


def wanted(asked: AnyList, path: Path) -> str:
    """What makes a list go along a path where another table says which rows: the beginning of its filters."""
    beyond = [name for name, known in asked.fields.items() if known.beyond and known.column in path.equal]
    return "".join(f"{name}:{sample(asked.fields[name])} AND " for name in beyond)


def place(asked: AnyList, order: Order) -> list[Any]:
    """Somewhere in the middle of an order."""
    middle = {"timestamptz": "2024-01-07T00:00:00+00:00", "date": "2024-01-07", "bigint": ROWS // 2}
    return [middle.get(kind) or _SAMPLES[kind] for kind in (type_of(asked.table, each) for each in order.columns)]


def check(asked: AnyList, order: Order, path: Path, plans: Plans) -> None:
    for text, plan in plans.seen:
        for each in nodes(plan):
            assert each["Node Type"] != "Seq Scan" or each["Relation Name"] != asked.table.name, (text, plan)
            # Only what is few, or cut already, is sorted: no more rows than a page looks at.
            few = path.few or any(below["Node Type"] == "Limit" for below in nodes(each))
            assert each["Node Type"] not in ("Sort", "Incremental Sort") or few or each["Plan Rows"] <= SCANNED, (
                text,
                plan,
            )
    plans.seen.clear()


@pytest.mark.parametrize("name", sorted(LISTS))
async def test_each_filter_in_each_order_goes_along_an_index(
    name: str, plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SCANNED", SCANNED)
    asked = LISTS[name]
    for key, order in asked.orders.items():
        for path in order.paths:
            scopes = [scope(asked, path)]
            begin = wanted(asked, path)
            for each in filters(asked):
                text = (begin + each).removesuffix(" AND ")
                for direction in ("", " desc"):
                    request: Any = asked.request(filter=text, order_by=f"{key}{direction}", page_size=10)
                    for token in ("", PAGES.next_token(request, *place(asked, order))):
                        request.page_token = token
                        await asked.page(plans.connection, PAGES, request, scopes, **VALUES)
                        check(asked, order, path, plans)


def test_arrays_are_only_held_along_few() -> None:
    for asked in LISTS.values():
        for order in asked.orders.values():
            for path in order.paths:
                assert path.few or not any(is_array(asked.table, column) for column in path.equal)
