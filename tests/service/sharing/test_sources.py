"""Whatever a department's table does is told as its state, recorded, and never the caller's fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from deploy.local.secret_files import write_secret
from libs.clock import FakeClock
from libs.errors import FailedPrecondition, Unavailable
from services.sharing.config import DataSource
from tests.service.sharing.conftest import (
    ASKED,
    NOW,
    Sharing,
    context,
    make_source,
    query,
    terms,
    text,
)
from tests.service.sharing.identity import identity_beside
from tests.support.backends import HOST
from tests.support.service import Ground, serving
from tongban.sharing.v1 import catalog_service_pb2, mount_service_pb2
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import resources_pb2 as pb


@asynccontextmanager
async def owner_of(sharing: Sharing) -> AsyncIterator[asyncpg.Connection]:
    owner = await asyncpg.connect(sharing.source)
    try:
        yield owner
    finally:
        await owner.close()


async def owner_does(sharing: Sharing, *statements: str) -> None:
    async with owner_of(sharing) as owner:
        for statement in statements:
            await owner.execute(statement)


async def mount_of(sharing: Sharing, resource: str) -> pb.DataMount:
    entry = catalog_service_pb2.GetDataResourceRequest(name=resource)
    found = await sharing.call(sharing.catalog.GetDataResource, entry, pb.DataResource, sharing.provider())
    get = mount_service_pb2.GetDataMountRequest(name=found.mounts[0])
    return await sharing.call(sharing.mounts.GetDataMount, get, pb.DataMount, sharing.provider())


CHANGES = {
    "another type": "ALTER TABLE firms ALTER staff TYPE text USING 'seven'",
    "an array": "ALTER TABLE firms ALTER trade TYPE text[] USING ARRAY[trade]",
    "another type of the key": "ALTER TABLE firms ALTER code TYPE integer USING 1",
    "a number for a text": "ALTER TABLE firms ALTER trade TYPE integer USING 1",
    "no time zone": "ALTER TABLE firms ALTER seen TYPE timestamp",
    "a moment for a day": "ALTER TABLE firms ALTER founded TYPE timestamptz",
    "column gone": "ALTER TABLE firms DROP COLUMN trade",
    "column renamed": "ALTER TABLE firms RENAME COLUMN trade TO business",
    "table gone": "DROP TABLE firms",
    "schema closed": "REVOKE SELECT ON firms FROM PUBLIC",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_table_that_is_not_what_it_was_fails_its_mount(sharing: Sharing, change: str) -> None:
    resource, grant = await sharing.ready(terms(compare_fields=["phone", "trade"]))
    await sharing.query(query(resource, fields=ASKED))
    await owner_does(sharing, change)
    if change.startswith("REVOKE"):
        role = str(sa.make_url(sharing.source).database)
        await owner_does(sharing, f'REVOKE ALL ON firms FROM "{role}"')
    comparison = data.CompareRequest(
        resource=resource,
        use_context=context(),
        given=[data.GivenValue(field="trade", value=text("便利店"))],
        conditions=query(resource).conditions,
    )
    for _ in range(2):
        with pytest.raises(FailedPrecondition) as refused:
            await sharing.query(query(resource, fields=ASKED))
        assert refused.value.reason == "RESOURCE_NOT_MOUNTED"
        assert refused.value.metadata == {"resource": resource, "state": "FAILED"}
    with pytest.raises(FailedPrecondition) as compared:
        await sharing.compare(comparison)
    assert compared.value.reason == "RESOURCE_NOT_MOUNTED"
    mount = await mount_of(sharing, resource)
    assert mount.state == pb.DATA_MOUNT_STATE_FAILED and mount.last_check.findings
    results = [record.result for record in await sharing.records()]
    assert results.count("RESOURCE_NOT_MOUNTED") >= 4  # three uses, and the mount's own
    assert (await sharing.grant(grant)).queries_today == 1


async def test_a_comparison_that_is_the_first_to_meet_a_change_looks_too(sharing: Sharing) -> None:
    resource, grant = await sharing.ready(terms(compare_fields=["trade"]))
    await owner_does(sharing, "ALTER TABLE firms DROP COLUMN trade")
    comparison = data.CompareRequest(
        resource=resource,
        use_context=context(),
        given=[data.GivenValue(field="trade", value=text("便利店"))],
        conditions=query(resource).conditions,
    )
    with pytest.raises(FailedPrecondition, match="RESOURCE_NOT_MOUNTED"):
        await sharing.compare(comparison)
    assert (await mount_of(sharing, resource)).state == pb.DATA_MOUNT_STATE_FAILED
    assert (await sharing.grant(grant)).queries_today == 0


async def test_a_mended_table_is_read_again_after_a_check(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    await owner_does(sharing, "ALTER TABLE firms RENAME COLUMN trade TO business")
    with pytest.raises(FailedPrecondition):
        await sharing.query(query(resource))
    await owner_does(sharing, "ALTER TABLE firms RENAME COLUMN business TO trade")
    checked = await sharing.checked((await mount_of(sharing, resource)).name)
    assert checked.state == pb.DATA_MOUNT_STATE_ACTIVE
    assert len((await sharing.query(query(resource))).rows) == 1


async def test_a_change_that_still_fits_is_followed(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    await sharing.query(query(resource, fields=ASKED))
    await owner_does(
        sharing,
        "ALTER TABLE firms ALTER staff TYPE bigint",
        "ALTER TABLE firms ALTER firm_name TYPE text",
        "ALTER TABLE firms ALTER token TYPE text",
        "ALTER TABLE firms ALTER capital TYPE numeric(20, 4)",
    )
    token = [data.KeyCondition(field="token", values=[text("00000000-0000-7000-8000-000000000001")])]
    request = query(resource, fields=ASKED)
    request.ClearField("conditions")
    request.conditions.extend(token)
    answer = await sharing.query(request)
    assert [row.values["name"].string_value for row in answer.rows] == ["示例甲公司"]
    mount = await mount_of(sharing, resource)
    assert mount.state == pb.DATA_MOUNT_STATE_ACTIVE and not mount.last_check.findings


ODD = {
    "capital": ("'NaN'", "NOT_FINITE"),
    "founded": ("'infinity'", "NOT_FINITE"),
    "score": ("'-infinity'", "NOT_FINITE"),
    "seen": ("'-infinity'", "NOT_FINITE"),
    "firm_name": ("NULL", ""),
}
MORE = {
    "founded": [("'10000-01-01'", "OUT_OF_RANGE"), ("'0044-03-15 BC'", "OUT_OF_RANGE")],
    "seen": [("'12000-01-01T00:00:00Z'", "OUT_OF_RANGE"), ("'0044-03-15 BC'", "OUT_OF_RANGE")],
    "score": [("'NaN'", "NOT_FINITE")],
    "capital": [("1e40", "OUT_OF_RANGE"), ("1e-30", "OUT_OF_RANGE")],
    "trade": [("repeat('长', 3000000)", "TOO_LARGE")],
}
CELLS = [(column, *odd) for column, odd in ODD.items() if odd[1]] + [
    (column, *odd) for column, odds in MORE.items() for odd in odds
]


@pytest.mark.parametrize(("column", "value", "reason"), CELLS)
async def test_a_row_that_can_not_be_given_is_named_and_the_others_come(
    sharing: Sharing, column: str, value: str, reason: str
) -> None:
    resource, grant = await sharing.ready()
    await owner_does(sharing, f"UPDATE firms SET {column} = {value} WHERE code = 'A2'")
    answer = await sharing.query(query(resource, "A1", "A2", "A3", fields=ASKED))
    assert [row.values["name"].string_value for row in answer.rows] == ["示例甲公司", "示例丙公司"]
    first = answer.rows[0].values
    assert (first["capital"].decimal_value, first["founded"].date_value.day, first["active"].bool_value) == (
        "12.50",
        29,
        True,
    )
    assert first["seen"].time_value.ToJsonString() == "2024-01-01T00:00:00Z" and first["score"].double_value == 0.5
    (named,) = answer.unreadable_rows
    assert (dict(named.keys), list(named.fields), list(named.reasons)) == ({"code": text("A2")}, [column], [reason])
    records = {record.result: record for record in await sharing.records(sharing.told[-1].transaction_id)}
    assert (records["OK"].record_count, records["SOURCE_VALUE_UNREADABLE"].record_count) == (2, 1)
    assert list(records["SOURCE_VALUE_UNREADABLE"].fields) == [column]
    assert (await sharing.grant(grant)).rows_total == 2
    assert (await mount_of(sharing, resource)).state == pb.DATA_MOUNT_STATE_ACTIVE


async def test_the_last_day_that_there_is_is_a_day(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    await owner_does(
        sharing, "UPDATE firms SET founded = '9999-12-31', seen = '9999-12-31T23:59:59Z' WHERE code = 'A1'"
    )
    answer = await sharing.query(query(resource, fields=ASKED))
    values = answer.rows[0].values
    assert (values["founded"].date_value.year, values["seen"].time_value.ToJsonString()) == (
        9999,
        "9999-12-31T23:59:59Z",
    )
    assert not answer.unreadable_rows


async def test_bytes_that_are_no_text_are_named(ground: Ground, tmp_path: Path) -> None:
    """A database of an old system, whose encoding nobody declared."""
    owner, source = await make_source(ground, tmp_path, encoding="SQL_ASCII")
    async with identity_beside(ground, f"http://{HOST}:1") as identity:
        extra: dict[str, Any] = {"data_sources": {"registry": source}, "neighbours": {"identity": identity}}
        async with serving(ground, "sharing", FakeClock(NOW), **extra) as service:
            sharing = Sharing(service, FakeClock(NOW), owner)
            resource, _ = await sharing.ready()
            await owner_does(sharing, r"UPDATE firms SET trade = E'\xb1\xe3\xc0\xfb' WHERE code = 'A1'")
            answer = await sharing.query(query(resource, "A1", "A2", fields=ASKED))
    assert [row.values["name"].string_value for row in answer.rows] == ["示例乙公司"]
    assert [(list(each.fields), list(each.reasons)) for each in answer.unreadable_rows] == [(["trade"], ["NOT_TEXT"])]


async def paged(sharing: Sharing, request: data.QueryRequest, between: list[str]) -> list[str]:
    """Reads all pages; before each further one the owner does the next of ``between``."""
    seen: list[str] = []
    while True:
        answer = await sharing.query(request)
        seen += [row.values["name"].string_value for row in answer.rows]
        if not answer.next_page_token:
            return seen
        request.page_token = answer.next_page_token
        if between:
            await owner_does(sharing, between.pop(0))


FILL = (
    "INSERT INTO firms (code, firm_name, trade) SELECT 'C' || n % 3, 'firm ' || n, 'x' FROM generate_series(1, 40) AS n"
)


@pytest.mark.parametrize("keyed", [True, False])
async def test_pages_show_every_row_once_whatever_comes_and_goes(sharing: Sharing, keyed: bool) -> None:
    await owner_does(sharing, FILL)
    if keyed:
        await owner_does(sharing, "ALTER TABLE firms ADD PRIMARY KEY (firm_name)")
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=100, rows_per_query=100, rows_total=1000)))
    key = list((await mount_of(sharing, resource)).last_check.key_columns)
    assert key == (["firm_name"] if keyed else [])
    gone = [f"firm {number}" for number in range(1, 40, 4)]
    between = [
        "DELETE FROM firms WHERE firm_name IN ({})".format(", ".join(f"'{name}'" for name in gone[:5])),
        "INSERT INTO firms (code, firm_name, trade) SELECT 'C1', 'new ' || n, 'x' FROM generate_series(1, 9) AS n",
        "DELETE FROM firms WHERE firm_name IN ({})".format(", ".join(f"'{name}'" for name in gone[5:])),
        "VACUUM FULL firms",
    ]
    if keyed:
        between.append("UPDATE firms SET trade = 'y'")
    seen = await paged(sharing, query(resource, "C0", "C1", "C2", page_size=4), between)
    assert len(seen) == len(set(seen))
    assert {f"firm {number}" for number in range(1, 41)} - set(gone) <= set(seen)


CHANGES_BETWEEN = {
    "a row is changed": "UPDATE firms SET trade = 'y' WHERE firm_name = 'firm 7'",
    "a row comes": "INSERT INTO firms (code, firm_name, trade) VALUES ('C1', 'new', 'x')",
    "a row goes": "DELETE FROM firms WHERE firm_name = 'firm 7'",
    "all rows go": "DELETE FROM firms",
    "nothing that the query selects": "UPDATE firms SET trade = 'y' WHERE code = 'A1'",
    "nothing at all": "VACUUM FULL firms",
}


@pytest.mark.parametrize("change", CHANGES_BETWEEN)
@pytest.mark.parametrize("keyed", [True, False])
async def test_pages_say_when_they_can_not_vouch_for_every_row(sharing: Sharing, keyed: bool, change: str) -> None:
    """Without a unique key a row that is changed is another row: the pages from then on say so, and only then."""
    await owner_does(sharing, FILL)
    if keyed:
        await owner_does(sharing, "ALTER TABLE firms ADD PRIMARY KEY (firm_name)")
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=100, rows_per_query=100, rows_total=1000)))
    request, told = query(resource, "C0", "C1", "C2", page_size=15), []
    for done in ("", CHANGES_BETWEEN[change], "UPDATE firms SET trade = 'x'"):
        if done:
            await owner_does(sharing, done)
        answer = await sharing.query(request)
        told.append(answer.rows_changed)
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    if keyed or change.startswith("nothing"):
        assert not any(told)
    else:
        assert told == ([False, True] if change == "all rows go" else [False, True, True])
        request.page_token = ""
        assert not (await sharing.query(request)).rows_changed


async def test_a_key_that_is_no_more_is_found_out_by_the_next_look(sharing: Sharing) -> None:
    await owner_does(sharing, "ALTER TABLE firms ADD CONSTRAINT by_name PRIMARY KEY (firm_name)")
    resource, _ = await sharing.ready()
    assert list((await mount_of(sharing, resource)).last_check.key_columns) == ["firm_name"]
    await owner_does(
        sharing, "ALTER TABLE firms DROP CONSTRAINT by_name", "UPDATE firms SET capital = 'NaN' WHERE code = 'A1'"
    )
    answer = await sharing.query(query(resource, fields=["name", "capital"]))
    assert [list(each.reasons) for each in answer.unreadable_rows] == [["NOT_FINITE"]]
    mount = await mount_of(sharing, resource)
    assert (mount.state, list(mount.last_check.key_columns)) == (pb.DATA_MOUNT_STATE_ACTIVE, [])


async def test_pages_that_began_without_a_key_and_go_on_with_one_say_so(sharing: Sharing) -> None:
    await owner_does(sharing, FILL)
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=100, rows_per_query=100, rows_total=1000)))
    request = query(resource, "C0", "C1", "C2", page_size=15)
    request.page_token = (await sharing.query(request)).next_page_token
    await owner_does(sharing, "ALTER TABLE firms ADD PRIMARY KEY (firm_name)")
    await sharing.checked((await mount_of(sharing, resource)).name)
    answer = await sharing.query(request)
    assert answer.rows_changed
    request.page_token = answer.next_page_token
    assert (await sharing.query(request)).rows_changed


async def test_rows_that_are_equal_in_everything_all_come(sharing: Sharing) -> None:
    await owner_does(
        sharing,
        "INSERT INTO firms (code, firm_name) SELECT 'D1', 'the same' FROM generate_series(1, 7)",
        "INSERT INTO firms (code, firm_name) VALUES ('D1', 'another')",
    )
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=100, rows_per_query=100, rows_total=1000)))
    seen = await paged(sharing, query(resource, "D1", page_size=2), [])
    assert sorted(seen) == ["another"] + ["the same"] * 7


async def test_rows_that_can_not_be_given_do_not_end_the_pages(sharing: Sharing) -> None:
    await owner_does(sharing, FILL, "UPDATE firms SET capital = 'NaN' WHERE firm_name LIKE 'firm 1%'")
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=100, rows_per_query=100, rows_total=1000)))
    request = query(resource, "C0", "C1", "C2", fields=["name", "capital"], page_size=3)
    seen = await paged(sharing, request, [])
    assert sorted(seen) == sorted(f"firm {n}" for n in range(1, 41) if not str(n).startswith("1"))


async def test_a_source_that_hangs_holds_up_nobody_else(ground: Ground, tmp_path: Path) -> None:
    """One server takes connections and never says a word; beside it a table is locked; the third is read all the while."""
    held: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(silent, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    owner, source = await make_source(ground, tmp_path)
    (tmp_path / "second").mkdir()
    other_owner, locked = await make_source(ground, tmp_path / "second")
    write_secret(tmp_path / "silent.dsn", f"postgresql://nobody@{HOST}:{port}/nothing?sslmode=disable")
    sources = {
        "registry": source,
        "locked": locked.model_copy(update={"statement_timeout_ms": 300}),
        "silent": DataSource(dsn_file=tmp_path / "silent.dsn", pool_size=1),
    }
    async with identity_beside(ground, f"http://{HOST}:1") as identity:
        extra: dict[str, Any] = {"data_sources": sources, "neighbours": {"identity": identity}}
        async with serving(ground, "sharing", FakeClock(NOW), **extra) as service:
            sharing = Sharing(service, FakeClock(NOW), owner)
            resource, _ = await sharing.ready()
            behind = await sharing.published(code="300001/7")
            await sharing.checked((await sharing.mounted(behind, data_source="locked")).name)
            await sharing.granted(behind)
            lonely = await sharing.mounted(await sharing.published(code="300001/8"), data_source="silent")
            async with owner_of(Sharing(service, FakeClock(NOW), other_owner)) as blocker:
                await blocker.execute("BEGIN; LOCK TABLE firms IN ACCESS EXCLUSIVE MODE")
                hanging = [asyncio.create_task(sharing.query(query(behind))) for _ in range(12)]
                checks = [asyncio.create_task(sharing.checked(lonely.name)) for _ in range(4)]
                for _ in range(20):
                    assert len((await sharing.query(query(resource))).rows) == 1
                failures = await asyncio.gather(*hanging, *checks, return_exceptions=True)
            assert {type(each) for each in failures} == {Unavailable}
            assert {each.reason for each in failures} == {"DEPENDENCY_UNAVAILABLE"}  # type: ignore[union-attr]
            assert len((await sharing.query(query(behind))).rows) == 1
            results = [record.result for record in await sharing.records()]
            assert results.count("DEPENDENCY_UNAVAILABLE") >= 12
    for writer in held:
        writer.close()
    server.close()
