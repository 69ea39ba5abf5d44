"""What case handling looks for by itself: overdue acceptances, and decisions whose licence does not come."""

from datetime import UTC, date, datetime

import sqlalchemy as sa

from tests.service.cases.conftest import LICENSE_TYPE, TASK_CODE, Town
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
    decided = "cn.tongban.case.decided.v1"
    assert await _told(town, decided) == 3
    await _hours_later(town)
    assert await sweep.sweep() == 1
    assert await sweep.sweep() == 0
    first, *_, again = [events.CaseDecided.FromString(data) for kind, data in await town.events() if kind == decided]
    for each in (first, again):
        each.case.ClearField("event_time")
    assert first == again
    await _hours_later(town)
    assert await sweep.sweep() == 1
    issued = license_events.LicenseIssued(license="licenses/1", identifier="1.2.156", case_name=waiting.name)
    issued.issue_time.FromDatetime(datetime(2024, 3, 4, 2, tzinfo=UTC))
    await town.told("cn.tongban.license.issued.v1", issued)
    await _hours_later(town)
    assert await sweep.sweep() == 0
    assert await _told(town, decided) == 5


async def test_cases_that_can_not_be_accepted_by_law_starve_no_other(town: Town) -> None:
    """They stand still for a correction in the ledger, but not in the column that is searched by."""
    item = await town.item()
    stuck = [await town.step("Submit", await town.create(item)) for _ in range(110)]
    async with town.service.process.database.transaction() as connection:
        for case in stuck:
            values = {"id": case.name.removeprefix("cases/")}
            await connection.execute(sa.text("UPDATE cases SET due_date = '2020-01-01' WHERE id = :id"), values)
    town.at(date(2024, 3, 5))
    late = await town.step("Submit", await town.create(item))
    async with town.service.process.database.transaction() as connection:
        for case in stuck:  # submitted later than they were due: not overdue, whatever the column says
            values = {"id": case.name.removeprefix("cases/")}
            await connection.execute(sa.text("UPDATE cases SET clock_start = '2024-03-12' WHERE id = :id"), values)
    town.at(date(2024, 3, 13))
    assert await town.part("Sweep").sweep() == 1
    assert (await town.get(late.name)).state == pb.CASE_STATE_ACCEPTED


async def _told(town: Town, event_type: str) -> int:
    return [kind for kind, _ in await town.events()].count(event_type)


async def _hours_later(town: Town) -> None:
    """Lets what waits in the sweep's notes come due."""
    async with town.service.process.database.transaction() as connection:
        await connection.execute(sa.text("UPDATE retries SET next_attempt = now()"))
