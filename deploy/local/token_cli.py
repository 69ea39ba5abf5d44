"""``tongban token``: an access token for curl and other programs, printed and kept nowhere."""

import time
from typing import Annotated

import typer

from deploy.local.asking import STATE, AskedRegion, Credentials, Region, State
from libs.client import Tongban

app = typer.Typer(add_completion=False)

_KINDS = {"persons": "PERSON", "staff": "STAFF"}
_ASSURANCE = "4"
"""Seen in person: who runs this command stands for that, as a channel does."""

Subject = Annotated[
    str,
    typer.Option(
        "--for", metavar="staff/ID|persons/ID", help="Whom the client, a channel, has authenticated; else the client."
    ),
]


@app.command()
def token(subject: Subject = "", state: State = STATE, region: Region = "", credentials: Credentials = None) -> None:
    """Prints an access token: the administrator's, another client's (--credentials), or that of somebody it asserts (--for)."""
    kind = _KINDS.get(subject.partition("/")[0])
    if subject and kind is None:
        raise typer.BadParameter("must be staff/… or persons/…", param_hint="--for")

    def ask(asked: Tongban) -> str:
        return (asked.asserting(subject, kind, acr=_ASSURANCE, auth_time=int(time.time())) if kind else asked).token()

    print(AskedRegion(state, region, credentials).ask(ask))


if __name__ == "__main__":
    app()
