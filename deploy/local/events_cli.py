"""``tongban events``: an operator's way to parked events, over the gateway as any other client's."""

import json
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from deploy.local.asking import STATE, AskedRegion, Credentials, Region, State
from deploy.local.regions import SERVICES
from libs.client import Tongban

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Events that a service set aside (parked).")
_OUT = Console()

Name = Annotated[str, typer.Argument(metavar="SERVICE/parkedEvents/ID", help="As `list` names it.")]
RequestId = Annotated[str, typer.Option("--request-id", help="Makes a repeat harmless: the same UUID as before.")]


def _json(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return found


def _print(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=1))


@app.command("list")
def list_events(
    service: Annotated[str, typer.Argument(help="One service's; else those of all.")] = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Lists parked events; each look is recorded. Ends with 3 where there are any, for scripts that watch."""
    if service and service not in SERVICES:
        raise typer.BadParameter(f"must be one of {', '.join(SERVICES)}")

    def read(asked: Tongban) -> list[dict[str, Any]]:
        events = (asked.events.iterate_parked_events(service=each) for each in ([service] if service else SERVICES))
        return [_json(event) for each in events for event in each]

    found = AskedRegion(state, region, credentials).ask(read)
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
def show(name: Name, state: State = STATE, region: Region = "", credentials: Credentials = None) -> None:
    """Shows a parked event, without what it says."""
    _print(AskedRegion(state, region, credentials).ask(lambda asked: _json(asked.events.get_parked_event(name=name))))


@app.command()
def replay(
    name: Name, request_id: RequestId = "", state: State = STATE, region: Region = "", credentials: Credentials = None
) -> None:
    """Has a parked event handled again. Ends with 1 where it fails again."""
    answer = AskedRegion(state, region, credentials).ask(
        lambda asked: _json(asked.events.replay_parked_event(name=name, request_id=request_id))
    )
    _print(answer)
    raise typer.Exit(0 if answer["handled"] else 1)


@app.command()
def drop(
    name: Name,
    why: Annotated[str, typer.Option(help="For the audit record; no personal data.")],
    request_id: RequestId = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
) -> None:
    """Gives a parked event up for good."""
    _print(
        AskedRegion(state, region, credentials).ask(
            lambda asked: _json(asked.events.drop_parked_event(name=name, request_id=request_id, reason=why))
        )
    )


if __name__ == "__main__":
    app()
