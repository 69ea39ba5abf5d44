"""Takes the records of a period out as a file, as an operation: counted, written, read back and compared.

Which records these are is settled when the work begins: those of the period that are in the tree then. So whatever comes
meanwhile, the file has the same bytes whoever goes on with it, and what was written twice is the same.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa

from libs.audit.rows import NEWEST_HEAD
from libs.config import UploadsConfig
from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.db.schema import audit_records
from libs.errors import Aborted, TongbanError, Unavailable, not_found, reasons
from libs.operations.rules import KEPT
from libs.operations.work import OperationKind, OperationWork
from libs.rpc.messages import moment_of, timestamp
from libs.uploads import rules, store
from libs.uploads.api import quota_of
from libs.uploads.beginning import begin
from libs.uploads.content import UploadContent
from libs.uploads.rules import Upload
from tongban.audit.v1 import audit_service_pb2 as pb

_MEDIA_TYPE = "application/x-ndjson"
_COUNTED, _WRITTEN = 20_000, 1_000
_CHUNK_BYTES = 512 * 1024
_FIRST = datetime(1, 1, 2, tzinfo=UTC)


@of(
    joined(
        records=sa.Column(type_=sa.BigInteger, nullable=False),
        size=sa.Column(type_=sa.BigInteger, nullable=False),
        last_time=sa.Column(type_=sa.DateTime(timezone=True), nullable=True),
        last_seq=sa.Column(type_=sa.BigInteger, nullable=True),
    )
)
@dataclass(frozen=True, slots=True)
class CountedRecords:
    """How many records a stretch of the log has, how many bytes they are in the file, and where it ends."""

    records: int
    size: int
    last_time: datetime | None
    last_seq: int | None


@of(audit_records)
@dataclass(frozen=True, slots=True)
class ExportedRecord:
    """A record as the file has it, and its place."""

    record_time: datetime
    seq: int
    canonical: bytes


# Along the index of times; the leaves of a tree are never others, so that the same question has the same answer for ever.
_STRETCH = """
SELECT r.record_time, r.seq, {what} FROM audit_records AS r JOIN audit_leaves AS l ON l.record_seq = r.seq
WHERE (r.record_time, r.seq) > (CAST(:time AS timestamptz), CAST(:seq AS bigint)) AND r.record_time >= :start
  AND r.record_time < :end AND l.leaf_index < CAST(:tree_size AS bigint)
ORDER BY r.record_time, r.seq LIMIT CAST(:most AS bigint)
"""
_COUNT = Query(
    CountedRecords,
    f"""
WITH stretch AS ({_STRETCH.format(what="octet_length(r.canonical) + 1 AS size")}), ending AS (
  SELECT record_time, seq FROM stretch ORDER BY record_time DESC, seq DESC LIMIT 1
)
SELECT {{columns}} FROM (
  SELECT (SELECT count(*) FROM stretch) AS records, (SELECT CAST(coalesce(sum(size), 0) AS bigint) FROM stretch) AS size,
    (SELECT record_time FROM ending) AS last_time, (SELECT seq FROM ending) AS last_seq
) AS counted
""",  # noqa: S608 - texts of our own
)
_READ = Query(
    ExportedRecord,
    f"SELECT {{columns}} FROM ({_STRETCH.format(what='r.canonical')}) AS stretch ORDER BY record_time, seq",  # noqa: S608 - as above
)


@dataclass(frozen=True, slots=True)
class ExportCheckpoint:
    """What an export needs to go on.

    Attributes:
        tree_size: the tree whose records are meant.
        records, size: how many records and bytes the file will have; 0 while they are counted.
        upload: the id of the file; empty while the records are counted.
        counted, counted_size: how many records and bytes were counted.
        written, written_size: how many records and bytes were written.
        time, seq: the place of the last record that was counted or written.
    """

    tree_size: int
    records: int = 0
    size: int = 0
    upload: str = ""
    counted: int = 0
    counted_size: int = 0
    written: int = 0
    written_size: int = 0
    time: str = _FIRST.isoformat()
    seq: int = 0

    def stored(self) -> bytes:
        """Returns it as bytes."""
        return json.dumps(asdict(self)).encode()

    @property
    def place(self) -> dict[str, object]:
        """The place as parameters."""
        return {"time": datetime.fromisoformat(self.time), "seq": self.seq, "tree_size": self.tree_size}


class AuditExport:
    """The work of ``ExportAuditRecords`` at one service."""

    def __init__(self, service: str, database: Database, content: UploadContent, config: UploadsConfig) -> None:
        self._service = service
        self._database = database
        self._content = content
        self._quota = quota_of(config)

    @property
    def kind(self) -> OperationKind:
        """What is offered to callers."""
        return OperationKind(pb.ExportAuditRecordsRequest, self.work)

    async def work(self, request: pb.ExportAuditRecordsRequest, work: OperationWork) -> pb.ExportAuditRecordsResponse:
        """Does it, from the checkpoint on; what it leaves where it ends otherwise is taken away."""
        at = ExportCheckpoint(**json.loads(work.checkpoint)) if work.checkpoint else await self._begun()
        period = {"start": moment_of(request.start_time, "start_time"), "end": moment_of(request.end_time, "end_time")}
        try:
            while not at.upload:
                at = await self._count(at, period, work)
            while at.written < at.records:
                at = await self._write(at, period)
                await work.note("WRITING", at.written, at.records, at.stored())
            await work.note("CHECKING", at.written, at.records, at.stored())
            return await self._complete(at)
        except (Unavailable, Aborted):
            raise
        except TongbanError:
            await self._give_up(at)
            raise

    async def _begun(self) -> ExportCheckpoint:
        async with self._database.read() as connection:
            head = await NEWEST_HEAD.first(connection)
        return ExportCheckpoint(head.tree_size if head else 0)

    async def _count(self, at: ExportCheckpoint, period: dict[str, datetime], work: OperationWork) -> ExportCheckpoint:
        """Counts a further stretch; where there is none the file is begun."""
        await work.note("COUNTING", at.counted, 0, at.stored())
        async with self._database.read() as connection:
            found = await _COUNT.one(connection, **at.place, **period, most=_COUNTED)
        if found.last_time is not None and found.last_seq is not None:
            return replace(
                at,
                counted=at.counted + found.records,
                counted_size=at.counted_size + found.size,
                time=found.last_time.isoformat(),
                seq=found.last_seq,
            )
        if not at.counted:
            raise reasons.export_empty("the period has no records")
        begun = replace(
            at,
            records=at.counted,
            size=at.counted_size,
            upload=await self._begin(work, at.counted_size),
            time=_FIRST.isoformat(),
            seq=0,
        )
        await work.note("WRITING", 0, begun.records, begun.stored())
        return begun

    async def _begin(self, work: OperationWork, size: int) -> str:
        """Begins the file, under the operation's own id: begun again it is the same."""
        key = work.name.rpartition("/")[2]
        if await store.find(self._database, key) is None:
            async with self._database.transaction() as connection:
                await begin(
                    connection,
                    self._quota,
                    key=key,
                    owner=work.owner,
                    media_type=_MEDIA_TYPE,
                    size=size,
                    digest="",
                )
        return key

    async def _write(self, at: ExportCheckpoint, period: dict[str, datetime]) -> ExportCheckpoint:
        """Adds a further stretch to the file."""
        async with self._database.read() as connection:
            found = await _READ.all(connection, **at.place, **period, most=_WRITTEN)
        if not found:
            raise reasons.internal("the log has fewer records than were counted")
        content = b"".join(each.canonical + b"\n" for each in found)
        await self._content.append(await self._upload(at), self._name(at), at.written_size, _chunks(content))
        return replace(
            at,
            written=at.written + len(found),
            written_size=at.written_size + len(content),
            time=found[-1].record_time.isoformat(),
            seq=found[-1].seq,
        )

    async def _complete(self, at: ExportCheckpoint) -> pb.ExportAuditRecordsResponse:
        """Reads the file back, as an upload is, and makes it one that can be downloaded."""
        upload = await self._upload(at)
        if upload.state is rules.UploadState.OPEN:
            digest = await self._content.digest(upload)
            async with self._database.read() as connection:
                done = await store.COMPLETE.first(connection, id=at.upload, digest=digest, lifetime=KEPT)
            upload = done or await self._upload(at)
        rules.check_complete(upload, self._name(at))
        return pb.ExportAuditRecordsResponse(
            upload=self._name(at),
            size_bytes=upload.size,
            digest=upload.digest,
            record_count=at.records,
            expire_time=timestamp(upload.expire_time),
        )

    async def _give_up(self, at: ExportCheckpoint) -> None:
        if at.upload:
            async with self._database.read() as connection:
                await store.DELETE.first(connection, id=at.upload)

    async def _upload(self, at: ExportCheckpoint) -> Upload:
        found = await store.find(self._database, at.upload)
        if found is None or found.state is rules.UploadState.DELETED:
            # Its owner has deleted it: nobody wants it any more.
            raise not_found(self._name(at))
        return found

    def _name(self, at: ExportCheckpoint) -> str:
        return f"{self._service}/uploads/{at.upload}"


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for part in _cut(content):
        yield part


def _cut(content: bytes) -> Sequence[bytes]:
    return [content[begin : begin + _CHUNK_BYTES] for begin in range(0, len(content), _CHUNK_BYTES)]
