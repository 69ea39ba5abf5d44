"""``./run bench``: starts one region, measures what its services can do, and prints it beside an empty echo."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from tests.performance import machine
from tests.performance.echo import NAME
from tests.performance.ground import Ground, opened
from tests.performance.load import Measured
from tests.performance.report import Report
from tests.performance.workloads import Workloads, raw_signatures

_OUT = Console(width=max(Console().width, 130))
"""Wide enough for its tables, also where the output is no terminal."""


def _said(result: Measured) -> Measured:
    _OUT.print(f"  {result.name}: {result.rate:.0f} a second, {result.server_ms:.3f} ms", highlight=False)
    return result


async def _all(ground: Ground) -> Report:
    memory = {name: size for name, size in ground.memory().items() if name != NAME}
    loads = Workloads(ground)
    first = _said(await loads.echo())
    results = [first]
    results += [_said(await once()) for once in (loads.create_organization, loads.client_grant)]
    for several in (loads.licences, loads.cases):
        results.extend([_said(result) async for result in several()])
    results += [_said(await once()) for once in (loads.query, loads.seal)]
    raw = await raw_signatures()
    last = _said(await loads.echo("echo again"))
    after = {name: size for name, size in ground.memory().items() if name != NAME}
    return Report(
        machine.described(), (first.server_ms + last.server_ms) / 2, last.rate / first.rate, (*results, last), raw,
        memory, after, ground.start_seconds,
    )  # fmt: skip


async def _bench(state: Path) -> Report:
    async with opened(state) as ground:
        _OUT.print(f"one region is up after {ground.start_seconds:.1f} s", highlight=False)
        return await _all(ground)


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rates there.")] = None,
) -> None:
    """Measures."""
    with tempfile.TemporaryDirectory(prefix="tongban-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        report = uvloop.run(_bench(Path(folder) / "state"))
    report.print(_OUT)
    if json_file is not None:
        report.write(json_file)


if __name__ == "__main__":
    typer.run(main)
