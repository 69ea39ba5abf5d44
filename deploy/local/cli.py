"""The command line ``tongban``; ``./run`` calls it."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local import audit_cli, findings, own_settings, programs
from deploy.local.doctor import Doctor
from deploy.local.launch import Cluster, NotStarted, reload_running, stop_running
from deploy.local.own_settings import WrongSettings
from deploy.local.regions import MOST_REPLICAS, REGIONS
from deploy.local.reloading import NotReloaded
from deploy.local.sandbox import NoSandbox, NotBare, furnish, require_sandboxes
from deploy.local.state import ProcessSnapshot, Snapshot, StateFolder
from libs.errors import TongbanError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tongban 通办: regions on this machine.")
app.add_typer(audit_cli.app, name="audit")
_OUT = Console()

State = Annotated[Path, typer.Option(help="Where all state lies.", envvar="TONGBAN_STATE")]
_STATE = Path(".tongban")


def _ports(state: Path, regions: int, given: tuple[int | None, int | None]) -> tuple[int, ...]:
    """The gateways' ports: as given, else as the operator's settings have them."""
    own = own_settings.read(state)
    return tuple(port or own.port(region.id) for region, port in zip(REGIONS[:regions], given, strict=False))


def _start(cluster: Cluster, *, detached: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_OUT, transient=True) as progress:
        task = progress.add_task("starting", total=None)
        cluster.start(lambda ready, all_: progress.update(task, completed=ready, total=all_), detached=detached)


def _show_regions(snapshot: Snapshot) -> None:
    for region in snapshot.regions:
        _OUT.print(f"[bold]{region.name}[/] {region.id}  {region.gateway}  (state in {region.folder})", soft_wrap=True)


def _show_lines(lines: Sequence[str]) -> None:
    for line in lines:
        _OUT.print(line, soft_wrap=True, highlight=False, markup=False)


def _show_notes(snapshot: Snapshot) -> None:
    _show_lines([f"note   {note}" for note in snapshot.notes])


def _refuse(error: Exception) -> typer.Exit:
    print(error, file=sys.stderr)
    return typer.Exit(1)


@app.command()
def up(
    regions: Annotated[int, typer.Option(min=1, max=2, help="How many regions.")] = 1,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready.")] = False,
    state: State = _STATE,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The first region's gateway; else as settings.toml says, or 8080."),
    ] = None,
    port2: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The second region's gateway; likewise, or 8081.")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, max=MOST_REPLICAS, help="How many of each service; else as settings.toml says.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Furnish it to try things: office, staff, an item, a synthetic applicant; two regions trust each other.",
        ),
    ] = False,
) -> None:
    """Starts regions and keeps them running until Ctrl-C, or in the background with --detach."""
    try:
        wanted = {region.id: replicas for region in REGIONS} if replicas else {}
        cluster = Cluster(state, _ports(state, regions, (port, port2)), replicas=wanted, sandbox=sandbox)
        _start(cluster, detached=detach)
        _show_regions(cluster.snapshot)
        _show_notes(cluster.snapshot)
        if sandbox:
            _show_lines([f"sandbox  {file}" for file in _furnish(cluster.snapshot)])
        if not detach:
            _OUT.print("Ctrl-C stops them.")
            cluster.wait()
    except (NotStarted, WrongSettings) as error:
        raise _refuse(error) from None
    except KeyboardInterrupt:
        _OUT.print("stopping")
        cluster.stop()


def _furnish(snapshot: Snapshot) -> list[Path]:
    try:
        return asyncio.run(furnish(snapshot.regions))
    except NotBare as error:
        raise _refuse(error) from None
    except TongbanError as error:
        raise _refuse(
            RuntimeError(f"the sandbox could not be furnished ({error.reason}); ./run purge begins anew")
        ) from None


@app.command()
def down(
    state: State = _STATE,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Delete the state folder too: databases, documents, keys. Nothing brings them back."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Stops what runs from the state folder."""
    folder = StateFolder(state)
    if not purge and folder.holder() is None:
        raise _refuse(NotStarted(f"nothing runs from {folder.folder}"))
    _end(folder)
    if purge:
        _purge(folder, asks=not yes)


def _end(folder: StateFolder) -> None:
    """Stops what runs from a state folder, if anything does."""
    try:
        ended = stop_running(folder)
    except NotStarted:
        return
    if not ended:
        raise _refuse(TimeoutError("the regions did not end in time; see `status`"))


@app.command()
def reload(state: State = _STATE) -> None:
    """Has what runs read settings.toml anew, without a restart: what gateways let in, and renewed certificates for partners."""
    try:
        notes = reload_running(StateFolder(state))
    except (NotStarted, NotReloaded, WrongSettings) as error:
        raise _refuse(error) from None
    _show_lines([*(f"note   {note}" for note in notes), "reloaded"])


@app.command()
def purge(
    state: State = _STATE, yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False
) -> None:
    """Stops what runs from the state folder and deletes it: databases, documents, keys. Nothing brings them back."""
    down(state=state, purge=True, yes=yes)


def _purge(folder: StateFolder, *, asks: bool, settings: bool = True) -> None:
    """Deletes a state folder, with or without the operator's own settings, and nothing that isn't one."""
    if not folder.is_one:
        raise _refuse(ValueError(f"{folder.folder} is no state folder of Tongban: nothing was deleted"))
    if asks and not typer.confirm(f"Delete {folder.folder} with all databases, documents and keys for good?"):
        raise typer.Exit(1)
    demo = folder.folder / "demo"
    if StateFolder(demo / "regions").is_one:
        shutil.rmtree(demo)
    gone = folder.purge(settings=settings)
    _OUT.print(
        f"deleted {folder.folder}" if gone else f"deleted; others' files are left in {folder.folder}", soft_wrap=True
    )


def _memory(process: ProcessSnapshot) -> int:
    """Resident bytes of a process and of its children, what they share counted once; 0 where it doesn't live."""
    if process.pid is None:
        return 0
    try:
        root = psutil.Process(process.pid)
        return sum(_share(each) for each in (root, *root.children(recursive=True)))
    except psutil.Error:
        return 0


def _share(process: psutil.Process) -> int:
    """Its own bytes and its part of what it shares, where the system tells: PostgreSQL's processes share their buffers."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


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
def reset(
    state: State = _STATE, yes: Annotated[bool, typer.Option("--yes", help="Empty it without asking.")] = False
) -> None:
    """Empties a sandbox and furnishes it anew: all services, data, people, clients and keys. Refused where a region is for real affairs."""
    folder = StateFolder(state)
    regions = (folder.read() or Snapshot(0, False, "", [], [])).regions
    try:
        require_sandboxes(regions, folder.folder)
    except NoSandbox as error:
        raise _refuse(error) from None
    if not yes and not typer.confirm(f"Empty {folder.folder}, with all clients that partners have there?"):
        raise typer.Exit(1)
    first, second = [*(urlsplit(region.gateway).port for region in regions), None][:2]
    _end(folder)
    _purge(folder, asks=False, settings=False)
    up(regions=len(regions), detach=True, state=state, port=first, port2=second, replicas=None, sandbox=True)


@app.command()
def status(
    state: State = _STATE, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Shows what runs, and what is wrong with it: which check of which process fails, since when, what to do.

    Ends with status 0 where all is ready and well, 3 where something isn't or nothing runs.
    """
    folder = StateFolder(state)
    running = folder.holder() is not None
    snapshot = folder.read() or Snapshot(0, False, "", [], [])
    described = _described(snapshot, running)
    wrong = findings.of_processes(snapshot) if running else []
    if as_json:
        wrong_described = [finding.described() for finding in wrong]
        print(json.dumps(described | {"wrong": wrong_described}, ensure_ascii=False, indent=1))
    elif not running:
        print(f"nothing runs from {folder.folder}")
    else:
        _show_regions(snapshot)
        _OUT.print(_table(described))
        _show_notes(snapshot)
        _show_lines(findings.lines(wrong))
    if not (running and snapshot.ready) or any(finding.bad for finding in wrong):
        raise typer.Exit(3)


@app.command()
def doctor(
    state: State = _STATE, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Says what is wrong on this machine and with what runs, and what to do. Ends with 1 where something does not work."""
    found = Doctor(state).look()
    if as_json:
        print(json.dumps([finding.described() for finding in found], ensure_ascii=False, indent=1))
    else:
        _show_lines(findings.lines(found) or ["nothing is wrong"])
    raise typer.Exit(1 if any(finding.bad for finding in found) else 0)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def demo(context: typer.Context) -> None:
    """Runs the cross-province case and the five months of 2024 in two regions, and compares the figures."""
    # A process of its own, here and below: the imports would slow `status`.
    _become("deploy.local.demo", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def clients(context: typer.Context) -> None:
    """Machines that call the region: list, show, suspend, resume."""
    _become("deploy.local.clients_cli", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def events(context: typer.Context) -> None:
    """Events that a service set aside: list, show, replay, drop."""
    _become("deploy.local.events_cli", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def call(context: typer.Context) -> None:
    """Calls any RPC of the contracts, as the administrator, another client or staff; --find shows which there are."""
    _become("deploy.local.call_cli", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def webhooks(context: typer.Context) -> None:
    """Webhooks of clients: list; what nobody took: dead, show, resend."""
    _become("deploy.local.webhooks_cli", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def token(context: typer.Context) -> None:
    """Prints an access token for curl: the administrator's, or that of another client or of staff."""
    _become("deploy.local.token_cli", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def trust(context: typer.Context) -> None:
    """Trust between regions: show (this one, as a file to hand over), inspect, propose, approve, list."""
    _become("deploy.local.trust_cli", context)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def population(context: typer.Context) -> None:
    """Makes the table that names and numbers are compared with of the operator's own list."""
    _become("deploy.local.population_cli", context)


def _become(module: str, context: typer.Context) -> None:
    command = programs.python(module, *context.args)
    os.execv(command[0], command)  # noqa: S606 - a shell is what this must not be


if __name__ == "__main__":
    app()
