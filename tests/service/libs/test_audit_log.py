"""The audit log on PostgreSQL: records get their place, heads are signed, proofs and receipts hold offline."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa
from google.protobuf import json_format

from libs.audit import api as audit_api
from libs.audit import integrator as integrator_module
from libs.audit import merkle
from libs.audit.api import AuditApi
from libs.audit.copies import export_line, verify_log
from libs.audit.digests import salted
from libs.audit.heads import head_from_json
from libs.audit.integrator import Integrator
from libs.audit.receipts import verify_receipt
from libs.audit.records import parse_canonical
from libs.clock import FakeClock
from libs.crypto.errors import InvalidSignature
from libs.crypto.x509 import Certificate
from libs.db.engine import read_dsn
from libs.db.evidence import Evidence, recorded
from libs.db.protocol import begin, begun
from libs.db.schema import audit_heads, audit_leaves, audit_nodes, audit_pending, audit_records
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, NotFound, Unavailable
from libs.process import Process
from tests.support import sql
from tests.support.process import command, count, process_of, running, until
from tests.support.service import REGION, Ground
from tongban.audit.v1 import audit_service_pb2 as pb
from tongban.common.v1 import common_pb2

USE = common_pb2.UseContext(purpose_code="LICENSE_CHECK", purpose="核验", case="cases/1", law="《条例》")
CONTEXT: Any = None


class Log:
    """The log of one service, with what writes, proves and checks it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.name = f"//{REGION.id}/{process.service}"
        self.api = AuditApi(
            process.database, process.uow, process.operations, process.pages, REGION.id, process.service
        )
        self.certificate = (process.config.keys.folder / "log.der").read_bytes()
        self.integrator = Integrator(
            process.database, self.name, process.keys.signer("log"), self.certificate, process.clock
        )

    async def write(self, number: int = 1, **changes: Any) -> list[common_pb2.Receipt]:
        """Writes records of uses."""
        once = command(common_pb2.Date(), use=USE)
        return [
            await self.process.audit.write(once, f"persons/{n}", fields=["full_name"], **changes) for n in range(number)
        ]

    async def integrate(self) -> int:
        """Takes up one batch."""
        async with self.process.database.own() as connection, begun(connection):
            return await self.integrator.integrate(connection)

    async def head(self, size: int = 0) -> pb.AuditHead:
        """Reads a head."""
        return await self.api.get_audit_head(
            pb.GetAuditHeadRequest(name=f"{self.process.service}/auditHead", tree_size=size), CONTEXT
        )

    async def proof(self, receipt: common_pb2.Receipt) -> pb.InclusionProof:
        """Has a record proved."""
        return await self.api.prove_inclusion(pb.ProveInclusionRequest(name=receipt.record), CONTEXT)

    def check(self, certificate: bytes, message: bytes, signature: bytes) -> None:
        """Checks a head's signature as somebody who was given the log's certificate."""
        if certificate != self.certificate:
            raise InvalidSignature("another log's certificate")
        self.process.provider.sm2_verify(Certificate.parse(certificate).public_key, message, signature)

    async def receipt_file(self, receipt: common_pb2.Receipt) -> dict[str, Any]:
        """What the holder of a receipt keeps."""
        proof = json_format.MessageToDict(await self.proof(receipt))
        return proof | {"receipt": json_format.MessageToDict(receipt)}


@pytest_asyncio.fixture
async def log(ground: Ground) -> AsyncIterator[Log]:
    """An empty log."""
    async with process_of(ground) as process:
        yield Log(process)


async def test_proofs_hold_over_several_batches(log: Log) -> None:
    receipts: list[common_pb2.Receipt] = []
    sizes = []
    for batch in (1, 2, 5, 8, 3, 13):
        receipts += await log.write(batch)
        assert await log.integrate() == batch
        sizes.append(len(receipts))
        head = await log.head()
        assert head.tree_size == len(receipts)
        for index, receipt in enumerate(receipts):
            proof = await log.proof(receipt)
            assert (proof.leaf_index, proof.head) == (index, head)
            merkle.verify_inclusion(receipt.leaf_hash, index, head.tree_size, list(proof.path), head.root_hash)
    for first, second in combinations(sizes, 2):
        request = pb.ProveConsistencyRequest(
            name=f"{log.process.service}/auditHead", first_size=first, second_size=second
        )
        found = await log.api.prove_consistency(request, CONTEXT)
        merkle.verify_consistency(first, found.first.root_hash, second, found.second.root_hash, list(found.path))
    assert await log.integrate() == 0


async def test_receipts_are_verified_offline(log: Log) -> None:
    receipts = await log.write(5)
    await log.integrate()
    for receipt in receipts:
        file = await log.receipt_file(receipt)
        report = verify_receipt(json.dumps(file).encode(), log.check)
        assert report.valid, report.steps
        assert report.record is not None
        assert (report.record.purpose, report.record.case, report.record.fields) == (
            "核验",
            "cases/1",
            ("full_name",),
        )


async def test_receipts_stay_good_while_the_log_grows(log: Log) -> None:
    first = (await log.write())[0]
    await log.integrate()
    kept = json.dumps(await log.receipt_file(first)).encode()
    await log.write(20)
    await log.integrate()
    assert verify_receipt(kept, log.check).valid
    assert verify_receipt(json.dumps(await log.receipt_file(first)).encode(), log.check).valid


async def test_a_changed_record_is_caught(log: Log) -> None:
    """The owner of the database may change a row; a proof made from it leads to no signed root."""
    receipts = await log.write(6)
    await log.integrate()
    owner = await asyncpg.connect(read_dsn(log.process.config.database.owner_dsn_file))
    canonical: bytes = await owner.fetchval("SELECT canonical FROM audit_records WHERE object = 'persons/3'")
    changed = canonical.replace("核验".encode(), "闲看".encode())
    await owner.execute("UPDATE audit_records SET canonical = $1 WHERE object = 'persons/3'", changed)
    lines = [
        export_line(row["canonical"]) for row in await owner.fetch("SELECT canonical FROM audit_records ORDER BY seq")
    ]
    await owner.close()
    file = await log.receipt_file(receipts[3])
    assert not verify_receipt(json.dumps(file).encode(), log.check).valid
    head = head_from_json(json_format.MessageToDict(await log.head()))
    assert not verify_log(lines, head, log.check).valid
    lines[3] = export_line(canonical)
    assert verify_log(lines, head, log.check).valid


async def test_heads_are_signed_in_the_order_of_time_whatever_the_clock_says(log: Log) -> None:
    clock = FakeClock(datetime(2024, 3, 4, 16, 0, 30, tzinfo=UTC))
    log.integrator._clock = clock
    times = []
    for step in (timedelta(0), timedelta(seconds=-90), timedelta(days=-400), timedelta(days=401)):
        clock.move_to(clock.now() + step)
        await log.write()
        await log.integrate()
        times.append((await log.head()).sign_time.ToDatetime())
    assert times == sorted(times)
    assert times[-1] == clock.now().replace(tzinfo=None)


async def test_the_heads_certificate_is_of_the_regions_root(log: Log) -> None:
    await log.write()
    await log.integrate()
    root = Certificate.parse((log.process.config.keys.folder / "root.der").read_bytes())
    certificate = Certificate.parse((await log.head()).certificate)
    assert certificate.issuer == root.subject
    assert certificate.subject != root.subject


async def test_a_crash_while_integrating_leads_to_the_same_tree(log: Log) -> None:
    await log.write(7)
    async with log.process.database.own() as connection:
        await begin(connection.driver)
        assert await log.integrator.integrate(connection) == 7
        # The connection is cut as it is.
    for table in (audit_leaves, audit_nodes, audit_heads):
        assert await count(log.process, table) == 0
    assert await count(log.process, audit_pending) == 7
    assert await log.integrate() == 7
    hashes = [merkle.leaf_hash(canonical) for canonical in await _canonicals(log)]
    nodes = {(node.level, node.index): node.hash for node in merkle.append(0, hashes, merkle.getter({}))}
    assert (await log.head()).root_hash == merkle.root(7, merkle.getter(nodes))


async def _canonicals(log: Log) -> list[bytes]:
    async with log.process.database.read() as connection:
        rows = await sql.execute(connection, sa.select(audit_records.c.canonical).order_by(audit_records.c.seq))
        return [row.canonical for row in rows]


async def test_a_record_that_commits_late_is_not_lost(log: Log) -> None:
    """It has a lower number than one that is integrated already."""
    process = log.process
    async with process.database.transaction() as connection:
        await connection.ready()  # or it would be one statement alone, which commits when it is done
        late = process.uow.within(connection, command(common_pb2.Date()))
        await late.flush(common_pb2.Date())
        await log.write()
        assert await log.integrate() == 1
    assert await log.integrate() == 1
    assert (await log.head()).tree_size == 2
    assert await count(process, audit_pending) == 0


async def test_several_replicas_write_one_tree(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrator_module, "_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(integrator_module, "_BATCH", 4)
    async with running(*[log.integrator.run] * 3):
        receipts = [each for group in await asyncio.gather(*(log.write(10) for _ in range(5))) for each in group]
        await until(lambda: _integrated(log, 50))
    assert await count(log.process, audit_leaves) == 50
    for receipt in receipts[::7]:
        assert verify_receipt(json.dumps(await log.receipt_file(receipt)).encode(), log.check).valid


async def _integrated(log: Log, size: int) -> bool:
    async with log.process.database.read() as connection:
        return int(await sql.scalar(connection, sa.select(sa.func.max(audit_heads.c.tree_size))) or 0) >= size


async def test_a_record_that_waits_says_so(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_api, "_WAIT_SECONDS", 0.01)
    receipt = (await log.write())[0]
    with pytest.raises(Unavailable) as error:
        await log.proof(receipt)
    assert (error.value.reason, error.value.metadata) == ("LOG_NOT_YET_INTEGRATED", {"record": receipt.record})
    assert error.value.retry_after


async def test_what_is_not_in_the_log_is_not_found(log: Log) -> None:
    name = f"{log.process.service}/auditRecords/00000000-0000-7000-8000-000000000000"
    with pytest.raises(NotFound):
        await log.api.get_audit_record(pb.GetAuditRecordRequest(name=name), CONTEXT)
    with pytest.raises(NotFound):
        await log.head()
    await log.write(2)
    await log.integrate()
    with pytest.raises(NotFound):
        await log.head(1)
    wrong_order = pb.ProveConsistencyRequest(name=f"{log.process.service}/auditHead", first_size=2, second_size=1)
    with pytest.raises(InvalidArgument):
        await log.api.prove_consistency(wrong_order, CONTEXT)


async def test_the_log_of_another_service_is_refused(log: Log) -> None:
    with pytest.raises(InvalidArgument) as error:
        await log.api.get_audit_head(pb.GetAuditHeadRequest(name="cases/auditHead"), CONTEXT)
    assert error.value.violations[0].field == "name"


async def test_records_are_listed_by_pages_and_filters(log: Log) -> None:
    receipts = await log.write(5, transaction_id="0" * 36) + await log.write(2)
    request = pb.ListAuditRecordsRequest(parent=log.process.service, page_size=3)
    seen: list[str] = []
    while True:
        page = await log.api.list_audit_records(request, CONTEXT)
        seen += [record.name for record in page.audit_records]
        assert not any(record.canonical for record in page.audit_records)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [receipt.record for receipt in reversed(receipts)]
    of_transaction = pb.ListAuditRecordsRequest(parent=log.process.service, filter=f"transaction_id = {'0' * 36}")
    assert len((await log.api.list_audit_records(of_transaction, CONTEXT)).audit_records) == 5
    of_object = pb.ListAuditRecordsRequest(parent=log.process.service, filter="object = persons/1")
    assert len((await log.api.list_audit_records(of_object, CONTEXT)).audit_records) == 2


async def test_records_are_found_by_what_they_were_for(log: Log) -> None:
    """Those of single statements and those of changes, whose evidence another statement writes."""
    item = "serviceItems/00000000-0000-7000-8000-000000000001"
    other = common_pb2.UseContext(purpose_code="AUDIT", case="cases/2", item=item)
    names = [each.record for each in await log.write(2)]

    async def work(tx: Transaction) -> common_pb2.Date:
        tx.about = "persons/9"
        return common_pb2.Date(year=2024)

    change = command(common_pb2.Date(), use=other)
    await log.process.uow.run(change, work)

    async def found(text: str) -> list[pb.AuditRecord]:
        request = pb.ListAuditRecordsRequest(parent=log.process.service, filter=text, order_by="record_time")
        return list((await log.api.list_audit_records(request, CONTEXT)).audit_records)

    assert [each.name for each in await found("case = cases/1 AND purpose_code = LICENSE_CHECK")] == names
    (one,) = await found(f"service_item = {item}")
    assert (one.object, one.case, one.purpose_code) == ("persons/9", "cases/2", "AUDIT")
    assert (one.service_item, one.basis_kind, one.basis) == (item, "item", item)
    assert await found("case = cases/1 AND purpose_code = AUDIT") == []


async def test_records_are_found_by_who_and_when(log: Log) -> None:
    receipts = await log.write(4)

    async def found(text: str) -> list[str]:
        request = pb.ListAuditRecordsRequest(parent=log.process.service, filter=text, order_by="record_time")
        return [each.name for each in (await log.api.list_audit_records(request, CONTEXT)).audit_records]

    get = pb.GetAuditRecordRequest(name=receipts[2].record)
    middle = await log.api.get_audit_record(get, CONTEXT)
    names, time = [each.record for each in receipts], middle.record_time.ToJsonString()
    assert middle.actor
    assert await found(f"actor = {middle.actor}") == names
    assert await found(f"NOT actor = {middle.actor}") == await found("actor = staff/nobody") == []
    assert set(names[3:]) <= set(await found(f"record_time >= {time} AND actor = {middle.actor}")) <= set(names)
    assert names[2] in await found(f"record_time = {time}")
    assert names[2] not in await found(f"record_time < {time} OR record_time > {time}")


async def test_every_mutation_leaves_a_record_of_itself(log: Log) -> None:
    async def work(tx: Transaction) -> pb.AuditRecord:
        return pb.AuditRecord(name="cases/7")

    once = command(common_pb2.Date(year=2024), pb.AuditRecord, use=USE, on_behalf_of="organizations/1", assurance=3)
    await log.process.uow.run(once, work)
    record = parse_canonical((await _canonicals(log))[0])
    assert (record.action, record.object, record.actor, record.on_behalf_of) == (
        "test.Do",
        "cases/7",
        "staff/1",
        "organizations/1",
    )
    salt = log.process.log.salt(record.name.rpartition("/")[2])
    assert (record.request_hash, record.result, record.assurance) == (salted(salt, once.digest), "OK", 3)


async def test_a_record_of_a_later_release_is_shown_as_far_as_can_be_and_proved(log: Log) -> None:
    """A region goes back to the release before: its log holds what that can't read, and goes on."""
    process = log.process
    (before,) = await log.write()
    evidence = Evidence(process.log, process.wire, command(common_pb2.Date()), process.clock.now())
    entry = process.log.entry(evidence.command, evidence.now, "persons/1")
    canonical = entry.canonical.replace(b'{"v":1,', b'{"v":2,"new":{"is":"unknown"},')
    later = evidence.add(replace(entry, canonical=canonical, leaf_hash=merkle.leaf_hash(canonical)))
    await evidence.write(process.database, recorded())
    await log.integrate()
    listed = await log.api.list_audit_records(pb.ListAuditRecordsRequest(parent=log.process.service), CONTEXT)
    assert [(each.name, each.version) for each in listed.audit_records] == [(later.record, 2), (before.record, 1)]
    unknown = listed.audit_records[0]
    assert (unknown.object, unknown.transaction_id) == ("persons/1", later.transaction_id)
    assert (unknown.record_time.ToDatetime(), unknown.action) == (later.record_time.ToDatetime(), "")
    got = await log.api.get_audit_record(pb.GetAuditRecordRequest(name=later.record), CONTEXT)
    assert (got.canonical, got.version) == (canonical, 2)
    report = verify_receipt(json_format.MessageToJson(await log.proof(later)).encode(), log.check)
    assert report.unknown
    assert verify_receipt(json_format.MessageToJson(await log.proof(before)).encode(), log.check).valid


async def test_no_record_no_service(ground: Ground) -> None:
    async with process_of(ground) as process:
        server = await asyncpg.connect(ground.backends.postgres_dsn)
        name = sa.make_url(read_dsn(process.config.database.dsn_file)).database
        await server.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        with pytest.raises(Unavailable) as error:
            await Log(process).write()
        await server.close()
    assert error.value.reason == "AUDIT_UNAVAILABLE"
