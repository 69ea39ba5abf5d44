"""``tongban webhooks``: where clients have events sent, and what nobody took."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.asking import STATE, AsJson, AskedRegion, Credentials, Region, RequestId, State, described, show_json
from libs.client import Tongban

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Webhooks, and the deliveries that nobody took.")
_OUT = Console()
_WEBHOOK = ("name", "client", "state", "suspendReason", "gapTime", "displayName")
_DELIVERY = ("name", "webhook", "type", "subject", "eventTime", "updateTime")
_DEAD = "state = WEBHOOK_DELIVERY_STATE_DEAD"

Name = Annotated[str, typer.Argument(metavar="webhookDeliveries/ID", help="As `dead` names it.")]


def _table(columns: tuple[str, ...], found: list[dict[str, str]], none: str) -> None:
    table = Table(*columns, box=None)
    for each in found:
        table.add_row(*(str(each.get(column) or "").removeprefix("WEBHOOK_STATE_") for column in columns))
    _OUT.print(table if found else none)


@app.command("list")
def list_webhooks(
    state: State = STATE, region: Region = "", credentials: Credentials = None, as_json: AsJson = False
) -> None:
    """Lists webhooks of all clients."""
    found = AskedRegion(state, region, credentials).ask(
        lambda asked: [described(each) for each in asked.identity.iterate_webhooks()]
    )
    if as_json:
        show_json(found)
    else:
        _table(_WEBHOOK, found, "none")


@app.command()
def dead(
    webhook: Annotated[str, typer.Argument(metavar="webhooks/ID", help="One webhook's; else those of all.")] = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
    as_json: AsJson = False,
) -> None:
    """Lists deliveries that nobody took, the newest first. Ends with 3 where there are any, for scripts that watch."""
    chosen = f"{_DEAD} AND webhook = {webhook}" if webhook else _DEAD
    found = AskedRegion(state, region, credentials).ask(
        lambda asked: [described(each) for each in asked.identity.iterate_webhook_deliveries(filter=chosen)]
    )
    if as_json:
        show_json(found)
    else:
        _table(_DELIVERY, found, "all was taken")
    raise typer.Exit(3 if found else 0)


@app.command()
def show(name: Name, state: State = STATE, region: Region = "", credentials: Credentials = None) -> None:
    """Shows a delivery with its attempts, without what it says."""
    show_json(
        AskedRegion(state, region, credentials).ask(
            lambda asked: described(asked.identity.get_webhook_delivery(name=name))
        )
    )


@app.command()
def resend(
    name: Name, request_id: RequestId = "", state: State = STATE, region: Region = "", credentials: Credentials = None
) -> None:
    """Sends a delivery again that nobody took, by the whole schedule."""

    def work(asked: Tongban) -> dict[str, object]:
        etag = asked.identity.get_webhook_delivery(name=name).etag
        return described(asked.identity.resend_webhook_delivery(name=name, etag=etag, request_id=request_id))

    show_json(AskedRegion(state, region, credentials).ask(work))


if __name__ == "__main__":
    app()
