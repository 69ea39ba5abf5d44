"""Partners and offices follow what changes of the cases that their Get shows them, and of nobody else's."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Unavailable
from tests.service.cases.conftest import CLERK, DEPARTMENT, LICENSE_TYPE, Town
from tests.support import sql
from tests.support.following import Follower
from tests.support.silence import silenced
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb

DECIDED = "cn.tongban.cases.case.decided.v1"


@pytest_asyncio.fixture
async def follower(town: Town) -> AsyncIterator[Follower]:
    """One of the town's."""
    yield Follower(town.service)


async def test_a_partner_follows_the_cases_that_it_opened_and_no_others(town: Town, follower: Follower) -> None:
    item = await town.item()
    mine = await town.create(item, town.system)
    await town.step("Submit", mine, town.system)
    theirs = await town.create(item)
    await town.step("Submit", theirs)
    await follower.take_up()
    page = await follower.ask(town.system)
    told = [change for change in page.changes if change.subject.startswith("cases/")]
    assert [change.subject for change in told] == [mine.name, mine.name]
    assert item.name in {change.subject for change in page.changes}, "catalogues are everybody's"
    submitted = events.CaseSubmitted()
    assert told[1].data.Unpack(submitted)
    assert (submitted.case.name, submitted.case.state) == (mine.name, pb.CASE_STATE_SUBMITTED)
    assert [change.sequence for change in told] == ["000000000000001", "000000000000002"]
    another = town.service.issuer.token("clients/other", "CLIENT")
    assert not any(change.subject.startswith("cases/") for change in (await follower.ask(another)).changes)
    assert await follower.told(another, subject=theirs.name) == []


async def test_an_office_follows_its_own_cases(town: Town, follower: Follower) -> None:
    case = await town.review(await town.create(await town.item()))
    await follower.take_up()
    assert await follower.told(town.clerk, subject=case.name) == ["created", "submitted", "accepted", "review_started"]
    assert await follower.told(town.stranger_clerk, subject=case.name) == []
    without = town.service.issuer.token(CLERK, "STAFF", "events.changes.list", dept=DEPARTMENT)
    assert await follower.told(without, subject=case.name) == []


async def test_changes_are_not_shown_where_that_can_not_be_recorded(town: Town, follower: Follower) -> None:
    case = await town.create(await town.item())
    await follower.take_up()
    async with silenced(town.service, "cases"):
        with pytest.raises(Unavailable) as refused:
            await follower.ask(town.clerk)
        assert refused.value.reason == "AUDIT_UNAVAILABLE"
        assert (await follower.ask(town.stranger_clerk, subject=case.name)).at_end, (
            "where nothing is shown nothing is recorded"
        )
    assert await follower.told(town.clerk, subject=case.name) == ["created"]


async def test_what_is_told_of_a_decision_names_nobody_and_the_order_is_told_to_nobody(
    town: Town, follower: Follower
) -> None:
    case = await town.review(await town.create(await town.item(license_type=LICENSE_TYPE), town.person))
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED, reason="申请人测试甲符合条件")
    await follower.take_up()
    page = await follower.ask(town.decider, types=[DECIDED])
    (change,) = page.changes
    told = events.CaseDecided()
    assert change.data.Unpack(told)
    assert (told.outcome, list(told.license_types)) == (pb.OUTCOME_APPROVED, [LICENSE_TYPE])
    assert "测试甲" not in change.data.value.decode(errors="replace")
    types = [each.type for each in (await follower.ask(town.decider)).changes]
    assert DECIDED in types
    assert "cn.tongban.cases.case.license_ordered.v1" not in types
    assert page.at_end


async def test_a_cursor_is_followed_and_ends(town: Town, follower: Follower) -> None:
    item = await town.item()
    await follower.take_up()
    cursor = (await follower.ask(town.system)).next_cursor
    await town.create(item, town.system)
    await follower.take_up()
    page = await follower.ask(town.system, cursor)
    assert [change.type.split(".")[-2] for change in page.changes] == ["created"]
    async with town.service.process.database.read() as connection:
        await sql.execute(connection, sa.text("UPDATE changes SET id = id || 'x'"))
    with pytest.raises(FailedPrecondition) as expired:
        await follower.ask(town.system, cursor)
    assert expired.value.reason == "CHANGES_CURSOR_EXPIRED"


async def test_what_is_asked_wrongly_or_by_others_is_refused(town: Town, follower: Follower) -> None:
    for asked, reason in (
        ({"service": "license"}, "FIELD_INVALID"),
        ({"types": ["cn.tongban.cases.case.license_ordered.v1"]}, "FIELD_INVALID"),
        ({"subject": "cases/张三"}, "FIELD_INVALID"),
        ({"cursor": "x"}, "PAGE_TOKEN_INVALID"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await follower.ask(town.system, **asked)
        assert refused.value.reason == reason
    for token in (town.person, town.window):
        with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
            await follower.ask(token)
