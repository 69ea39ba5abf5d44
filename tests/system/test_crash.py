"""kill -9 of the replica that leads each service in the middle of a run of 200 cases: nothing lost, nothing doubled, no number twice.

And of a service in the middle of an export: the file is whole all the same.
"""

import asyncio

import pytest

from deploy.local.regions import SERVICES
from libs.crypto.sm3 import sm3
from tests.support import evidence
from tests.support.case_runs import CaseRun
from tests.support.faults import back, kill
from tests.support.held_rows import Held
from tests.support.operating import BEGINNING, END, progress
from tests.support.regions import YIELDING, Regions, owner
from tests.support.replicas import leader
from tongban.audit.v1 import audit_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

_CASES = 200


class Killer:
    """Kills the replica that leads the work of one service after the other, each when its share of the cases is decided and its forerunner is back.

    The run stands still until the kill is done and goes on while the service is away.
    """

    def __init__(self, regions: Regions) -> None:
        region = regions.handling.gateway.id
        self.run = CaseRun(regions.handling, YIELDING, decided=self._decided)
        self._due = {place * _CASES // (len(SERVICES) + 1): asyncio.Event() for place in range(1, len(SERVICES) + 1)}
        self._regions, self._region = regions, region
        self.met: list[str] = []

    def _decided(self, count: int) -> None:
        if count in self._due:
            self.run.open_gate.clear()
            self._due[count].set()

    async def kill_all(self) -> None:
        """Kills all of them in turn; returns when the last is back."""
        for due, service in zip(self._due.values(), SERVICES, strict=True):
            await due.wait()
            replica = await leader(self._regions, self._region, service, f"relay://{self._region}/{service}") or service
            restarts = kill(self._regions, self._region, replica)
            if len(self.run.names) < _CASES:
                self.met.append(service)
            self.run.open_gate.set()
            await back(self._regions, self._region, replica, restarts)


async def test_no_case_is_lost_or_doubled_when_every_leader_is_killed(regions: Regions) -> None:
    region = regions.handling.gateway.id
    parked = await evidence.parked(regions.state, region)
    killer = Killer(regions)
    run = killer.run
    async with asyncio.TaskGroup() as group:
        group.create_task(killer.kill_all())
        group.create_task(run.run(_CASES, seed=200))
    await run.closed()
    assert killer.met == list(SERVICES), "a kill came too late: no case was left to meet it"
    assert len(set(run.names)) == len(set(run.numbers)) == _CASES
    assert await evidence.drained(regions.state, region) == {}
    assert await evidence.parked(regions.state, region) == parked
    made = await evidence.of_cases(regions.state, region, run.names)
    assert made == evidence.Totals(cases=_CASES, licenses=_CASES, signed=_CASES)
    assert await evidence.doubled(regions.state, region) == {}
    assert await evidence.unrecorded_sealings(regions.state, region) == []


_NOTE, _BEGIN, _BYTES = "%UPDATE operations SET phase%", "%INSERT INTO uploads %", "%UPDATE uploads SET received%"
_LOCK_FILES = "LOCK TABLE uploads IN SHARE MODE"
_LOCK_ROW = "SELECT FROM operations WHERE id = CAST($1 AS uuid) FOR UPDATE"
_EXPORTED = """
SELECT r.canonical FROM audit_records AS r JOIN audit_leaves AS l ON l.record_seq = r.seq
WHERE l.leaf_index < $1 ORDER BY r.record_time, r.seq
"""


async def _killed_between_bytes_and_note(regions: Regions, region: str, key: str, files: Held, row: Held) -> None:
    """Leads an export, which ``files`` holds up, to where bytes are in its file and nobody has noted them; kills the service there."""
    await files.holds_up(_BEGIN)  # the records are counted
    await row.take(_LOCK_ROW, key)
    await files.let_go()
    await row.holds_up(_NOTE)  # the file is begun
    await files.take(_LOCK_FILES)
    await row.let_go()
    await files.holds_up(_BYTES)  # that is noted, and bytes come
    await row.take(_LOCK_ROW, key)
    await files.let_go()
    await row.holds_up(_NOTE)
    restarts = kill(regions, region, "license")
    await row.cut(_NOTE)
    await row.let_go()
    await back(regions, region, "license", restarts)


async def test_an_export_whose_service_is_killed_ends_with_a_whole_file(regions: Regions) -> None:
    office, region = regions.home, regions.home.gateway.id
    token = await office.token_of("auditing")
    asked = office.gateway.using(token)
    files, row = [await Held.of(regions, region, "license") for _ in range(2)]
    try:
        await files.take(_LOCK_FILES)
        export = await asked.audit.export_audit_records(parent="license", start_time=BEGINNING, end_time=END)
        key = export.name.rpartition("/")[2]
        await _killed_between_bytes_and_note(regions, region, key, files, row)
    finally:
        await files.close()
        await row.close()
    made = await asked.wait(export, audit_service_pb2.ExportAuditRecordsResponse, 90)
    assert progress(await asked.operations.get_operation(name=export.name)).attempts == 2
    answer = await office.gateway.http.get(f"/content/{made.upload}", headers={"authorization": f"Bearer {token}"})
    async with owner(regions.state, region, "license") as connection:
        records = [bytes(found["canonical"]) for found in await connection.fetch(_EXPORTED, made.record_count)]
        begun = await connection.fetchval(
            "SELECT count(*) FROM uploads WHERE owner = (SELECT owner FROM operations WHERE id = $1)", key
        )
    assert answer.content == b"".join(record + b"\n" for record in records)
    assert (made.size_bytes, made.digest) == (len(answer.content), f"sm3:{sm3(answer.content).hex()}")
    assert (len(records), begun) == (made.record_count, 1)
