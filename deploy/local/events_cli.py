"""``tongban events``: an operator's way to parked events, over the gateway as any other client's."""

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from deploy.local.demo.gateway import Gateway, Machine
from deploy.local.regions import SERVICES
from deploy.local.state import StateFolder

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Events that a service set aside (parked).")
_OUT = Console()
_PAGE = 500

Name = Annotated[str, typer.Argument(metavar="SERVICE/parkedEvents/ID", help="As `list` names it.")]
State = Annotated[Path, typer.Option(help="Where the region's state lies.")]
Region = Annotated[str, typer.Option(help="Its six digits; else the first one that runs.")]
Credentials = Annotated[
    Path | None, typer.Option(help="A client's credentials; else the administrator's of the first start.")
]
RequestId = Annotated[str, typer.Option("--request-id", help="Makes a repeat harmless: the same UUID as before.")]
_STATE = Path(".tongban")


@dataclass(frozen=True)
class _Door:
    """The gateway, and who asks."""

    gateway: Gateway
    machine: Machine

    async def get(self, path: str, **parameters: str) -> Any:
        """Reads."""
        return await self.gateway.get(path, await self.gateway.machine_token(self.machine), **parameters)

    async def post(self, path: str, **body: str) -> Any:
        """Does."""
        return await self.gateway.post(path, body, await self.gateway.machine_token(self.machine))

    async def of(self, service: str) -> list[dict[str, Any]]:
        """Reads all parked events of a service."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = await self.get(f"/v1/events/{service}/parkedEvents", pageSize=str(_PAGE), pageToken=token)
            found += page.get("parkedEvents", [])
            token = page.get("nextPageToken", "")
            if not token:
                return found


@dataclass(frozen=True)
class _Where:
    """Which region is asked, and as whom."""

    state: Path
    region: str
    credentials: Path | None

    def ask(self, work: Callable[[_Door], Awaitable[Any]]) -> Any:
        """Asks; ends the command with what the region refuses with."""
        snapshot = StateFolder(self.state).read()
        here = next((each for each in snapshot.regions if self.region in ("", each.code)), None) if snapshot else None
        if here is None:
            raise typer.BadParameter(f"no region {self.region} runs from {self.state}")
        machine = Machine.from_file(self.credentials or Path(here.folder, "credentials.json"))

        async def run() -> Any:
            gateway = Gateway(here.code, here.name, here.gateway)
            try:
                return await work(_Door(gateway, machine))
            finally:
                await gateway.close()

        try:
            return asyncio.run(run())
        except httpx.HTTPStatusError as error:
            print(error.response.text, file=sys.stderr)
            raise typer.Exit(1) from None


def _print(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=1))


@app.command("list")
def list_events(
    service: Annotated[str, typer.Argument(help="One service's; else those of all.")] = "",
    state: State = _STATE,
    region: Region = "",
    credentials: Credentials = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Lists parked events; each look is recorded. Ends with 3 where there are any, for scripts that watch."""
    if service and service not in SERVICES:
        raise typer.BadParameter(f"must be one of {', '.join(SERVICES)}")

    async def read(door: _Door) -> list[dict[str, Any]]:
        return [event for each in ([service] if service else SERVICES) for event in await door.of(each)]

    found = _Where(state, region, credentials).ask(read)
    if as_json:
        _print(found)
    else:
        table = Table("name", "type", "subject", "parked", "reason", "attempts", box=None)
        for each in found:
            row = (each["name"], each["type"], each["subject"], each["parkTime"], each["reason"])
            table.add_row(*row, str(each["attempts"]))
        _OUT.print(table if found else "nothing is parked")
    raise typer.Exit(3 if found else 0)


@app.command()
def show(name: Name, state: State = _STATE, region: Region = "", credentials: Credentials = None) -> None:
    """Shows a parked event, without what it says."""
    _print(_Where(state, region, credentials).ask(lambda door: door.get(f"/v1/events/{name}")))


@app.command()
def replay(
    name: Name, request_id: RequestId = "", state: State = _STATE, region: Region = "", credentials: Credentials = None
) -> None:
    """Has a parked event handled again. Ends with 1 where it fails again."""
    once = request_id or str(uuid.uuid4())
    answer = _Where(state, region, credentials).ask(lambda door: door.post(f"/v1/events/{name}:replay", requestId=once))
    _print(answer)
    raise typer.Exit(0 if answer["handled"] else 1)


@app.command()
def drop(
    name: Name,
    why: Annotated[str, typer.Option(help="For the audit record; no personal data.")],
    request_id: RequestId = "",
    state: State = _STATE,
    region: Region = "",
    credentials: Credentials = None,
) -> None:
    """Gives a parked event up for good."""
    once = request_id or str(uuid.uuid4())
    _print(
        _Where(state, region, credentials).ask(
            lambda door: door.post(f"/v1/events/{name}:drop", requestId=once, why=why)
        )
    )


if __name__ == "__main__":
    app()
