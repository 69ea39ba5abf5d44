"""``./run bench``: starts one region, measures what its services can do, and prints it beside an empty echo."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import uvloop
from rich.console import Console

from tests.performance import machine
from tests.performance.acting import exchanges_and_explanations
from tests.performance.authlib_grants import authlib_grants
from tests.performance.codes import shows_and_scans
from tests.performance.disk import taken
from tests.performance.echo import NAME
from tests.performance.ground import Ground, opened
from tests.performance.load import Measured
from tests.performance.report import Report
from tests.performance.sign_in import password_sign_in, raw_passwords
from tests.performance.unknown_accounts import told_apart
from tests.performance.workloads import Workloads, raw_signatures

Result = TypeVar("Result")
_OUT = Console(width=max(Console().width, 130))
"""Wide enough for its tables, also where the output is no terminal."""


def _said(result: Measured) -> Measured:
    _OUT.print(f"  {result.name}: {result.rate:.0f} a second, {result.server_ms:.3f} ms", highlight=False)
    return result


async def _once(run: Callable[[], Awaitable[Measured]]) -> AsyncIterator[Measured]:
    yield await run()


async def _each(run: Callable[[], Awaitable[list[Measured]]]) -> AsyncIterator[Measured]:
    for result in await run():
        yield result


async def _all(ground: Ground) -> Report:
    """Measures group by group, with the echo before and after each: the machine drifts, and only neighbours compare."""
    memory = {name: size for name, size in ground.memory().items() if name != NAME}
    loads = Workloads(ground)
    groups = (
        _once(loads.create_organization),
        _once(loads.client_grant),
        _once(partial(authlib_grants, ground.state)),
        _each(partial(shows_and_scans, ground)),
        _each(partial(exchanges_and_explanations, ground)),
        loads.licences(),
        loads.cases(),
        _once(loads.query),
        _once(loads.seal),
        loads.hostile(),
        _once(partial(password_sign_in, ground)),
    )
    echoes, results = [_said(await loads.echo())], list[Measured]()
    beside: dict[str, float] = {}
    for group in groups:
        measured = [_said(result) async for result in group]
        echoes.append(_said(await loads.echo()))
        results += measured
        beside |= {result.name: (echoes[-2].server_ms + echoes[-1].server_ms) / 2 for result in measured}
    guessed = await told_apart(ground)
    for each in guessed:
        _OUT.print(f"  {each}", highlight=False)
    after = {name: size for name, size in ground.memory().items() if name != NAME}
    return Report(
        machine.described(),
        tuple(echoes),
        beside,
        tuple(results),
        await raw_signatures(),
        await raw_passwords(),
        memory,
        after,
        ground.start_seconds,
        tuple(guessed),
    )


async def _in_a_region(state: Path, measure: Callable[[Ground], Awaitable[Result]]) -> Result:
    async with opened(state) as ground:
        _OUT.print(f"one region is up after {ground.start_seconds:.1f} s", highlight=False)
        return await measure(ground)


def _measured(measure: Callable[[Ground], Awaitable[Result]]) -> Result:
    with tempfile.TemporaryDirectory(prefix="tongban-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        return uvloop.run(_in_a_region(Path(folder) / "state", measure))


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rates there.")] = None,
    disk: Annotated[
        int | None, typer.Option(min=1, metavar="CASES", help="Instead: what so many cases take on the disk.")
    ] = None,
) -> None:
    """Measures."""
    if disk is not None:
        _measured(partial(taken, cases=disk)).print(_OUT)
        return
    report = _measured(_all)
    report.print(_OUT)
    if json_file is not None:
        report.write(json_file)


if __name__ == "__main__":
    typer.run(main)
