"""kill -9 of the replica that leads each service in the middle of a run of 200 cases: nothing lost, nothing doubled, no number twice."""

import asyncio

import pytest

from deploy.local.regions import SERVICES
from tests.support import evidence
from tests.support.case_runs import CaseRun
from tests.support.faults import back, kill
from tests.support.regions import YIELDING, Regions
from tests.support.replicas import leader

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
