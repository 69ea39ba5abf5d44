"""Operations that somebody ends: cancelled by whom they are, interrupted by who may, given up by a worker that was lost."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from libs.audit import export as export_module
from libs.config import UploadsConfig
from libs.db.schema import operations, uploads
from libs.operations import rules
from libs.operations.sweeping import backlog_of
from libs.operations.work import OperationWork
from tests.service.libs.operations.conftest import ADMINISTRATOR, LEASE, content_of, records, refusal, work_of
from tests.support import sql
from tests.support.killed_worker import STEPS, counting
from tests.support.operating import Operating, exported, progress, reason, working
from tests.support.patience import PATIENCE
from tests.support.process import count, until
from tests.support.service import Service
from tongban.audit.v1 import audit_service_pb2 as pb


async def test_cancelling_is_a_request_that_the_next_step_follows(
    mine: Operating, service: Service, tmp_path: Path
) -> None:
    work_of(service, counting(tmp_path, 0.02).work)
    begun_ = await mine.export()
    async with working(service.process.operation_worker().run):

        async def under_way() -> bool:
            return progress(await mine.get(begun_.name)).done_items >= 2

        await until(under_way)
        await mine.cancel(begun_.name)
        ended = await mine.ended(begun_.name)
        await mine.cancel(begun_.name)
    assert reason(ended) == ("OPERATION_CANCELLED", {"resource": begun_.name})
    assert ended.error.code == grpc.StatusCode.CANCELLED.value[0]
    assert progress(ended).cancel_requested
    assert 2 <= progress(ended).done_items < STEPS


async def test_one_that_was_not_begun_is_cancelled_without_work(mine: Operating, service: Service) -> None:
    async def never(*_: Any) -> Message:
        raise AssertionError

    work_of(service, never)
    begun_ = await mine.export()
    await mine.cancel(begun_.name)
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert reason(ended)[0] == "OPERATION_CANCELLED"


async def test_a_cancelled_export_leaves_no_file(
    mine: Operating, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_WRITTEN", 1)
    await records(service, 10)
    begun_ = await mine.export()
    real = export_module.AuditExport("license", service.process.database, content_of(service), UploadsConfig())

    async def cancelled_when_writing(request: pb.ExportAuditRecordsRequest, work: OperationWork) -> Message:
        note = work._note

        async def noted(phase: str, done: int, total: int, checkpoint: bytes) -> None:
            if done == 3:
                await mine.cancel(begun_.name)
            await note(phase, done, total, checkpoint)

        work._note = noted
        return await real.work(request, work)

    work_of(service, cancelled_when_writing)
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert reason(ended)[0] == "OPERATION_CANCELLED"
    async with service.process.database.read() as connection:
        assert await sql.scalar(connection, uploads.select().with_only_columns(uploads.c.state)) == "DELETED"


async def test_who_may_interrupt_sees_all_and_ends_one_at_once(
    mine: Operating, service: Service, tmp_path: Path
) -> None:
    work_of(service, counting(tmp_path, 0.05).work)
    begun_ = await mine.export()
    administrator = Operating(service, ADMINISTRATOR, "operations.operations.*")
    assert await refusal(mine.interrupt(begun_.name)) == "PERMISSION_MISSING"
    async with working(service.process.operation_worker().run):

        async def under_way() -> bool:
            return progress(await administrator.get(begun_.name)).done_items >= 2

        await until(under_way)
        ended = await administrator.interrupt(begun_.name)
        assert reason(ended) == ("OPERATION_INTERRUPTED", {"resource": begun_.name, "rule": "operator"})
        assert await refusal(administrator.interrupt(begun_.name)) == "STATE_CONFLICT"
        left = (tmp_path / "steps").read_text()
        await asyncio.sleep(LEASE)
    assert len((tmp_path / "steps").read_text().split()) <= len(left.split()) + 1
    assert await mine.get(begun_.name) == await administrator.get(begun_.name)
    assert [each.name for each in (await administrator.list()).operations] == [begun_.name]


async def test_what_a_lost_worker_notes_counts_no_more(
    mine: Operating, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had hung for longer than its lease, and come to itself while another works."""
    hung, second = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def hanging(_request: Any, work: OperationWork) -> Message:
        if not seen:
            seen.append("first")
            hung.set()
            await second.wait()
            await work.note("COUNTING", 99, 99, b"of the first")
            seen.append("the first noted something")
        seen.append("second")
        second.set()
        await asyncio.sleep(0.2)
        await work.note("COUNTING", 1, 1, b"of the second")
        return pb.ExportAuditRecordsResponse(record_count=1)

    work_of(service, hanging)
    begun_ = await mine.export()
    stuck, other = service.process.operation_worker(), service.process.operation_worker()
    monkeypatch.setattr(stuck, "_hold", lambda _taken: asyncio.Event().wait())
    async with working(stuck.run):
        await hung.wait()
        async with working(other.run):
            ended = await mine.ended(begun_.name)
    assert seen == ["first", "second"]
    assert (progress(ended).done_items, exported(ended).record_count) == (1, 1)


@pytest.mark.lease(4 * PATIENCE)  # whoever waited for its end would not be done in time
async def test_a_process_that_stops_leaves_its_work_at_once(mine: Operating, service: Service, tmp_path: Path) -> None:
    work_of(service, counting(tmp_path, 0.02).work)
    begun_ = await mine.export()
    for _ in range(rules.MOST_STALLS + 2):
        async with working(service.process.operation_worker().run):
            steps = progress(await mine.get(begun_.name)).done_items

            async def further(last: int = steps) -> bool:
                return progress(await mine.get(begun_.name)).done_items > last

            await until(further)


async def test_it_is_forgotten_when_asked_and_when_its_time_is_over(mine: Operating, service: Service) -> None:
    first, second = await mine.export(), await mine.export()
    assert await refusal(mine.delete(first.name)) == "STATE_CONFLICT"
    async with working(service.process.operation_worker().run):
        await mine.ended(first.name)
        await mine.ended(second.name)
    await mine.delete(first.name)
    assert await refusal(mine.get(first.name)) == "RESOURCE_NOT_FOUND"
    async with service.process.database.read() as connection:
        await connection.driver.execute("UPDATE operations SET expire_time = now() - interval '1 second'")
    backlog = backlog_of(service.process.database, UploadsConfig(patience_seconds=0))
    async with service.process.database.read() as connection:
        due = [row["key"] for row in await connection.driver.fetch(backlog.query)]
    for key in due:
        await backlog.take_up(str(key))
    assert await count(service.process, operations) == 0
    assert backlog.confirm == timedelta(0)
