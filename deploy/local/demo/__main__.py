"""``./run demo``: two regions, one cross-province case, five months of 2024, and the figures beside the published ones."""

import asyncio
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.demo import evidence, federation, shared_data
from deploy.local.demo.application import PURPOSE, SEED, Stage, StoryResult
from deploy.local.demo.case_story import CaseStory
from deploy.local.demo.catalogue import (
    BUSINESS,
    CONVENIENCE_STORE,
    FRANCHISE,
    ITEMS,
    LICENCE_KINDS,
    scaled,
)
from deploy.local.demo.figures import Figures
from deploy.local.demo.five_months import FiveMonths, statistics
from deploy.local.demo.gateway import Gateway
from deploy.local.demo.office import (
    Office,
    import_calendars,
    make_seal,
    open_office,
    publish_licence_type,
    publish_service_item,
)
from deploy.local.demo.people import firms_to_come
from deploy.local.launch import Cluster, NotStarted
from deploy.local.regions import LIUAN, TIANNING, KnownRegion, replay_file
from deploy.local.state import StateFolder
from deploy.pki.region_root import ROOT_FILE
from libs.clock.replay import set_replay
from tongban.cases.v1 import statistics_service_pb2

_OUT = Console()
STATE = Path(".tongban/demo")
"""Apart from what `./run up` keeps, which a demo must never touch."""
_QUICK = 25
"""So few cases of the five months show every item, and end soon."""
_OPENING = datetime(2023, 12, 15, 1, 0, tzinfo=UTC)


class Demo:
    """One run against two regions that are up."""

    def __init__(self, state: Path, ports: tuple[int, int], progress: Progress) -> None:
        self._state = state
        self._ports = ports
        self._progress = progress
        self._figures = Figures()

    def set_clock(self, moment: datetime) -> None:
        """Makes both regions' business clocks show ``moment``."""
        for region in (LIUAN, TIANNING):
            set_replay(replay_file(self._state, region), moment)

    def _gateway(self, region: KnownRegion, port: int) -> Gateway:
        return Gateway(region.id, region.name, code=region.code, url=f"http://127.0.0.1:{port}")

    async def run(self, sample: int | None) -> tuple[Figures, StoryResult]:
        """Sets the regions up, tells part A, replays part B, and returns the figures and what part A left behind."""
        self.set_clock(_OPENING)
        home, handling = await self._set_up()
        resource = await shared_data.publish_data_resource(home)
        await shared_data.grant(home, handling, resource, PURPOSE)
        root = (self._state / LIUAN.id / "root" / ROOT_FILE).read_bytes()
        story = CaseStory(home, handling, resource, Stage(self.set_clock, self._state.parent, self._say, root))
        told = await story.tell()
        for name, (wanted, measured) in told.checks.items():
            self._figures.add(name, wanted, measured)
        await self._replay(handling, sample)
        for office in (home, handling):
            await office.gateway.close()
        return self._figures, told

    def _say(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True, highlight=False)

    async def _set_up(self) -> tuple[Office, Office]:
        task = self._progress.add_task("setting up two regions", total=8)
        offices = []
        for region, port in zip((LIUAN, TIANNING), self._ports, strict=True):
            office = await open_office(self._gateway(region, port), self._state / region.id / "credentials.json")
            self._progress.advance(task)
            await import_calendars(office)
            self._progress.advance(task)
            await make_seal(office)
            offices.append(office)
            self._progress.advance(task)
        home, handling = offices
        await federation.trust_each_other(home, handling, self._state)
        for kind in (BUSINESS, FRANCHISE):
            await publish_licence_type(home, kind)
        for kind in LICENCE_KINDS:
            await publish_licence_type(handling, kind)
        self._progress.advance(task)
        for item in ITEMS:
            await publish_service_item(handling, item)
        await publish_service_item(handling, CONVENIENCE_STORE, receiving_region=home.gateway.id)
        await self._department_table(home)
        self._progress.advance(task)
        return home, handling

    async def _department_table(self, home: Office) -> None:
        secrets = self._state / LIUAN.id / "secrets"
        firms = firms_to_come(SEED, home.gateway.code[:2], 1)
        owner = (secrets / "department_owner.dsn").read_text(encoding="utf-8").strip()
        await shared_data.fill_department_table(owner, shared_data.DATA_SOURCE, firms)

    async def _replay(self, office: Office, sample: int | None) -> None:
        counts = scaled(sample)
        task = self._progress.add_task("五个月 2024: cases decided", total=sum(counts.values()))
        await FiveMonths(office, self.set_clock, lambda n: self._progress.advance(task, n)).run(sample)
        received = [statistics_service_pb2.MEASURE_CLOSED]
        by_item = await statistics(office, statistics_service_pb2.DIMENSION_ITEM, received)
        by_category = await statistics(
            office,
            statistics_service_pb2.DIMENSION_CATEGORY,
            [
                *received,
                statistics_service_pb2.MEASURE_LICENSES_ISSUED,
                statistics_service_pb2.MEASURE_RATED,
            ],
        )
        first = {key: values[0] for key, values in by_item.items()}
        self._figures.add_statistics(counts, first, {key: values[0] for key, values in by_category.items()})
        yielding = sum(counts[item.number] for item in ITEMS if item.licence)
        self._figures.add(
            "licences issued = decisions that yield one", yielding, sum(values[1] for values in by_category.values())
        )
        self._figures.add("cases rated", sum(counts.values()), sum(values[2] for values in by_category.values()))
        uses, recorded = await evidence.seal_uses(office)
        self._figures.add("seal uses without a record", 0, uses - recorded)
        self._figures.add("seal uses", yielding + 1, uses)


def _clear(state: Path) -> None:
    """Empties what an earlier demo left; ends with a clear line where one is still running, or where others' files lie."""
    if state.exists() and not StateFolder(state).is_one:
        sys.exit(f"{state} is not an earlier demo's: give --state another folder")
    if state.exists() and StateFolder(state).holder() is not None:
        sys.exit(f"a demo is running from {state}: stop it with `./run down --state {state}`")
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)


def _finished(state: Path, told: StoryResult, *, keep: bool) -> None:
    _OUT.print("files of part A:")
    for name, path in told.files.items():
        _OUT.print(f"  {name:24} {path}", soft_wrap=True, highlight=False)
    if keep:
        _OUT.print(
            f"both regions go on running: `./run status --state {state}`, `./run down --state {state}`", soft_wrap=True
        )


def main(
    sample: Annotated[int | None, typer.Option(min=25, help="Scale part B to about so many cases.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the closing table there.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave both regions running.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The same with as few cases as show every item.")] = False,
    folder: Annotated[
        Path, typer.Option("--state", help="Where the demo's regions and files lie; an earlier demo's go.")
    ] = STATE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="六安's gateway.")] = 8080,
    port2: Annotated[int, typer.Option(min=1, max=65535, help="天宁's gateway.")] = 8081,
) -> None:
    """Runs both parts in two fresh regions and compares the figures."""
    # Both, since a shell in the background hands SIGINT down ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    state, sample = folder / "regions", _QUICK if quick else sample
    _clear(state)
    cluster = Cluster(state, (port, port2), replay=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=_OUT) as progress:
            starting = progress.add_task("starting two regions", total=None)
            cluster.start(lambda ready, all_: progress.update(starting, completed=ready, total=all_), detached=keep)
            figures, told = asyncio.run(Demo(state, (port, port2), progress).run(sample))
    except NotStarted as error:
        sys.exit(str(error))
    except BaseException as error:
        cluster.stop()
        if isinstance(error, KeyboardInterrupt):
            sys.exit(130)
        raise
    if not keep:
        cluster.stop()
    figures.print(_OUT, sampled=sample is not None)
    if json_file is not None:
        figures.write(json_file)
    _finished(state, told, keep=keep)
    sys.exit(0 if figures.agree else 1)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_short=True, pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
