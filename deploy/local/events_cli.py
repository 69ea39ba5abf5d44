"""``tongban events``: an operator's way to parked events, over the gateway as any other client's."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.asking import STATE, AsJson, AskedRegion, Credentials, Region, RequestId, State, described, show_json
from deploy.local.regions import SERVICES
from libs.client import Tongban

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Events that a service set aside (parked).")
_OUT = Console()

Name = Annotated[str, typer.Argument(metavar="SERVICE/parkedEvents/ID", help="As `list` names it.")]


@app.command("list")
def list_events(
    service: Annotated[str, typer.Argument(help="One service's; else those of all.")] = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
    as_json: AsJson = False,
) -> None:
    """Lists parked events; each look is recorded. Ends with 3 where there are any, for scripts that watch."""
    if service and service not in SERVICES:
        raise typer.BadParameter(f"must be one of {', '.join(SERVICES)}")

    def read(asked: Tongban) -> list[dict[str, Any]]:
        events = (asked.events.iterate_parked_events(service=each) for each in ([service] if service else SERVICES))
        return [described(event) for each in events for event in each]

    found = AskedRegion(state, region, credentials).ask(read)
    if as_json:
        show_json(found)
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
    show_json(
        AskedRegion(state, region, credentials).ask(lambda asked: described(asked.events.get_parked_event(name=name)))
    )


@app.command()
def replay(
    name: Name, request_id: RequestId = "", state: State = STATE, region: Region = "", credentials: Credentials = None
) -> None:
    """Has a parked event handled again. Ends with 1 where it fails again."""
    answer = AskedRegion(state, region, credentials).ask(
        lambda asked: described(asked.events.replay_parked_event(name=name, request_id=request_id))
    )
    show_json(answer)
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
    show_json(
        AskedRegion(state, region, credentials).ask(
            lambda asked: described(asked.events.drop_parked_event(name=name, request_id=request_id, reason=why))
        )
    )


if __name__ == "__main__":
    app()
