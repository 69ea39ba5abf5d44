"""Operations through a real service: an export end to end, killed and gone on with, cancelled, interrupted, kept to its owner."""

import asyncio
import os
import pickle
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.message import Message

from libs.audit import export as export_module
from libs.config import UploadsConfig
from libs.crypto.sm3 import sm3
from libs.db.schema import operations, uploads
from libs.errors import reasons
from libs.operations import rules
from libs.operations.work import OperationWork
from tests.service.libs.operations.conftest import ADMINISTRATOR, STRANGER, content_of, records, refusal, work_of
from tests.support.killed_worker import STEPS, counting
from tests.support.operating import BEGINNING, END, Operating, exported, progress, reason, working
from tests.support.process import count, until
from tests.support.service import Service
from tests.support.uploading import Uploading
from tongban.audit.v1 import audit_service_pb2 as pb
from tongban.operations.v1 import operation_service_pb2

EARLIER = timestamp_pb2.Timestamp(seconds=3_000_000_000)


async def test_an_export_is_begun_followed_waited_for_and_downloaded(
    mine: Operating, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_WRITTEN", 7)
    monkeypatch.setattr(export_module, "_COUNTED", 5)
    lines = await records(service, 23)
    begun_ = await mine.export()
    assert (begun_.done, progress(begun_).method) == (False, "tongban.audit.v1.AuditService.ExportAuditRecords")
    assert (await mine.get(begun_.name)) == begun_
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    response, told = exported(ended), progress(ended)
    assert (told.done_items, told.total_items, told.phase, told.attempts) == (23, 23, "CHECKING", 1)
    assert told.create_time.ToNanoseconds() <= told.start_time.ToNanoseconds() <= told.end_time.ToNanoseconds()
    assert told.purge_time.ToDatetime() - told.end_time.ToDatetime() == rules.KEPT
    upload, content = await Uploading(service, mine.subject, kind="STAFF").download(response.upload)
    assert content == b"".join(line + b"\n" for line in lines)
    assert response.digest == f"sm3:{sm3(content).hex()}" == upload.digest
    assert (response.record_count, response.size_bytes) == (23, len(content))
    _, part = await Uploading(service, mine.subject, kind="STAFF").download(response.upload, 10, 20)
    assert part == content[10:30]


async def test_beginning_and_end_are_on_record_and_a_repeat_begins_nothing(mine: Operating, service: Service) -> None:
    await records(service, 1)
    request_id = str(uuid.uuid4())
    first = await mine.export(request_id)
    assert await mine.export(request_id) == first
    assert await count(service.process, operations) == 1
    async with working(service.process.operation_worker().run):
        await mine.ended(first.name)
    assert await mine.export(request_id) == first
    async with service.process.database.read() as connection:
        found = await connection.driver.fetch(
            "SELECT convert_from(canonical, 'UTF8')::jsonb AS r FROM audit_records WHERE object = $1 ORDER BY seq",
            first.name,
        )
    told = [__import__("json").loads(row["r"]) for row in found]
    assert [(each["actor"], each["on_behalf_of"], each["result"]) for each in told] == [
        (mine.subject, "", "OK"),
        ("services/license", mine.subject, "OK"),
    ]


async def test_a_process_that_is_killed_in_the_middle_costs_one_step(
    mine: Operating, service: Service, tmp_path: Path
) -> None:
    """A real process, a real SIGKILL: another goes on from the last note, and does again at most what was not noted."""
    config = tmp_path / "config"
    config.write_bytes(pickle.dumps(service.process.config))
    work_of(service, counting(tmp_path, 0).work)
    begun_ = await mine.export()
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.killed_worker", str(config), str(tmp_path), env={**os.environ}
    )

    async def under_way() -> bool:
        return progress(await mine.get(begun_.name)).done_items >= 3

    await until(under_way, 30)
    os.kill(victim.pid, signal.SIGKILL)
    assert await victim.wait() == -signal.SIGKILL
    left = progress(await mine.get(begun_.name))
    assert 3 <= left.done_items < STEPS
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert exported(ended).record_count == STEPS
    assert progress(ended).attempts == 2
    steps = [int(line) for line in (tmp_path / "steps").read_text().split()]
    assert sorted(set(steps)) == list(range(STEPS))
    assert len(steps) - STEPS in (0, 1)


async def test_an_export_goes_on_within_its_file(
    mine: Operating, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each note in turn, between the bytes and the note that they are there too: the file is the same."""
    monkeypatch.setattr(export_module, "_WRITTEN", 4)
    monkeypatch.setattr(export_module, "_COUNTED", 6)
    lines = await records(service, 13)
    real = export_module.AuditExport("license", service.process.database, content_of(service), UploadsConfig())
    stops = iter(range(1, 40))

    async def stumbling(request: pb.ExportAuditRecordsRequest, work: OperationWork) -> Message:
        left = next(stops)
        note = work._note

        async def counted(*noted: Any) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                raise reasons.dependency_unavailable("the process is gone", dependency="itself")
            await note(*noted)

        work._note = counted
        return await real.work(request, work)

    monkeypatch.setattr(rules, "MOST_STALLS", 100)
    monkeypatch.setattr(rules, "pause_seconds", lambda _stalls: 0.0)
    work_of(service, stumbling)
    begun_ = await mine.export()
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert progress(ended).attempts > 3
    _, content = await Uploading(service, mine.subject, kind="STAFF").download(exported(ended).upload)
    assert content == b"".join(line + b"\n" for line in lines)
    assert await count(service.process, uploads) == 1


async def test_one_that_gets_nowhere_fails_clearly(
    mine: Operating, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "pause_seconds", lambda _stalls: 0.0)

    async def hopeless(*_: Any) -> Message:
        raise reasons.dependency_unavailable("always", dependency="x")

    work_of(service, hopeless)
    begun_ = await mine.export()
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert reason(ended) == ("OPERATION_INTERRUPTED", {"resource": begun_.name, "rule": "attempts"})
    assert progress(ended).attempts == rules.MOST_STALLS + 1


async def test_a_fault_of_ours_is_told_without_its_words(mine: Operating, service: Service) -> None:
    async def broken(*_: Any) -> Message:
        raise ZeroDivisionError("secret")

    work_of(service, broken)
    begun_ = await mine.export()
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert reason(ended)[0] == "INTERNAL"
    assert "secret" not in str(ended)


async def test_the_error_is_told_in_the_language_of_who_asks(mine: Operating, service: Service) -> None:
    begun_ = await mine.export()
    async with working(service.process.operation_worker().run):
        ended = await mine.ended(begun_.name)
    assert reason(ended)[0] == "EXPORT_EMPTY"
    chinese = await Operating(service, language="zh").get(begun_.name)
    assert "所选期间没有可导出的内容".encode() in chinese.error.SerializeToString()
    assert b"There is nothing to export" in ended.error.SerializeToString()


async def test_another_persons_operation_does_not_exist(mine: Operating, service: Service) -> None:
    begun_ = await mine.export()
    other = Operating(service, STRANGER)
    unknown = f"operations/license/{uuid.uuid4()}"
    for work in (other.get, other.ended, other.cancel, other.delete):
        assert await refusal(work(begun_.name)) == await refusal(work(unknown)) == "RESOURCE_NOT_FOUND"
    assert list((await other.list()).operations) == []
    assert [each.name for each in (await mine.list()).operations] == [begun_.name]
    assert await refusal(mine.get(begun_.name.replace("license", "seal"))) == "FIELD_INVALID"


async def test_a_caller_has_so_many_under_way_and_another_their_own(mine: Operating, service: Service) -> None:
    for _ in range(3):
        await mine.export()
    assert await refusal(mine.export()) == "OPERATION_QUOTA_EXCEEDED"
    await Operating(service, STRANGER).export()
    assert await count(service.process, operations) == 4


async def test_the_list_is_filtered_and_paged(mine: Operating, service: Service) -> None:
    made = [await mine.export() for _ in range(3)]
    await mine.cancel(made[0].name)
    async with working(service.process.operation_worker().run):
        for each in made:
            await mine.ended(each.name)
    last = await mine.export()
    assert [each.name for each in (await mine.list(filter="done = false")).operations] == [last.name]
    first = await mine.list(filter="done = true", page_size=2, order_by="create_time")
    rest = await mine.list(filter="done = true", page_size=2, order_by="create_time", page_token=first.next_page_token)
    assert [each.name for each in (*first.operations, *rest.operations)] == [each.name for each in made]


async def test_what_is_wrong_is_refused_and_begins_nothing(mine: Operating, service: Service) -> None:
    request_id, begun_ = str(uuid.uuid4()), await mine.export()
    assert await refusal(mine.export(start_time=END, end_time=BEGINNING)) == "FIELD_INVALID"
    assert await refusal(mine.export(parent="seal")) == "FIELD_INVALID"
    await mine.export(request_id)
    assert await refusal(mine.export(request_id, end_time=EARLIER)) == "REQUEST_ID_REUSED"
    assert await count(service.process, operations) == 2
    administrator = Operating(service, ADMINISTRATOR, "operations.operations.*")
    elsewhere = begun_.name.replace("license", "seal")
    works = (
        administrator.get,
        administrator.ended,
        administrator.cancel,
        administrator.delete,
        administrator.interrupt,
    )
    for work in works:
        assert await refusal(work(elsewhere)) == "FIELD_INVALID"
    assert await refusal(administrator.interrupt(f"operations/license/{uuid.uuid4()}")) == "RESOURCE_NOT_FOUND"
    first = await administrator.interrupt(begun_.name, request_id)
    assert await administrator.interrupt(begun_.name, request_id) == first
    assert await refusal(administrator.interrupt((await mine.export()).name, request_id)) == "REQUEST_ID_REUSED"
    assert await refusal(mine.list(page_token="x")) == "PAGE_TOKEN_INVALID"
    assert await refusal(mine.list(filter="nothing = 1")) == "FIELD_INVALID"
    seal = operation_service_pb2.ListOperationsRequest(name="operations/seal")
    assert await refusal(mine.call(mine.stub.ListOperations, seal)) == "FIELD_INVALID"


async def test_waiting_ends_when_its_time_is_over(mine: Operating) -> None:
    begun_ = await mine.export()
    request = operation_service_pb2.WaitOperationRequest(
        name=begun_.name, timeout=duration_pb2.Duration(nanos=300_000_000)
    )
    started = asyncio.get_running_loop().time()
    found: operations_pb2.Operation = await mine.call(mine.stub.WaitOperation, request)
    assert not found.done
    assert 0.3 <= asyncio.get_running_loop().time() - started < 5


async def test_libraries_that_know_operations_find_them_under_the_known_name(mine: Operating, service: Service) -> None:
    begun_ = await mine.export()
    call = service.channel.unary_unary(
        "/google.longrunning.Operations/GetOperation",
        request_serializer=operations_pb2.GetOperationRequest.SerializeToString,
        response_deserializer=operations_pb2.Operation.FromString,
    )
    assert await call(operations_pb2.GetOperationRequest(name=begun_.name), metadata=mine.metadata) == begun_
    listed = service.channel.unary_unary(
        "/google.longrunning.Operations/ListOperations",
        request_serializer=operations_pb2.ListOperationsRequest.SerializeToString,
        response_deserializer=operations_pb2.ListOperationsResponse.FromString,
    )
    request = operations_pb2.ListOperationsRequest(name="operations/license", filter="done = false", page_size=5)
    assert list((await listed(request, metadata=mine.metadata)).operations) == [begun_]
    waits = service.channel.unary_unary(
        "/google.longrunning.Operations/WaitOperation",
        request_serializer=operations_pb2.WaitOperationRequest.SerializeToString,
        response_deserializer=operations_pb2.Operation.FromString,
    )
    request_ = operations_pb2.WaitOperationRequest(name=begun_.name, timeout=duration_pb2.Duration(nanos=1))
    assert await waits(request_, metadata=mine.metadata) == begun_
