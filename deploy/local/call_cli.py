"""``tongban call``: any RPC of the contracts, as the region's administrator, a client, or whom a channel has authenticated."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import descriptor_pool
from rich.console import Console
from rich.table import Column, Table

from deploy.local.asking import STATE, AskedRegion, Credentials, Region, State, Subject, described, show_json
from deploy.local.call_requests import NoSuchField, request_of
from libs.client import Tongban
from libs.rpc.contract import Method
from services.gateway import contracts
from services.gateway.contracts import Rpc

app = typer.Typer(add_completion=False)
_OUT = Console()

Asked = Annotated[
    str,
    typer.Argument(metavar="RPC", help="Such as ListStaff, or StaffService.ListStaff; --find shows which there are."),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="FIELD=VALUE", help="Such as filter='state = STAFF_STATE_ACTIVE', post.display_name=收件."),
]


@app.command()
def call(
    rpc: Asked = "",
    words: Words = None,
    find: Annotated[
        bool, typer.Option("--find", help="Show which RPCs there are whose names have RPC in them.")
    ] = False,
    body: Annotated[
        Path | None,
        typer.Option(
            "--request",
            help="A file with the request in JSON, - for stdin: what is personal is not in a command's history then.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Of a list all pages, one after another.")] = False,
    subject: Subject = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
) -> None:
    """Calls an RPC and prints its answer as JSON: all that the region can be asked, by whoever may.

    A change gets a request_id where the words give none. Ends with 1 where the region refuses, and prints why.
    """
    if find or not rpc:
        _show([each for each in _rpcs() if rpc.lower() in f"{each.service}.{each.name}".lower()])
        return
    method = _method(rpc)
    try:
        request: Any = request_of(method.request_type, words or [], _body(body))
    except NoSuchField as error:
        raise typer.BadParameter(str(error), param_hint="FIELD=VALUE") from None
    region_ = AskedRegion(state, region, credentials, subject)
    if not every:
        show_json(region_.ask(lambda asked: described(asked.call(request, method.response_type))))
        return
    if "page_token" not in method.descriptor.input_type.fields_by_name:
        raise typer.BadParameter(f"{method.descriptor.name} has no pages", param_hint="--all")
    show_json(region_.ask(lambda asked: [described(page) for page in _pages(asked, request, method)]))


def _pages(asked: Tongban, request: Any, method: Method) -> Iterator[Any]:
    while True:
        page: Any = asked.call(request, method.response_type)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _body(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise typer.BadParameter(f"{path} can't be read: {type(error).__name__}", param_hint="--request") from None


def _rpcs() -> list[Rpc]:
    """Those that clients may call."""
    found = contracts.services(contracts.read_image())
    return [rpc for service in found for rpc in service.public_rpcs if rpc.method.for_fronts]


def _method(asked: str) -> Method:
    """The one RPC that is meant; ends the command where none or several are."""
    found = [each for each in _rpcs() if f".{each.service}.{each.name}".endswith(f".{asked}")]
    if len(found) != 1:
        several = ", ".join(f"{each.service.rpartition('.')[2]}.{each.name}" for each in found)
        raise typer.BadParameter((several and f"one of {several}") or f"there is no {asked}: --find", param_hint="RPC")
    if found[0].method.streams:
        raise typer.BadParameter(f"{asked} streams: it is called by a program", param_hint="RPC")
    # In the pool of the client's own messages.
    return Method(descriptor_pool.Default().FindMethodByName(found[0].method.name))


def _show(found: list[Rpc]) -> None:
    table = Table(Column("rpc", no_wrap=True), Column("permission", no_wrap=True), "what it does", box=None)
    for each in found:
        said = " ".join(each.comment.partition("\n\n")[0].split()).partition(". ")[0]
        table.add_row(f"{each.service.rpartition('.')[2]}.{each.name}", each.access.permission or "anyone", said)
    _OUT.print(table if found else "none")


if __name__ == "__main__":
    app()
