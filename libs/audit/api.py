"""AuditService over a service's own log; every service registers it."""

import asyncio

from google.longrunning import operations_pb2

from libs.audit import merkle
from libs.audit.records import Record, parse_canonical
from libs.audit.rows import HEAD, LEAF, NEWEST_HEAD, RECORD, StoredRecord, read_nodes
from libs.audit.versions import UnknownVersion
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.schema import audit_records
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, not_found, reasons
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from libs.operations.beginning import Operations
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from tongban.audit.v1 import audit_service_pb2 as pb

_WAIT_SECONDS = 0.5
RECORDS = FilteredList(
    StoredRecord,
    pb.ListAuditRecordsRequest,
    audit_records,
    {
        **{name: fields.text(name) for name in ("transaction_id", "object", "actor", "purpose_code", "service_item")},
        "case": fields.text("case_name"),
        "record_time": fields.moment("record_time"),
    },
    {
        "record_time": Order(
            ("record_time", "seq"),
            (
                Path(),
                Path(("object",)),
                Path(("actor",), "actor <> ''"),
                Path(("case_name",), "case_name <> ''"),
                Path(("transaction_id",), few=True),
            ),
        )
    },
    "record_time desc",
)


def record_message(row: StoredRecord, service: str, *, with_canonical: bool) -> pb.AuditRecord:
    """Converts a stored record to the message; of one that a later release wrote, what can be told without reading it."""
    try:
        message = _read(parse_canonical(row.canonical))
    except UnknownVersion as error:
        message = pb.AuditRecord(
            name=f"{service}/auditRecords/{row.id}",
            record_time=timestamp(row.record_time),
            transaction_id=row.transaction_id,
            object=row.object,
            version=error.version,
        )
    if with_canonical:
        message.canonical = row.canonical
    return message


def _read(record: Record) -> pb.AuditRecord:
    return pb.AuditRecord(
        name=record.name,
        record_time=timestamp(record.record_time),
        transaction_id=record.transaction_id,
        trace_id=record.trace_id,
        actor=record.actor,
        on_behalf_of=record.on_behalf_of,
        department=record.department,
        assurance=record.assurance,
        action=record.action,
        object=record.object,
        fields=record.fields,
        purpose_code=record.purpose_code,
        purpose=record.purpose,
        service_item=record.service_item,
        case=record.case,
        basis_kind=record.basis_kind,
        basis=record.basis,
        result=record.result,
        record_count=record.record_count,
        request_hash=record.request_hash,
        response_hash=record.response_hash,
        version=record.version,
    )


class AuditApi:
    """Reads records, heads and proofs."""

    def __init__(
        self, database: Database, uow: UnitOfWork, operations: Operations, pages: Pages, region: str, service: str
    ) -> None:
        self._database = database
        self._uow = uow
        self._operations = operations
        self._pages = pages
        self._service = service
        self._log = f"//{region}/{service}"

    async def list_audit_records(self, request: pb.ListAuditRecordsRequest, call: Call) -> pb.ListAuditRecordsResponse:
        """Lists records, newest first."""
        self._must_be_ours("parent", request.parent)
        async with self._database.read() as connection:
            shown, token = await RECORDS.page(connection, self._pages, request)
        records = [record_message(row, self._service, with_canonical=False) for row in shown]
        return pb.ListAuditRecordsResponse(audit_records=records, next_page_token=token)

    async def get_audit_record(self, request: pb.GetAuditRecordRequest, call: Call) -> pb.AuditRecord:
        """Gets one record with its canonical bytes."""
        async with self._database.read() as connection:
            row = await self._find(connection, request.name)
        return record_message(row, self._service, with_canonical=True)

    async def export_audit_records(self, request: pb.ExportAuditRecordsRequest, call: Call) -> operations_pb2.Operation:
        """Begins to take the records of a period out as a file (``libs.audit.export``)."""
        self._must_be_ours("parent", request.parent)
        if request.start_time.ToNanoseconds() >= request.end_time.ToNanoseconds():
            raise invalid_field("end_time", "order", "must be later than start_time")

        async def work(tx: Transaction) -> operations_pb2.Operation:
            return await self._operations.begin(tx, request)

        return await self._uow.run(command_of(request, call=call), work)

    async def get_audit_head(self, request: pb.GetAuditHeadRequest, call: Call) -> pb.AuditHead:
        """Gets a signed head."""
        self._must_be_ours("name", request.name)
        async with self._database.read() as connection:
            return await self._head(connection, request.tree_size)

    async def prove_inclusion(self, request: pb.ProveInclusionRequest, call: Call) -> pb.InclusionProof:
        """Proves that a record is in the newest tree; waits a moment for a record that is just being integrated."""
        async with self._database.read() as connection:
            row = await self._find(connection, request.name)
            index = await self._leaf(connection, row.seq, request.name)
            head = await self._head(connection, 0)
            nodes = await read_nodes(connection, merkle.inclusion_nodes(index, head.tree_size))
        return pb.InclusionProof(
            record=record_message(row, self._service, with_canonical=True),
            leaf_index=index,
            head=head,
            path=merkle.inclusion_path(index, head.tree_size, merkle.getter(nodes)),
        )

    async def prove_consistency(self, request: pb.ProveConsistencyRequest, call: Call) -> pb.ConsistencyProof:
        """Proves that the later tree only appended to the earlier."""
        self._must_be_ours("name", request.name)
        if request.first_size > request.second_size:
            raise invalid_field("first_size", "order", "must not be larger than second_size")
        async with self._database.read() as connection:
            first = await self._head(connection, request.first_size)
            second = await self._head(connection, request.second_size)
            nodes = await read_nodes(connection, merkle.consistency_nodes(first.tree_size, second.tree_size))
        path = merkle.consistency_path(first.tree_size, second.tree_size, merkle.getter(nodes))
        return pb.ConsistencyProof(path=path, first=first, second=second)

    def _must_be_ours(self, field: str, name: str) -> None:
        if name.partition("/")[0] != self._service:
            raise invalid_field(field, "log", f"this is the log of {self._service}")

    async def _find(self, connection: DatabaseConnection, name: str) -> StoredRecord:
        self._must_be_ours("name", name)
        row = await RECORD.first(connection, id=name.rpartition("/")[2])
        if row is None:
            raise not_found(name)
        return row

    async def _leaf(self, connection: DatabaseConnection, seq: int, name: str) -> int:
        leaf = await LEAF.first(connection, seq=seq)
        if leaf is None:
            await asyncio.sleep(_WAIT_SECONDS)
            leaf = await LEAF.first(connection, seq=seq)
        if leaf is None:
            raise reasons.log_not_yet_integrated(
                "the record waits for the next head", retry_after=_WAIT_SECONDS, record=name
            )
        return leaf.leaf_index

    async def _head(self, connection: DatabaseConnection, tree_size: int) -> pb.AuditHead:
        row = await (HEAD.first(connection, tree_size=tree_size) if tree_size else NEWEST_HEAD.first(connection))
        if row is None:
            raise not_found(f"{self._log} head {tree_size or 'newest'}")
        return pb.AuditHead(
            name=f"{self._service}/auditHead",
            log=self._log,
            tree_size=row.tree_size,
            root_hash=row.root_hash,
            sign_time=timestamp(row.sign_time),
            signature=row.signature,
            certificate=row.certificate,
            version=row.of_log(self._log).version,
        )
