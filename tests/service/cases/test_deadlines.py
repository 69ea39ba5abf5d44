"""Deadlines that are derived: from the last full submission, never back to timely, the same wherever they are told."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from libs.audit.records import parse_canonical
from libs.db.schema import audit_records
from libs.errors import FailedPrecondition, NotFound
from libs.observability.metrics import SET_ASIDE
from libs.rpc.messages import working_days
from tests.service.cases.conftest import MONDAY, Town, day
from tests.service.cases.test_calendar import imported
from tests.service.cases.test_life import LEASE, paper
from tests.support import sql
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1 import task_service_pb2 as tasks

POINTS = [pb.CorrectionPoint(material_code="M2", explanation="缺少签章")]


async def listed(town: Town, case: pb.Case) -> tasks.CaseTask:
    request = tasks.ListCaseTasksRequest(filter=f"case = {case.name}")
    return (await town.call(town.tasks.ListCaseTasks, request, tasks.ListCaseTasksResponse, town.clerk)).case_tasks[0]


async def test_acceptance_by_silence_counts_from_the_corrected_submission(town: Town) -> None:
    """Asked on the day of submission, answered seventeen working days later, then five days of silence."""
    case = await town.create(await town.item(materials=[LEASE], promised_limit=working_days(10)))
    await town.step("Submit", case, town.clerk, materials=[paper("M2")])
    await town.step("RequestCorrection", case, points=POINTS)
    town.at(date(2024, 3, 27))
    await town.step("SubmitCorrection", case, town.clerk, materials=[paper("M2")])
    sweep = town.part("Sweep").sweep
    town.at(date(2024, 4, 3))  # the fifth working day
    assert await sweep() == 0
    town.at(date(2024, 4, 4))
    assert await sweep() == 1
    accepted = await town.get(case.name)
    clock = await town.clock_of(case)
    assert (day(clock.start_date), clock.light) == (date(2024, 3, 27), pb.LIGHT_GREEN)
    # 28 and 29 March, 1 to 3 April; the Qingming holiday; worked on Sunday 7, then 8 to 11 April.
    assert day(accepted.promised_date) == day(clock.promised_date) == date(2024, 4, 11)


async def test_an_acceptance_that_comes_too_late_gains_no_time(town: Town) -> None:
    case = await town.step("Submit", await town.create(await town.item()))
    town.at(date(2024, 3, 12))
    points = [pb.CorrectionPoint(explanation="填写有误")]
    for verb, more in (("RequestCorrection", {"points": points}), ("Decline", {"reason": "不受理"})):
        with pytest.raises(FailedPrecondition) as late:
            await town.step(verb, case, **more)
        assert late.value.reason == "CASE_ACCEPTANCE_EXPIRED"
    accepted = await town.step("Accept", case)
    assert (day(accepted.promised_date), accepted.light) == (date(2024, 3, 11), pb.LIGHT_RED)


async def test_what_is_overdue_stays_overdue(town: Town) -> None:
    case = await town.review(await town.create(await town.item()))
    town.at(date(2024, 3, 12))
    assert (await town.get(case.name)).light == pb.LIGHT_RED
    with pytest.raises(FailedPrecondition) as late:
        await town.step("Extend", case, extension=working_days(10), reason="情况复杂")
    assert (late.value.reason, late.value.metadata) == ("CASE_EXTENSION_NOT_ALLOWED", {"rule": "expired"})
    await town.step("Suspend", case, procedure=pb.SPECIAL_PROCEDURE_HEARING, reason="听证")
    town.at(date(2024, 3, 22))
    resumed = await town.step("Resume", case)
    assert (day(resumed.promised_date), resumed.light) == (date(2024, 3, 11), pb.LIGHT_RED)


async def test_a_clock_that_steps_back_over_midnight_harms_no_case(town: Town) -> None:
    case = await town.review(await town.create(await town.item()))
    town.clock.move_to(town.clock.now().replace(hour=16, minute=1))  # one minute past midnight in China
    await town.step("Suspend", case, procedure=pb.SPECIAL_PROCEDURE_HEARING, reason="听证")
    town.clock.move_to(town.clock.now() - timedelta(seconds=90))
    await town.step("Resume", case)
    await town.step("Suspend", case, procedure=pb.SPECIAL_PROCEDURE_TESTING, reason="检测")
    town.clock.move_to(town.clock.now() - timedelta(days=400))
    await town.step("Resume", case)
    clock = await town.clock_of(case)
    assert all(each.end_time.ToDatetime() >= each.start_time.ToDatetime() for each in clock.suspensions)
    assert (clock.suspended_days, len(clock.suspensions)) == (0, 2)
    town.at(MONDAY + timedelta(days=1))
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    assert (await town.get(case.name)).light == pb.LIGHT_GREEN


async def test_a_correction_that_comes_while_the_clock_is_behind_takes_no_days_away(town: Town) -> None:
    """The days of acceptance begin anew with it, and never before those that it follows."""
    case = await town.create(await town.item(materials=[LEASE]))
    await town.step("Submit", case, town.clerk, materials=[paper("M2")])
    await town.step("RequestCorrection", case, points=POINTS)
    town.clock.move_to(town.clock.now() - timedelta(days=400))
    await town.step("SubmitCorrection", case, town.clerk, materials=[paper("M2")])
    town.at(MONDAY + timedelta(days=1))
    assert day((await town.clock_of(case)).start_date) == MONDAY
    assert await town.part("Sweep").sweep() == 0
    accepted = await town.step("Accept", case)
    assert accepted.light == pb.LIGHT_GREEN


async def test_a_revised_calendar_moves_every_deadline_alike(town: Town) -> None:
    """The notice of 2027 makes the first days of January rest days; case, clock, task and the sweeper's date follow."""
    town.at(date(2026, 12, 28))
    running = await town.review(await town.create(await town.item()))
    waiting = await town.create(await town.item(materials=[LEASE], task_code="11341500MB1234567X4123456789019"))
    await town.step("Submit", waiting, town.clerk, materials=[paper("M2")])
    await town.step("RequestCorrection", waiting, points=POINTS)
    assert day((await town.get(running.name)).promised_date) == date(2027, 1, 5)
    await imported(town, 2027, date(2027, 1, 4), date(2027, 1, 5), date(2027, 1, 6))
    case, clock, task = await town.get(running.name), await town.clock_of(running), await listed(town, running)
    assert {day(case.promised_date), day(clock.promised_date), day(task.due_date)} == {date(2027, 1, 8)}
    assert case.light == clock.light == task.light == pb.LIGHT_GREEN
    correction = (await town.get(waiting.name)).corrections[0]
    assert (correction.answer_limit, day(correction.due_date)) == (working_days(15), date(2027, 1, 22))
    async with town.service.process.database.read() as connection:
        before = (await sql.execute(connection, "SELECT due_date FROM cases ORDER BY create_time")).scalars()
    assert before[0] == date(2027, 1, 5)
    before_recount = len(await moved(town))
    assert await town.part("DeadlineRecounter").recount() == 2
    assert await town.part("DeadlineRecounter").recount() == 0
    assert {running.name, waiting.name} == set((await moved(town))[before_recount:])
    async with town.service.process.database.read() as connection:
        found = await sql.execute(
            connection,
            """
            SELECT cases.due_date, tasks.due_date, cases.version FROM cases JOIN tasks ON tasks.case_id = cases.id
            WHERE tasks.state = 'OPEN' ORDER BY cases.create_time
        """,
        )
        rows = [tuple(row) for row in found]
    assert rows[0] == (date(2027, 1, 8), date(2027, 1, 8), 4)


async def test_a_calendar_counts_no_clock_anew_that_has_ended(town: Town) -> None:
    """Decided, declined: what is over stays as it was told, and nobody is told of another day."""
    town.at(date(2026, 12, 28))
    item = await town.item()
    decided = await town.review(await town.create(item))
    await town.step("Decide", decided, outcome=pb.OUTCOME_APPROVED)
    await town.step("Decline", await town.step("Submit", await town.create(item)), reason="不受理")
    running = await town.review(await town.create(item))
    await imported(town, 2027, date(2027, 1, 4), date(2027, 1, 5), date(2027, 1, 6))
    assert await town.part("DeadlineRecounter").recount() == 1
    assert await moved(town) == [running.name]


async def moved(town: Town) -> list[str]:
    """The cases whose search date was written anew, as the log tells it."""
    records = sa.select(audit_records.c.canonical).order_by(audit_records.c.seq)
    async with town.service.process.database.read() as connection:
        found = [parse_canonical(row.canonical) for row in await sql.execute(connection, records)]
    return [record.object for record in found if record.action == "cases:recount"]


async def test_recounting_goes_on_where_it_was_stopped(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cases.calendars.worker._BATCH", 2)
    town.at(date(2026, 12, 28))
    item = await town.item()
    for _ in range(5):
        await town.step("Submit", await town.create(item))
    await imported(town, 2027, date(2027, 1, 4))
    recounter = town.part("DeadlineRecounter")
    with monkeypatch.context() as killed:
        batches = recounter._batches(await recounter._parts.calendars.current())
        killed.setattr(type(recounter), "_batches", lambda *_: first_of(batches))
        assert await recounter.recount() == 2  # and then it was killed
    assert await recounter.recount() == 3


async def first_of(batches: AsyncIterator[Sequence[str]]) -> AsyncIterator[Sequence[str]]:
    yield await anext(batches)


async def test_a_case_that_cannot_be_opened_holds_up_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is sealed under another key, one refers to nothing, one meets a fault of ours; all in one batch with others."""
    town.at(date(2026, 12, 28))
    item = await town.item()
    cases = [(await town.step("Submit", await town.create(item))).name.removeprefix("cases/") for _ in range(7)]
    closed, lost, faulty = cases[1], cases[3], cases[4]
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE cases SET sealed = '\\x0011' WHERE id = '{closed}'")
    recounter = town.part("DeadlineRecounter")
    count = type(recounter)._count

    async def counted(self: Any, tx: Any, record: Any, calendar: Any) -> None:
        if record.id == lost:
            raise NotFound("RESOURCE_NOT_FOUND", "no such item")
        if record.id == faulty:
            raise RuntimeError("nobody thought of this")
        await count(self, tx, record, calendar)

    monkeypatch.setattr(type(recounter), "_count", counted)
    await imported(town, 2027, date(2027, 1, 4))
    assert await recounter.recount() == 4
    assert await behind(town) == {closed, lost, faulty}
    assert await recounter.recount() == 0
    assert SET_ASIDE.labels("cases:recount")._value.get() == 3
    monkeypatch.undo()
    recounter._aside.forget()
    assert await recounter.recount() == 2
    assert await behind(town) == {closed}
    assert SET_ASIDE.labels("cases:recount")._value.get() == 1


async def behind(town: Town) -> set[str]:
    """The cases whose search date an older edition counted."""
    async with town.service.process.database.read() as connection:
        edition = "(SELECT count(*) FROM calendars)"
        found = await sql.execute(connection, f"SELECT id FROM cases WHERE calendar_edition < {edition}")
        return {str(row.id) for row in found}
