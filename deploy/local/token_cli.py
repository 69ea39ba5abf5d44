"""``tongban token``: an access token for curl and other programs, printed and kept nowhere."""

import typer

from deploy.local.asking import STATE, AskedRegion, Credentials, Region, State, Subject

app = typer.Typer(add_completion=False)


@app.command()
def token(subject: Subject = "", state: State = STATE, region: Region = "", credentials: Credentials = None) -> None:
    """Prints an access token: the administrator's, another client's (--credentials), or that of somebody it asserts (--for)."""
    print(AskedRegion(state, region, credentials, subject).ask(lambda asked: asked.token()))


if __name__ == "__main__":
    app()
