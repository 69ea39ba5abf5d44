"""What case handling looks for by itself: overdue acceptances, and decisions whose licence does not come."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.service.cases.conftest import LICENSE_TYPE, TASK_CODE, Town
from tests.support import sql
from tests.support.process import running, until
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.license.v1 import events_pb2 as license_events


async def test_a_case_asks_again_for_a_licence_that_does_not_come(town: Town) -> None:
    licensed = await town.item(license_type=LICENSE_TYPE)
    plain = await town.item(task_code=TASK_CODE[:-1] + "8")
    waiting, refused, other = [await town.review(await town.create(item)) for item in (licensed, licensed, plain)]
    await town.step("Decide", waiting, outcome=pb.OUTCOME_APPROVED)
    await town.step("Decide", refused, outcome=pb.OUTCOME_REJECTED, reason="不符合条件")
    await town.step("Decide", other, outcome=pb.OUTCOME_APPROVED)
    sweep = town.part("Sweep")
    assert await sweep.sweep() == 0
    decided, ordered = "cn.tongban.cases.case.decided.v1", "cn.tongban.cases.case.license_ordered.v1"
    assert (await _told(town, decided), await _told(town, ordered)) == (3, 1)
    await _hours_later(town)
    assert await sweep.sweep() == 1
    assert await sweep.sweep() == 0
    told = [events.CaseLicenseOrdered.FromString(data) for kind, data in await town.events() if kind == ordered]
    first, again = told
    for each in (first, again):
        each.case.ClearField("event_time")
    assert first == again
    await _hours_later(town)
    assert await sweep.sweep() == 1
    issued = license_events.LicenseIssued(license="licenses/1", identifier="1.2.156", case=waiting.name)
    issued.issue_time.FromDatetime(datetime(2024, 3, 4, 2, tzinfo=UTC))
    await town.told("cn.tongban.license.license.issued.v1", issued)
    await _hours_later(town)
    assert await sweep.sweep() == 0
    assert (await _told(town, decided), await _told(town, ordered)) == (3, 3)


async def test_cases_that_can_not_be_accepted_by_law_starve_no_other(town: Town) -> None:
    """They stand still for a correction in the ledger, but not in the column that is searched by."""
    item = await town.item()
    stuck = [await town.step("Submit", await town.create(item)) for _ in range(110)]
    async with town.service.process.database.transaction() as connection:
        for case in stuck:
            values = {"id": case.name.removeprefix("cases/")}
            await sql.execute(connection, sa.text("UPDATE cases SET due_date = '2020-01-01' WHERE id = :id"), values)
    town.at(date(2024, 3, 5))
    late = await town.step("Submit", await town.create(item))
    async with town.service.process.database.transaction() as connection:
        for case in stuck:  # submitted later than they were due: not overdue, whatever the column says
            values = {"id": case.name.removeprefix("cases/")}
            await sql.execute(connection, sa.text("UPDATE cases SET clock_start = '2024-03-12' WHERE id = :id"), values)
    town.at(date(2024, 3, 13))
    assert await town.part("Sweep").sweep() == 1
    assert (await town.get(late.name)).state == pb.CASE_STATE_ACCEPTED


async def _told(town: Town, event_type: str) -> int:
    return [kind for kind, _ in await town.events()].count(event_type)


async def _hours_later(town: Town) -> None:
    """Lets what waits in the sweep's notes come due."""
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.text("UPDATE retries SET next_attempt = now()"))


async def test_a_clock_that_is_wrong_for_minutes_accepts_nothing_by_law(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 days ahead, nine minutes long, and right again: no case is accepted. On the day itself it is, after ten minutes."""
    stopwatch = [1_000.0]
    monkeypatch.setattr("libs.sweeps.sweep.stopwatch", lambda: stopwatch[0])
    monkeypatch.setattr(town.part("Sweep"), "_pause", 0.01)
    case = await town.step("Submit", await town.create(await town.item()))
    right = town.clock.now()
    async with running(town.part("Sweep").run):
        town.clock.move_to(right + timedelta(days=400))
        await until(lambda: _noted(town, 1))
        stopwatch[0] += 540
        await _taken_up_if_due(town)
        town.clock.move_to(right)
        await until(lambda: _noted(town, 0))
        stopwatch[0] += 3_600
        assert (await town.get(case.name)).state == pb.CASE_STATE_SUBMITTED
        town.at(date(2024, 3, 12))
        await until(lambda: _noted(town, 1))
        await _taken_up_if_due(town)
        assert (await town.get(case.name)).state == pb.CASE_STATE_SUBMITTED
        stopwatch[0] += 601
        await until(lambda: _noted(town, 0))
    accepted = await town.get(case.name)
    assert accepted.state == pb.CASE_STATE_ACCEPTED
    assert accepted.promised_date == (await town.clock_of(accepted)).promised_date


async def _noted(town: Town, count: int) -> bool:
    found = sa.text("SELECT count(*) FROM retries WHERE task = 'case_accepted_by_law'")
    async with town.service.process.database.read() as connection:
        return bool(await sql.scalar(connection, found) == count)


async def _taken_up_if_due(town: Town) -> None:
    """Lets the sweep look a few times more: what is due is taken up within them."""
    sweep, looks = town.part("Sweep"), []
    usual = sweep._look

    async def look() -> None:
        looks.append(1)
        await usual()

    async def looked() -> bool:
        return len(looks) > 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_look", look)
        await until(looked)
