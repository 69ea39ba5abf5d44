"""The command line ``tongban``; ``./run`` calls it."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local import audit_cli, programs
from deploy.local.launch import Cluster, NotStarted, stop_running
from deploy.local.state import ProcessState, Snapshot, StateFolder

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tongban 通办: regions on this machine.")
app.add_typer(audit_cli.app, name="audit")
_OUT = Console()

State = Annotated[Path, typer.Option(help="Where all state lies.")]
_STATE = Path(".tongban")


def _ports(regions: int, port: int, port2: int) -> tuple[int, ...]:
    return (port, port2)[:regions]


def _start(cluster: Cluster, *, detached: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_OUT, transient=True) as progress:
        task = progress.add_task("starting", total=None)
        cluster.start(lambda ready, all_: progress.update(task, completed=ready, total=all_), detached=detached)


def _show_regions(snapshot: Snapshot) -> None:
    for region in snapshot.regions:
        _OUT.print(
            f"[bold]{region.name}[/] {region.code}  {region.gateway}  (state in {region.folder})", soft_wrap=True
        )


def _refuse(error: Exception) -> typer.Exit:
    print(error, file=sys.stderr)
    return typer.Exit(1)


@app.command()
def up(
    regions: Annotated[int, typer.Option(min=1, max=2, help="How many regions.")] = 1,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready.")] = False,
    state: State = _STATE,
    port: Annotated[int, typer.Option(help="The first region's gateway.")] = 8080,
    port2: Annotated[int, typer.Option(help="The second region's gateway.")] = 8081,
) -> None:
    """Starts regions and keeps them running until Ctrl-C, or in the background with --detach."""
    cluster = Cluster(state, _ports(regions, port, port2))
    try:
        _start(cluster, detached=detach)
        _show_regions(cluster.snapshot)
        if not detach:
            _OUT.print("Ctrl-C stops them.")
            cluster.wait()
    except NotStarted as error:
        raise _refuse(error) from None
    except KeyboardInterrupt:
        _OUT.print("stopping")
        cluster.stop()


@app.command()
def down(state: State = _STATE) -> None:
    """Stops what runs from the state folder."""
    try:
        ended = stop_running(StateFolder(state))
    except NotStarted as error:
        raise _refuse(error) from None
    if not ended:
        raise _refuse(TimeoutError("the regions did not end in time; see `status`"))


def _memory(process: ProcessState) -> int:
    """Resident bytes of a process and of its children; 0 where it doesn't live."""
    if process.pid is None:
        return 0
    try:
        root = psutil.Process(process.pid)
        return sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))
    except psutil.Error:
        return 0


def _described(snapshot: Snapshot, running: bool) -> dict[str, Any]:
    described = asdict(snapshot) | {"running": running}
    for process, state in zip(described["processes"], snapshot.processes, strict=True):
        process["memory_bytes"] = _memory(state) if running else 0
        if not running:
            process |= {"pid": None, "phase": "STOPPED"}
    return described


def _table(described: dict[str, Any]) -> Table:
    table = Table("region", "process", "phase", "pid", "ports", "restarts", "MB", box=None)
    for each in described["processes"]:
        ports = " ".join(f"{name}:{port}" for name, port in each["ports"].items())
        size = str(each["memory_bytes"] // 1_000_000) if each["memory_bytes"] else ""
        pid = str(each["pid"] or "")
        table.add_row(each["region"], each["name"], each["phase"], pid, ports, str(each["restarts"]), size)
    return table


@app.command()
def status(
    state: State = _STATE, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Shows what runs. Ends with status 0 where all is ready, 3 where something isn't or nothing runs."""
    folder = StateFolder(state)
    running = folder.holder() is not None
    snapshot = folder.read() or Snapshot(0, False, "", [], [])
    described = _described(snapshot, running)
    if as_json:
        print(json.dumps(described, ensure_ascii=False, indent=1))
    elif not running:
        print(f"nothing runs from {folder.folder}")
    else:
        _show_regions(snapshot)
        _OUT.print(_table(described))
    if not (running and snapshot.ready):
        raise typer.Exit(3)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def demo(context: typer.Context) -> None:
    """Runs the cross-province case and the five months of 2024 in two regions, and compares the figures."""
    # A process of its own, here and below: the imports would slow `status`.
    _become("deploy.local.demo", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def events(context: typer.Context) -> None:
    """Events that a service set aside: list, show, replay, drop."""
    _become("deploy.local.events_cli", context)


def _become(module: str, context: typer.Context) -> None:
    command = programs.python(module, *context.args)
    os.execv(command[0], command)  # noqa: S606 - a shell is what this must not be


if __name__ == "__main__":
    app()
