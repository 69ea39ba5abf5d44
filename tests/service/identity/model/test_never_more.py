"""No sequence of sign-ins, mandates, narrowings, rotations, revocations and exchanges lets a token do more than a slow model allows.

Each step is done in two real regions and in the model; after each, every token that was ever made is shown where it belongs, and both
must agree: who is refused, and what those taken may do. `TONGBAN_MODEL_STEPS=100000` goes on for that many steps.
"""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from libs.clock import FakeClock
from tests.service.identity.model.change_steps import ChangeSteps
from tests.service.identity.model.held import Channel, Trust
from tests.service.identity.model.ledger import BOTH
from tests.service.identity.model.page_steps import PageSteps
from tests.service.identity.model.rights import MACHINE, ROLE
from tests.service.identity.model.token_steps import TokenSteps
from tests.service.identity.model.world import world
from tests.support.service import Ground

_STEPS = int(os.environ.get("TONGBAN_MODEL_STEPS", "500"))
_A_RUN = 50


class _Machine(TokenSteps, ChangeSteps, PageSteps):
    """All steps."""

    def teardown(self) -> None:
        """All that was ended or narrowed is as it was: the world is the next run's too."""
        self.tick()
        self._clients_as_before()
        self._clerks_as_before()
        for way, terms in (("inbound", Trust(3)), ("outbound", Trust(4))):
            if self.model.trust[way] != terms or not self.model.stands(way):
                self.run(self.world.trust_anew(way, terms))
        self._keys_as_before()

    def _clients_as_before(self) -> None:
        for name in self.world.clients:
            if not self.model.stands(name):
                self.turn_client(name)
        changed = {name: Channel(4, BOTH) for name, terms in self.model.channels.items() if terms != Channel(4, BOTH)}
        narrowed = {name: MACHINE for name, may in self.model.machines.items() if may != MACHINE}
        for name, terms in (changed | narrowed).items():
            self.run(self.world.change_client(name, terms))

    def _clerks_as_before(self) -> None:
        for clerk in self.world.clerks:
            if self.model.stands(f"post of {clerk}") and self.model.roles[clerk] != ROLE:
                self.turn_clerk(clerk)
            if not self.model.stands(f"post of {clerk}"):
                self.turn_clerk(clerk)
        for each in self.stand_ins:
            if self.model.stands(each.name) and self.model.now < each.ends:
                self.run(self.world.end_stand_in(each.name))

    def _keys_as_before(self) -> None:
        """Every client has one good key, and the region two, which the other one has pinned."""
        for name in self.world.clients:
            self.run(self.world.rotate(name, 0, approved=True))
            self.world.signers[name] = self.world.signers[name][-1:]
        for number in sorted(self.world.region_keys())[:-2]:
            self.world.destroy_key(number)
        self.run(self.world.pin())


@pytest.fixture
def machine(ground: Ground, tmp_path: Any) -> Iterator[type[_Machine]]:
    # At the very end of a second: what waits until one is over has a thousandth of it to wait.
    clock = FakeClock(datetime.now(UTC).replace(microsecond=999_000))
    with asyncio.Runner() as runner:
        entered = world(ground, tmp_path, clock)
        found = runner.run(entered.__aenter__())
        seen = dict.fromkeys(("made", "not made", "taken", "refused"), 0)
        try:
            yield type("Machine", (_Machine,), {"world": found, "run": staticmethod(runner.run), "seen": seen})
        finally:
            runner.run(entered.__aexit__(None, None, None))


@pytest.mark.timeout(7200 + _STEPS)
def test_no_token_does_more_than_the_model_allows(machine: type[_Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, _STEPS // _A_RUN),
            stateful_step_count=_A_RUN,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
    # Both answers were given, many times: neither the world nor the model says the same to everything.
    assert min(machine.seen.values()) > _STEPS // 20, machine.seen
