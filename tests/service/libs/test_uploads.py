"""Files in pieces, through a real service: cut and gone on with, compared, read by ranges, other people's hidden, swept."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from libs.config import UploadsConfig
from libs.db.query import Query
from libs.db.schema import upload_parts
from libs.db.schema import uploads as upload_table
from libs.documents.store import opened
from libs.errors import Aborted, TongbanError
from libs.process import Process
from libs.sweeps.sweep import Sweep
from libs.uploads.content import UploadContent
from libs.uploads.parts import PartStore
from libs.uploads.rules import Upload, UploadState
from libs.uploads.sweeping import sweep_of
from tests.support import sql
from tests.support.fakes_license import neighbours
from tests.support.process import count, running, until
from tests.support.service import Ground, Service, serving
from tests.support.silence import records, silenced
from tests.support.uploading import CHUNK, MIB, Uploading, content_of, cut, digest_of
from tongban.uploads.v1 import upload_service_pb2 as pb

STRANGER = "persons/00000000-0000-7000-8000-0000000000a2"


@pytest_asyncio.fixture
async def service(ground: Ground) -> AsyncIterator[Service]:
    """A license service whose callers may have five uploads of ten megabytes."""
    few = UploadsConfig(most=5, megabytes=10, patience_seconds=0)
    async with neighbours() as known, serving(ground, "license", prepare=known.put_into, uploads=few) as found:
        yield found


@pytest.fixture
def mine(service: Service) -> Uploading:
    return Uploading(service)


def replica(process: Process) -> UploadContent:
    """What another replica of the service makes of the same configuration."""
    return UploadContent(process.database, PartStore(opened(process.config.documents.folder), process.cipher))


def files(process: Process) -> list[Path]:
    """What lies in the object store for uploads."""
    return [each for each in Path(process.config.documents.folder, "uploads").rglob("*") if each.is_file()]


def sweep(process: Process) -> Sweep:
    """The sweep of the service."""
    config = process.config.uploads
    return sweep_of("license", process.database, replica(process), config)


async def refusal(work: Any) -> tuple[str, str]:
    """With what a call is refused."""
    with pytest.raises(TongbanError) as refused:
        await work
    error = refused.value
    return error.reason, error.metadata.get("rule", "") or "".join(each.rule for each in error.violations)


async def test_a_file_that_was_cut_in_the_middle_goes_on_where_it_was(mine: Uploading) -> None:
    content = content_of(3 * MIB + 12_345)
    upload = await mine.create(len(content))
    going = asyncio.Event()

    async def broken() -> AsyncIterator[pb.AppendUploadRequest]:
        yield pb.AppendUploadRequest(head=pb.AppendHead(name=upload.name))
        for chunk in cut(content[: 2 * MIB + CHUNK]):
            yield pb.AppendUploadRequest(chunk=chunk)
        going.set()
        await asyncio.Event().wait()

    sending = asyncio.ensure_future(mine.call("AppendUpload", broken()))
    await going.wait()

    async def two_are_kept() -> bool:
        return (await mine.get(upload.name)).received_bytes == 2 * MIB

    await until(two_are_kept)
    sending.cancel()
    await asyncio.wait([sending])
    found = await mine.get(upload.name)
    assert (found.received_bytes, found.state) == (2 * MIB, pb.UPLOAD_STATE_OPEN)
    rest = await mine.append(upload.name, found.received_bytes, content[found.received_bytes :])
    assert rest.received_bytes == len(content)
    done = await mine.complete(upload.name, digest_of(content))
    assert (done.state, done.digest) == (pb.UPLOAD_STATE_COMPLETE, digest_of(content))
    assert await mine.download(upload.name) == (done, content)


@pytest.mark.parametrize(("offset", "limit"), [(0, 1), (MIB - 1, 2), (MIB, MIB), (2 * MIB + 5, 0), (2 * MIB + 9, 99)])
async def test_a_range_is_what_stands_there(mine: Uploading, offset: int, limit: int) -> None:
    content = content_of(2 * MIB + 10)
    upload = await mine.whole(content)
    _, found = await mine.download(upload.name, offset, limit)
    assert found == (content[offset : offset + limit] if limit else content[offset:])


async def test_a_range_behind_the_end_is_refused(mine: Uploading) -> None:
    upload = await mine.whole(b"abc")
    assert await refusal(mine.download(upload.name, 3)) == ("FIELD_INVALID", "offset.range")


async def test_bytes_that_are_not_those_announced_are_not_taken(mine: Uploading) -> None:
    content = content_of(100)
    upload = await mine.create(100)
    await mine.append(upload.name, 0, content[:60])
    assert await refusal(mine.complete(upload.name, digest_of(content))) == ("UPLOAD_CONTENT_MISMATCH", "size")
    assert await refusal(mine.append(upload.name, 60, content[:41])) == ("UPLOAD_CONTENT_MISMATCH", "size")
    assert await refusal(mine.append(upload.name, 61, content[:1])) == ("UPLOAD_OFFSET_MISMATCH", "")
    await mine.append(upload.name, 60, content[60:])
    assert await refusal(mine.complete(upload.name)) == ("FIELD_INVALID", "digest.required")
    assert await refusal(mine.complete(upload.name, digest_of(b"x"))) == ("UPLOAD_CONTENT_MISMATCH", "digest")
    assert (await mine.get(upload.name)).state == pb.UPLOAD_STATE_OPEN
    assert await refusal(mine.download(upload.name)) == ("STATE_CONFLICT", "")
    await mine.complete(upload.name, digest_of(content))
    assert await refusal(mine.append(upload.name, 100, b"x")) == ("STATE_CONFLICT", "")


async def test_what_is_complete_is_not_completed_once_more(mine: Uploading) -> None:
    """By another request: neither after the first nor beside it; by the same it is as it was."""
    content, request_id = content_of(100), str(uuid.uuid4())
    upload = await mine.create(100)
    await mine.append(upload.name, 0, content)
    both = (mine.complete(upload.name, digest_of(content)) for _ in range(2))
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(each.reason if isinstance(each, TongbanError) else "" for each in ends) == ["", "STATE_CONFLICT"]
    late = mine.complete(upload.name, digest_of(content), request_id)
    assert await refusal(late) == ("STATE_CONFLICT", "")


async def test_ones_own_is_read_without_a_record_also_where_none_can_be_written(
    mine: Uploading, service: Service
) -> None:
    """What it is of was recorded when it was handed out; of what one brought oneself there is nothing to tell."""
    upload = await mine.whole(b"abc")
    before = await records(service)
    async with silenced(service, "license"):
        assert await mine.download(upload.name) == (upload, b"abc")
    assert await records(service) == before


async def test_messages_out_of_order_are_refused(mine: Uploading) -> None:
    upload = await mine.create(10)
    head = pb.AppendUploadRequest(head=pb.AppendHead(name=upload.name))
    wrong = {
        "stream.head_expected": [pb.AppendUploadRequest(chunk=b"x")],
        "stream.chunk_expected": [head, head],
    }
    for rule, messages in wrong.items():
        assert await refusal(mine.call("AppendUpload", iter(messages))) == ("FIELD_INVALID", rule)
    assert await refusal(mine.call("AppendUpload", iter([]))) == ("FIELD_INVALID", "stream.head_expected")


async def test_what_is_repeated_is_done_once(mine: Uploading) -> None:
    content, request_id = content_of(MIB + 100), str(uuid.uuid4())
    upload = await mine.create(len(content), request_id)
    assert await mine.create(len(content), request_id) == upload
    assert await refusal(mine.create(len(content) + 1, request_id)) == ("REQUEST_ID_REUSED", "")
    await mine.append(upload.name, 0, content[: MIB + 7])
    # As if the answer had been lost: what is there is passed over.
    assert (await mine.append(upload.name, 0, content)).received_bytes == len(content)
    done = await mine.complete(upload.name, digest_of(content), request_id)
    assert await mine.complete(upload.name, digest_of(content), request_id) == done
    assert (await mine.download(upload.name))[1] == content


async def test_an_upload_is_its_callers_alone(mine: Uploading, service: Service) -> None:
    upload = await mine.whole(b"abc")
    other = Uploading(service, STRANGER)
    for work in (
        other.get(upload.name),
        other.append(upload.name, 0, b"x"),
        other.complete(upload.name, digest_of(b"abc")),
        other.delete(upload.name),
        other.download(upload.name),
    ):
        assert await refusal(work) == ("RESOURCE_NOT_FOUND", "")
    elsewhere = upload.name.replace("license", "seal")
    assert await refusal(mine.get(elsewhere)) == ("FIELD_INVALID", "service")
    assert (await mine.get(upload.name)).state == pb.UPLOAD_STATE_COMPLETE


async def test_a_caller_has_a_quota_and_another_has_their_own(mine: Uploading, service: Service) -> None:
    await mine.create(9_000_000)
    assert await refusal(mine.create(1_000_001)) == ("UPLOAD_QUOTA_EXCEEDED", "bytes")
    await asyncio.gather(*(mine.create(10) for _ in range(3)))
    many = await asyncio.gather(*(mine.create(10) for _ in range(5)), return_exceptions=True)
    assert [type(each).__name__ for each in many].count("Upload") == 1
    assert await refusal(mine.create(1)) == ("UPLOAD_QUOTA_EXCEEDED", "count")
    await Uploading(service, STRANGER).create(9_000_000)


async def test_another_replica_goes_on_with_what_one_began(mine: Uploading, service: Service) -> None:
    content = content_of(2 * MIB)
    upload = await mine.create(len(content))
    await mine.append(upload.name, 0, content[: MIB + 99])
    key = upload.name.rpartition("/")[2]
    (row,) = await _rows(service.process)
    other = replica(service.process)
    added = await other.append(row, upload.name, MIB + 99, _chunks(content[MIB + 99 :]))
    assert (added.id, added.received) == (key, len(content))
    assert await other.digest(added) == digest_of(content)
    await mine.complete(upload.name, digest_of(content))


async def test_of_two_who_add_to_the_same_place_one_gets_on(mine: Uploading, service: Service) -> None:
    upload = await mine.create(2 * MIB)
    (row,) = await _rows(service.process)
    sent = [content_of(MIB), content_of(MIB)[::-1]]
    found = await asyncio.gather(
        *(replica(service.process).append(row, upload.name, 0, _chunks(each)) for each in sent), return_exceptions=True
    )
    (lost,) = (each for each in found if isinstance(each, BaseException))
    assert isinstance(lost, Aborted)
    assert lost.reason == "UPLOAD_OFFSET_MISMATCH"
    (row,) = await _rows(service.process)
    assert row.received == MIB
    assert await replica(service.process).digest(row) in {digest_of(each) for each in sent}
    assert (len(files(service.process)), await count(service.process, upload_parts)) == (1, 1)


async def test_many_small_additions_take_no_more_room_than_the_file(mine: Uploading, service: Service) -> None:
    content = content_of(2_000)
    upload = await mine.create(len(content))
    for begin in range(0, len(content), 100):
        await mine.append(upload.name, begin, content[begin : begin + 100])
    assert (len(files(service.process)), await count(service.process, upload_parts)) == (1, 1)
    await mine.complete(upload.name, digest_of(content))
    assert (await mine.download(upload.name))[1] == content


async def test_nothing_of_it_is_readable_on_the_disk(mine: Uploading, service: Service) -> None:
    await mine.whole(b"%PDF-" + b"readable words " * 100)
    (file,) = files(service.process)
    assert b"readable words" not in file.read_bytes()


async def test_what_was_damaged_on_the_disk_is_not_given_out(mine: Uploading, service: Service) -> None:
    upload = await mine.whole(content_of(100))
    (file,) = files(service.process)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert await refusal(mine.download(upload.name)) == ("INTERNAL", "")


async def test_what_is_given_up_is_erased(mine: Uploading, service: Service) -> None:
    upload = await mine.whole(content_of(MIB + 1))
    kept = await mine.whole(b"kept")
    assert (await mine.delete(upload.name)).state == pb.UPLOAD_STATE_DELETED
    assert await refusal(mine.get(upload.name)) == ("RESOURCE_NOT_FOUND", "")
    assert await refusal(mine.delete(upload.name)) == ("RESOURCE_NOT_FOUND", "")
    assert await sweep(service.process).sweep() == 1
    assert (len(files(service.process)), await count(service.process, upload_table)) == (1, 1)
    assert (await mine.download(kept.name))[1] == b"kept"


async def test_an_orphan_is_swept(mine: Uploading, service: Service) -> None:
    """An upload that was left, one of whose parts a process wrote that then died before it was taken into account."""
    upload = await mine.create(3 * MIB)
    await mine.append(upload.name, 0, content_of(MIB + 1))
    process = service.process

    class Died(BaseException):
        pass

    class Dying(PartStore):
        async def put(self, part: str, content: bytes) -> None:
            await super().put(part, content)
            raise Died

    (row,) = await _rows(process)
    dying = UploadContent(process.database, Dying(opened(process.config.documents.folder), process.cipher))
    with pytest.raises(Died):
        await dying.append(row, upload.name, MIB + 1, _chunks(content_of(MIB)))
    assert len(files(process)) == 3
    async with process.database.transaction() as connection:
        await sql.execute(connection, upload_table.update().values(expire_time=upload.create_time.ToDatetime()))
    swept = sweep(process)
    await swept.sweep()
    await swept.sweep()
    assert files(process) == []
    assert (await count(process, upload_table), await count(process, upload_parts)) == (0, 0)
    assert await refusal(mine.get(upload.name)) == ("RESOURCE_NOT_FOUND", "")


async def test_nothing_is_given_up_by_a_clock_that_is_wrong_for_a_moment(
    mine: Uploading, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await mine.create(10)
    process, seconds, looks = service.process, [0.0], [0]
    async with process.database.transaction() as connection:
        await sql.execute(connection, upload_table.update().values(expire_time=upload.create_time.ToDatetime()))

    def stopwatch() -> float:
        looks[0] += 1
        return seconds[0]

    async def looked() -> bool:
        return looks[0] > 10

    async def deleted() -> bool:
        return [row.state for row in await _rows(process)] in ([], [UploadState.DELETED])

    monkeypatch.setattr("libs.sweeps.sweep.stopwatch", stopwatch)
    careful = sweep_of("license", process.database, replica(process), UploadsConfig(sweep_seconds=0.02))
    async with running(careful.run):
        await until(looked)
        assert (await mine.get(upload.name)).state == pb.UPLOAD_STATE_OPEN
        seconds[0] = 600.0
        await until(deleted)


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for each in cut(content):
        yield each


async def _rows(process: Process) -> Any:
    async with process.database.read() as connection:
        return await Query(Upload, "SELECT {columns} FROM uploads").all(connection)
