"""DataService: what leaves, what does not, and what is written down of both."""

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from libs.audit.digests import opens
from libs.audit.log import AuditEntry, Log
from libs.db.engine import read_dsn
from libs.errors import (
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    TongbanError,
    Unavailable,
)
from services.sharing.grants import service as ledger
from tests.service.sharing.conftest import (
    ASKED,
    CONSUMER,
    PROVIDER,
    PURPOSE,
    Sharing,
    context,
    query,
    rows,
    terms,
    text,
)
from tests.support import sql
from tests.support.refusing import refused
from tongban.common.v1 import value_pb2
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import data_service_pb2_grpc
from tongban.sharing.v1 import resources_pb2 as pb


async def test_granted_fields_leave_with_their_types_and_a_receipt(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    asked = query(resource, "A1", "A2", fields=ASKED)
    answer = await sharing.query(asked)
    first, second = (row.values for row in answer.rows)
    assert first["name"].string_value == "示例甲公司"
    assert (first["capital"].decimal_value, first["staff"].decimal_value) == ("12.50", "7")
    assert first["founded"].date_value.day == 29
    assert (first["active"].bool_value, first["score"].double_value) == (True, 0.5)
    assert first["seen"].time_value.ToJsonString() == "2024-01-01T00:00:00Z"
    assert second["seen"].null_value and second["score"].null_value
    assert answer.grant == grant
    assert not answer.next_page_token
    receipt = sharing.told[-1]
    (record,) = await sharing.records(receipt.transaction_id)
    assert (record.name, record.result, record.record_count) == (receipt.record, "OK", 2)
    assert list(record.fields) == ASKED
    assert (record.object, record.department, record.actor) == (
        resource,
        CONSUMER,
        "staff/00000000-0000-7000-8000-000000006331",
    )
    assert (record.purpose, record.case) == (PURPOSE, "cases/1")
    assert (record.basis_kind, record.basis) == ("grant", grant)
    salt = receipt.hash_salt
    assert opens(salt, asked.SerializeToString(), record.request_hash)
    assert opens(salt, answer.SerializeToString(deterministic=True), record.response_hash)
    used = await sharing.grant(grant)
    assert (used.state, used.queries_today, used.rows_total) == (pb.DATA_GRANT_STATE_ACTIVE, 1, 2)


async def test_a_refused_field_refuses_the_call_and_is_recorded(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    transaction = "00000000-0000-4000-8000-000000000001"
    request = query(resource, fields=["name", "phone"], use_context=context(transaction_id=transaction))
    with pytest.raises(PermissionDenied) as error:
        await sharing.query(request)
    assert (error.value.reason, error.value.metadata["fields"]) == ("FIELD_NOT_GRANTED", "phone")
    (record,) = await sharing.records(transaction)
    assert (record.result, list(record.fields), record.record_count) == ("FIELD_NOT_GRANTED", ["phone"], 0)
    request.allow_partial = True
    answer = await sharing.query(request)
    assert list(answer.refused_fields) == ["phone"]
    assert set(answer.rows[0].values) == {"name"}
    partial = [(each.result, list(each.fields)) for each in await sharing.records(transaction)]
    assert partial == [("FIELD_NOT_GRANTED", ["phone"]), ("OK", ["name"]), ("FIELD_NOT_GRANTED", ["phone"])]
    assert (await sharing.grant(grant)).queries_today == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"use_context": context(purpose_code="SUPERVISION")}, "GRANT_PURPOSE_MISMATCH"),
        ({"use_context": context(law="《政务数据共享条例》")}, "FIELD_INVALID"),
        ({"use_context": context(case="")}, "CASE_REQUIRED"),
        ({"fields": ["income"]}, "FIELD_UNKNOWN"),
        ({"conditions": [data.KeyCondition(field="name", values=[text("x")])]}, "FIELD_NOT_KEY"),
        ({"conditions": [data.KeyCondition(field="code", values=[value_pb2.Value(int_value=1)])]}, "FIELD_INVALID"),
        ({"conditions": [data.KeyCondition(field="code", values=[value_pb2.Value(null_value=True)])]}, "FIELD_INVALID"),
        ({"conditions": [data.KeyCondition(field="token", values=[text("x")])]}, "FIELD_INVALID"),
        (
            {"conditions": [data.KeyCondition(field="staff", values=[value_pb2.Value(decimal_value="9" * 20)])]},
            "FIELD_INVALID",
        ),
        ({"use_context": context(grant="dataGrants/00000000-0000-7000-8000-0000000000ff")}, "RESOURCE_NOT_FOUND"),
        ({"resource": "dataResources/00000000-0000-7000-8000-0000000000ff"}, "RESOURCE_NOT_FOUND"),
        ({"resource": "dataResources/zzzzzzzz-0000-7000-8000-0000000000ff".replace("z", "e")}, "RESOURCE_NOT_FOUND"),
        ({"use_context": context(department=PROVIDER)}, "FIELD_INVALID"),
        ({"use_context": context(operator="staff/somebody-else")}, "FIELD_INVALID"),
        ({"page_token": "x"}, "PAGE_TOKEN_INVALID"),
    ],
)
async def test_each_use_beyond_the_grant_is_refused_and_recorded(
    sharing: Sharing, changes: dict[str, Any], reason: str
) -> None:
    resource, grant = await sharing.ready()
    request = query(resource)
    for name, value in changes.items():
        request.ClearField(name)  # type: ignore[arg-type]
        request.MergeFrom(data.QueryRequest(**{name: value}))
    with pytest.raises(TongbanError) as error:
        await sharing.query(request)
    assert error.value.reason == reason
    assert (await sharing.records(page_size=1))[0].result == reason
    assert (await sharing.grant(grant)).queries_today == 0


async def test_keys_of_every_type_select_rows(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    for field, value, found in (
        ("staff", value_pb2.Value(decimal_value="7"), ["示例甲公司"]),
        ("staff", value_pb2.Value(int_value=2), ["示例乙公司"]),
        ("staff", value_pb2.Value(decimal_value="7.5"), []),
        ("token", text("00000000-0000-7000-8000-000000000001"), ["示例甲公司"]),
    ):
        conditions = [data.KeyCondition(field=field, values=[value])]
        answer = await sharing.query(query(resource, conditions=conditions))
        assert [row.values["name"].string_value for row in answer.rows] == found


async def test_row_conditions_of_the_grant_always_hold(sharing: Sharing) -> None:
    conditions = [
        rows("trade", pb.ROW_OPERATOR_IN, text("便利店"), text("食品")),
        rows("code", pb.ROW_OPERATOR_PREFIX, text("A")),
        rows("staff", pb.ROW_OPERATOR_AT_LEAST, value_pb2.Value(decimal_value="1.5")),
        rows("capital", pb.ROW_OPERATOR_AT_MOST, value_pb2.Value(decimal_value="50")),
    ]
    resource, _ = await sharing.ready(terms(row_conditions=conditions))
    answer = await sharing.query(query(resource, "A1", "A2", "A3", "B1"))
    assert [row.values["name"].string_value for row in answer.rows] == ["示例甲公司"]


async def test_others_learn_nothing_of_a_grant(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    stranger = sharing.staff("s1", "departments/00000000-0000-7000-8000-0000000000ee")
    with pytest.raises(PermissionDenied) as missing:
        await sharing.query(query(resource), stranger)
    assert missing.value.reason == "GRANT_MISSING"
    with pytest.raises(PermissionDenied) as foreign:
        await sharing.query(query(resource, use_context=context(grant=grant)), stranger)
    assert foreign.value.reason == "GRANT_DEPARTMENT_MISMATCH"
    partner = sharing.service.issuer.token("clients/partner", "CLIENT", "sharing.data.*")
    with pytest.raises(PermissionDenied) as lying:
        await sharing.query(query(resource, use_context=context(department=CONSUMER)), partner)
    # Nobody answers for what a client without a department says: its word counts for nothing.
    assert lying.value.reason == "GRANT_MISSING"


async def test_a_system_of_the_department_uses_its_grant_and_no_other_does(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    scope = "sharing.data.query"
    system = sharing.service.issuer.token("clients/registry", "CLIENT", scope, dept=CONSUMER)
    answer = await sharing.query(query(resource, "A1", fields=["name"]), system)
    assert [row.values["name"].string_value for row in answer.rows] == ["示例甲公司"]
    (record,) = await sharing.records(sharing.told[-1].transaction_id)
    assert (record.actor, record.department) == ("clients/registry", CONSUMER)
    with pytest.raises(InvalidArgument) as lying:
        await sharing.query(query(resource, use_context=context(department=PROVIDER)), system)
    assert [each.rule for each in lying.value.violations] == ["context.token"]
    other = sharing.service.issuer.token("clients/other", "CLIENT", scope, dept=PROVIDER)
    with pytest.raises(PermissionDenied) as stranger:
        await sharing.query(query(resource), other)
    assert stranger.value.reason == "GRANT_MISSING"


async def test_our_own_service_asks_for_a_department(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    channel = sharing.service.channel_as("cases")
    stub = data_service_pb2_grpc.DataServiceStub(channel)
    request = query(
        resource, use_context=context(department=CONSUMER, operator="staff/00000000-0000-7000-8000-000000006339")
    )
    await sharing.call(stub.Query, request, data.QueryResponse, "")
    await channel.close()
    (record,) = await sharing.records(sharing.told[-1].transaction_id)
    assert (record.actor, record.on_behalf_of, record.department) == (
        "services/cases",
        "staff/00000000-0000-7000-8000-000000006339",
        CONSUMER,
    )


async def test_pages_bring_every_row_once_and_no_more_than_one_query_may(sharing: Sharing) -> None:
    resource, grant = await sharing.ready(terms(quota=pb.Quota(queries_per_day=100, rows_per_query=3, rows_total=1000)))
    request = query(resource, "A1", "A2", "A3", "B1", page_size=2)
    first = await sharing.query(request)
    request.page_token = first.next_page_token
    second = await sharing.query(request)
    names = [row.values["name"].string_value for row in [*first.rows, *second.rows]]
    assert names == ["示例甲公司", "示例乙公司", "示例丙公司"]
    assert not second.next_page_token
    assert (await sharing.grant(grant)).rows_total == 3
    other = query(resource, "A1", page_size=2, page_token=first.next_page_token)
    with pytest.raises(InvalidArgument) as error:
        await sharing.query(other)
    assert error.value.reason == "PAGE_TOKEN_INVALID"


async def test_a_quota_is_never_overdrawn_by_calls_at_once(sharing: Sharing) -> None:
    resource, grant = await sharing.ready(terms(quota=pb.Quota(queries_per_day=7, rows_per_query=10, rows_total=1000)))
    told = len(sharing.told)
    results = await asyncio.gather(*(sharing.query(query(resource)) for _ in range(20)), return_exceptions=True)
    wanted = [receipt.record for receipt in sharing.told[told:]]
    refused = [each for each in results if isinstance(each, ResourceExhausted)]
    answered = [each for each in results if isinstance(each, data.QueryResponse)]
    assert (len(answered), len(refused)) == (7, 13)
    assert {each.metadata["quota"] for each in refused} == {"queries_per_day"}
    used = await sharing.grant(grant)
    assert (used.queries_today, used.rows_total) == (7, 7)
    assert len(set(wanted)) == 7
    written = {each.name: each.result for each in await sharing.records()}
    assert [written[name] for name in wanted] == ["OK"] * 7
    assert list(written.values()).count("GRANT_QUOTA_EXHAUSTED") == 13
    sharing.clock.move_to(sharing.clock.now().replace(day=7))
    assert len((await sharing.query(query(resource))).rows) == 1
    assert (await sharing.grant(grant)).queries_today == 1


async def test_the_last_rows_of_a_grant_are_cut_to_what_is_left(sharing: Sharing) -> None:
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=9, rows_per_query=9, rows_total=3)))
    first = await sharing.query(query(resource, "A1", "A2"))
    second = await sharing.query(query(resource, "A1", "A2"))
    assert (len(first.rows), len(second.rows)) == (2, 1)
    with pytest.raises(ResourceExhausted) as error:
        await sharing.query(query(resource, "A1"))
    assert error.value.metadata["quota"] == "rows_total"


async def test_a_grant_ends_on_time_although_it_was_read_before(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    await sharing.query(query(resource))
    sharing.clock.move_to(sharing.clock.now().replace(year=2025))
    with pytest.raises(PermissionDenied) as error:
        await sharing.query(query(resource))
    assert error.value.reason == "GRANT_OUT_OF_PERIOD"


async def test_a_change_of_the_mount_shows_at_once(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    await sharing.query(query(resource))
    database = sharing.service.process.database
    async with database.transaction() as connection:
        await sql.execute(connection, "UPDATE mounts SET state = 'SUSPENDED', version = version + 1")
    with pytest.raises(FailedPrecondition) as error:
        await sharing.query(query(resource))
    assert error.value.reason == "RESOURCE_NOT_MOUNTED"
    async with database.transaction() as connection:
        await sql.execute(connection, "UPDATE mounts SET state = 'ACTIVE', version = version + 1")
        await sql.execute(connection, "UPDATE grants SET state = 'SUSPENDED', version = version + 1")
    with pytest.raises(FailedPrecondition) as suspended:
        await sharing.query(query(resource))
    assert suspended.value.reason == "GRANT_NOT_ACTIVE"
    assert (await sharing.grant(grant)).queries_today == 1


async def test_a_table_that_is_gone_or_away_is_told_apart(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    owner = await asyncpg.connect(sharing.source)
    await owner.execute("ALTER TABLE firms DROP COLUMN trade")
    with pytest.raises(FailedPrecondition) as gone:
        await sharing.query(query(resource))
    assert gone.value.reason == "RESOURCE_NOT_MOUNTED"
    await owner.close()
    elsewhere = await sharing.published(code="300001/2")
    mount = await sharing.mounted(elsewhere, data_source="away")
    with pytest.raises(Unavailable) as away:
        await sharing.checked(mount.name)
    assert away.value.metadata == {"dependency": "data_sources/away"}


async def test_without_a_record_nothing_leaves(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    await sharing.query(query(resource))
    name = sa.make_url(read_dsn(sharing.service.process.config.database.dsn_file)).database
    admin = await asyncpg.connect(sharing.service.ground.backends.postgres_dsn, database=name)
    await admin.execute("REVOKE INSERT ON audit_records FROM sharing")
    with pytest.raises(Unavailable) as error:
        await sharing.query(query(resource))
    assert error.value.reason == "AUDIT_UNAVAILABLE"
    compared = data.CompareRequest(
        resource=resource,
        conditions=query(resource).conditions,
        given=[data.GivenValue(field="name", value=text("x"))],
        use_context=context(),
    )
    assert await refused(sharing.compare(compared)) == "AUDIT_UNAVAILABLE"
    await admin.execute("GRANT INSERT ON audit_records TO sharing")
    await admin.close()
    assert (await sharing.grant(grant)).queries_today == 1


async def test_uses_are_counted_again_after_all_connections_broke(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    await sharing.query(query(resource))
    name = sa.make_url(read_dsn(sharing.service.process.config.database.dsn_file)).database
    admin = await asyncpg.connect(sharing.service.ground.backends.postgres_dsn)
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1 AND datname = $2"
    assert await admin.fetch(ended, "tongban", name)
    await admin.close()
    with contextlib.suppress(Unavailable):
        await sharing.query(query(resource))
    before = (await sharing.grant(grant)).queries_today
    await sharing.query(query(resource))
    assert (await sharing.grant(grant)).queries_today == before + 1


async def test_a_comparison_tells_yes_or_no_and_nothing_more(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    given = [
        data.GivenValue(field="phone", value=text("10000000001")),
        data.GivenValue(field="name", value=text("别的名称")),
        data.GivenValue(field="capital", value=value_pb2.Value(decimal_value="12.5")),
        data.GivenValue(field="staff", value=value_pb2.Value(decimal_value="7.5")),
        data.GivenValue(field="seen", value=value_pb2.Value(time_value=Timestamp(seconds=1_704_067_200))),
    ]
    conditions = [data.KeyCondition(field="code", values=[text("A1")])]
    request = data.CompareRequest(resource=resource, conditions=conditions, given=given, use_context=context())
    answer = await sharing.compare(request)
    transaction = sharing.told[-1].transaction_id
    outcomes = [data.CompareOutcome.Name(each.outcome)[16:] for each in answer.comparisons]
    assert outcomes == ["MATCH", "NO_MATCH", "MATCH", "NO_MATCH", "MATCH"]
    request.conditions[0].values[0].string_value = "Z9"
    nothing = await sharing.compare(request)
    assert {each.outcome for each in nothing.comparisons} == {data.COMPARE_OUTCOME_NO_ROW}
    used = await sharing.grant(grant)
    assert (used.queries_today, used.rows_total) == (2, 0)
    (record,) = await sharing.records(transaction)
    assert (record.result, list(record.fields)) == ("OK", ["phone", "name", "capital", "staff", "seen"])
    request.given.append(given[0])
    with pytest.raises(InvalidArgument):
        await sharing.compare(request)


async def test_a_use_that_can_not_be_written_is_nobody_elses_fault(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uses that come together are counted and recorded by one statement."""
    resource, _ = await sharing.ready()
    poisoned = "00000000-0000-4000-8000-00000000dead"

    made = Log.entry

    def entry_of(log: Log, command: Any, *args: Any, **more: Any) -> AuditEntry:
        entry = made(log, command, *args, **more)
        return replace(entry, object="\0") if command.use.transaction_id == poisoned else entry

    monkeypatch.setattr(ledger, "_GATHER_SECONDS", 0.3)
    monkeypatch.setattr(Log, "entry", entry_of)
    asked = [query(resource, "A1", fields=ASKED) for _ in range(8)]
    bad = query(resource, "A1", fields=ASKED, use_context=context(transaction_id=poisoned))
    *good, refused = await asyncio.gather(
        *(sharing.query(each) for each in asked), sharing.query(bad), return_exceptions=True
    )
    assert isinstance(refused, Unavailable) and refused.reason == "AUDIT_UNAVAILABLE"
    assert [type(each) for each in good] == [data.QueryResponse] * 8
