"""``tongban clients``: who is let in, as an operator looks at it, and shuts out what must not call any more."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.asking import STATE, AsJson, AskedRegion, Credentials, Region, RequestId, State, described, show_json

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Machines that call the region: partners, systems, channels."
)
_OUT = Console()
_COLUMNS = ("name", "kind", "state", "owner", "expireTime", "displayName")

Name = Annotated[str, typer.Argument(metavar="clients/ID", help="As `list` names it.")]


def _short(name: str, value: str) -> str:
    return value.removeprefix(f"CLIENT_{name.upper()}_")


@app.command("list")
def list_clients(
    chosen: Annotated[
        str,
        typer.Option(
            "--filter", help='Such as `state = CLIENT_STATE_REQUESTED`, `expire_time < "2026-01-01T00:00:00Z"`.'
        ),
    ] = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
    as_json: AsJson = False,
) -> None:
    """Lists clients by name."""
    found = AskedRegion(state, region, credentials).ask(
        lambda asked: [described(each) for each in asked.identity.iterate_clients(filter=chosen)]
    )
    if as_json:
        show_json(found)
        return
    table = Table(*_COLUMNS, box=None)
    for each in found:
        table.add_row(*(_short(column, str(each.get(column, ""))) for column in _COLUMNS))
    _OUT.print(table if found else "nobody")


@app.command()
def show(name: Name, state: State = STATE, region: Region = "", credentials: Credentials = None) -> None:
    """Shows a client, without its secret."""
    show_json(
        AskedRegion(state, region, credentials).ask(lambda asked: described(asked.identity.get_client(name=name)))
    )


@app.command()
def suspend(
    name: Name,
    why: Annotated[str, typer.Option(help="What the client's people and the audit record are told.")],
    request_id: RequestId = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
) -> None:
    """Shuts a client out: what came through it is refused everywhere within two seconds."""
    show_json(
        AskedRegion(state, region, credentials).ask(
            lambda asked: described(asked.identity.suspend_client(name=name, reason=why, request_id=request_id))
        )
    )


@app.command()
def resume(
    name: Name, request_id: RequestId = "", state: State = STATE, region: Region = "", credentials: Credentials = None
) -> None:
    """Lets a suspended client in again; a channel waits for two people then."""
    show_json(
        AskedRegion(state, region, credentials).ask(
            lambda asked: described(asked.identity.resume_client(name=name, request_id=request_id))
        )
    )


if __name__ == "__main__":
    app()
