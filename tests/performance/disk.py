"""``./run bench --disk N``: what a case leaves on the disk, without a licence and with one, part by part."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.demo.catalogue import DemoItem
from deploy.local.regions import LIUAN, SERVICES
from tests.performance import machine
from tests.performance.ground import Ground
from tests.support.case_runs import CaseRun
from tests.support.regions import PLAIN, YIELDING, owner

_KB, _MB = 1024, 1024 * 1024
_BLOCK = 512
_SIZE = "SELECT pg_database_size(current_database())"
_FOLDERS = ("documents", "redis")


@dataclass(frozen=True)
class DiskUse:
    """What was measured.

    Attributes:
        machine: where.
        cases: how many cases of each kind were run.
        empty: bytes of the region's folder before the first case.
        plain: by part, bytes that a case without a licence took; `yielding` one that ended with a licence.
    """

    machine: str
    cases: int
    empty: int
    plain: Mapping[str, float]
    yielding: Mapping[str, float]

    def print(self, console: Console) -> None:
        """Prints the table."""
        table = Table("KB a case", *(f"{each} a licence" for each in ("without", "with")), title=self.machine)
        rows = [(name, self.plain[name], self.yielding[name]) for name in self.plain]
        total = ("together", sum(self.plain.values()), sum(self.yielding.values()))
        for name, *sizes in (*rows, total):
            table.add_row(name, *(f"{size / _KB:.1f}" for size in sizes))
        console.print(table)
        console.print(
            f"{self.cases} cases of each kind; the region held {self.empty / _MB:.0f} MB before them. PostgreSQL's log of"
            " changes (pg_wal, up to 1 GB while much is written) is not counted: it does not grow with the cases.",
            soft_wrap=True,
        )


def on_disk(folder: Path) -> int:
    """Bytes that what lies in a folder takes on the disk, as ``du`` counts them."""
    return sum(map(_blocks, folder.rglob("*")))


def _blocks(path: Path) -> int:
    try:
        return path.lstat().st_blocks * _BLOCK
    except FileNotFoundError:  # PostgreSQL's files come and go
        return 0


async def _sizes(state: Path) -> dict[str, int]:
    """Bytes of each part of the region that cases make grow."""
    found: dict[str, int] = {}
    for service in SERVICES:
        async with owner(state, LIUAN.code, service) as connection:
            found[f"database of {service}"] = await connection.fetchval(_SIZE)
    return found | {name: on_disk(state / LIUAN.code / name) for name in _FOLDERS}


async def _a_case(ground: Ground, item: DemoItem, cases: int, seed: int) -> dict[str, float]:
    """Runs cases of an item to their end; returns what one took, part by part. ``seed`` draws who applies."""
    run = CaseRun(ground.office, item)
    before = await _sizes(ground.state)
    await run.run(cases, seed=seed)
    if item is YIELDING:
        await run.closed()
    after = await _sizes(ground.state)
    return {name: (after[name] - size) / cases for name, size in before.items()}


async def taken(ground: Ground, cases: int) -> DiskUse:
    """Measures one region that is up and set up; some cases pass first, for tables' first pages."""
    empty = on_disk(ground.state / LIUAN.code)
    kinds = (PLAIN, YIELDING)
    for seed, item in enumerate(kinds):
        await _a_case(ground, item, max(1, cases // 10), seed)
    plain, yielding = [await _a_case(ground, item, cases, seed) for seed, item in enumerate(kinds, start=len(kinds))]
    return DiskUse(machine.described(), cases, empty, plain, yielding)
