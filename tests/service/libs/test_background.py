"""Background work outlives any fault: every worker of every service, found in what the services really start."""

import ast
import asyncio
import contextvars
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from libs.db.engine import Database
from libs.db.pool import OWN
from libs.process import Process, end
from libs.security.withdrawals import Withdrawals, WithdrawnParties
from tests.support.backends import HOST
from tests.support.service import Ground, config_of, configured
from tests.support.service import built as server_of
from tests.support.tokens import Issuer

_ROOT = Path(__file__).parents[3]
_WORKER: "contextvars.ContextVar[str]" = contextvars.ContextVar("worker", default="")
_SERVICES = sorted(
    file.parent.name
    for file in _ROOT.glob("services/*/__main__.py")
    if "libs.process" in file.read_text(encoding="utf-8")
)
_NEIGHBOURS = dict.fromkeys(("identity", "license", "seal", "cases"), f"{HOST}:1")


class FaultOfOurs(Exception):
    """What nobody thought of."""


class Broken:
    """A database whose every use ends with a fault that no list of errors knows, until it is mended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole = False
        self.uses: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
        self.changed = asyncio.Event()
        for name in ("own", "read", "transaction"):
            monkeypatch.setattr(Database, name, self._use(getattr(Database, name)))

    def _use(self, usual: Callable[[Database], Any]) -> Callable[[Database], Any]:
        def use(database: Database) -> Any:
            self.uses[self.whole][_WORKER.get()] += 1
            self.changed.set()
            if not self.whole:
                raise FaultOfOurs
            return usual(database)

        return use

    async def used_by(self, workers: set[str], times: int) -> None:
        """Waits until each of the workers has used it so often in its present state."""
        while any(self.uses[self.whole][worker] < times for worker in workers):
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def built(ground: Ground, service: str) -> AsyncIterator[Process]:
    """A process of a service, wired as it is when it runs; nothing of it is started."""
    async with configured(ground, service, config_of(service), {"neighbours": _NEIGHBOURS}) as config:
        process = Process(service, config)

        async def ask(_since: float) -> WithdrawnParties:
            # Of a neighbour that breaks as the database does.
            async with process.database.read():
                return WithdrawnParties({}, 1.0)

        process.withdrawals = Withdrawals(ask)
        await server_of(process, process.verifier(Issuer(process.config.public.base_url, "//341500")))
        try:
            yield process
        finally:
            await process.close()


@pytest.fixture
def without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two turns is longer than this."""

    async def rest(_seconds: float) -> None:
        await asyncio.sleep(0.05)

    monkeypatch.setattr("libs.background.rest", rest)


def started(process: Process, monkeypatch: pytest.MonkeyPatch) -> "dict[str, asyncio.Future[None]]":
    """Starts what the process runs beside its server, each under its own name."""
    usual = asyncio.ensure_future
    workers: dict[str, asyncio.Future[None]] = {}

    def named(work: Any) -> Any:
        name = f"worker {len(workers)}"
        token = _WORKER.set(name)
        workers[name] = usual(work)
        _WORKER.reset(token)
        return workers[name]

    with monkeypatch.context() as patch:
        patch.setattr("libs.process.asyncio.ensure_future", named)
        process.beside_server()
    return workers


@pytest.mark.parametrize("service", _SERVICES)
async def test_no_fault_ends_a_worker(
    ground: Ground, service: str, monkeypatch: pytest.MonkeyPatch, without_rest: None
) -> None:
    async with built(ground, service) as process:
        broken = Broken(monkeypatch)
        workers = started(process, monkeypatch)
        try:
            assert len(workers) >= 4
            await _while_alive(workers, broken.used_by(set(workers), 3))
            broken.whole = True
            await _while_alive(workers, broken.used_by(set(workers), 1))
        finally:
            await end(workers.values())


@pytest.mark.parametrize("service", _SERVICES)
async def test_a_process_holds_no_more_connections_of_its_own_than_it_may(
    ground: Ground, service: str, monkeypatch: pytest.MonkeyPatch, without_rest: None
) -> None:
    """All its leaders lead at once, and there is one for its health besides."""
    async with built(ground, service) as process:
        database, everybody = process.database, Broken(monkeypatch)
        everybody.whole = True
        workers = started(process, monkeypatch)
        try:
            await _while_alive(workers, everybody.used_by(set(workers), 1))
            async with database.own():
                assert 4 <= database._pool._own <= OWN
        finally:
            await end(workers.values())


async def _while_alive(workers: "dict[str, asyncio.Future[None]]", wait: Any) -> None:
    """Waits; a worker that ends meanwhile is the failure that is looked for."""
    waiting = asyncio.ensure_future(wait)
    done, _ = await asyncio.wait([waiting, *workers.values()], return_when=asyncio.FIRST_COMPLETED)
    if waiting not in done:
        await end([waiting])
    assert done == {waiting}


# ---- no endless loop but in the kernel ----


def _loops_for_ever(function: ast.AsyncFunctionDef) -> bool:
    """Whether it holds a ``while True`` that nothing in it leaves."""
    return any(
        isinstance(loop, ast.While)
        and isinstance(loop.test, ast.Constant)
        and not any(isinstance(each, ast.Return | ast.Break) for each in ast.walk(loop))
        for loop in ast.walk(function)
    )


def _named(node: ast.AST) -> Iterator[str]:
    """Names of methods and functions that an expression speaks of."""
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "self":
            yield each.attr
        elif isinstance(each, ast.Name):
            yield each.id


def _turns(tree: ast.Module) -> set[str]:
    """The functions of a module that run as a turn of ``forever`` or ``lead``, or are called by one that does."""
    functions = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.AsyncFunctionDef)}
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    starts = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id in {"forever", "lead"}]
    found: set[str] = set()
    reached = {name for call in starts for argument in call.args for name in _named(argument)}
    while new := (reached & functions.keys()) - found:
        found |= new
        reached |= {name for each in new for name in _named(functions[each])}
    return found


def test_every_loop_without_an_end_is_a_turn_of_background_work() -> None:
    found = []
    for file in sorted([*_ROOT.glob("libs/**/*.py"), *_ROOT.glob("services/**/*.py")]):
        if file == _ROOT / "libs" / "background.py":
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        endless = {
            each.name for each in ast.walk(tree) if isinstance(each, ast.AsyncFunctionDef) and _loops_for_ever(each)
        }
        found += [f"{file.relative_to(_ROOT)}: {name}" for name in sorted(endless - _turns(tree))]
    assert found == []
