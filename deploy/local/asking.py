"""How the command line asks a region: over its gateway, as any other client's program does."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from deploy.local.state import RegionSnapshot, StateFolder
from libs.client import PrivateKey, Tongban
from libs.errors import TongbanError
from libs.rpc.status import to_status

Result = TypeVar("Result")

State = Annotated[Path, typer.Option(help="Where the region's state lies.", envvar="TONGBAN_STATE")]
Region = Annotated[str, typer.Option(help="Its id; else the first one that runs.")]
Credentials = Annotated[
    Path | None, typer.Option(help="A client's credentials; else the administrator's of the first start.")
]
Subject = Annotated[
    str,
    typer.Option(
        "--for", metavar="staff/ID|persons/ID", help="Whom the client, a channel, has authenticated; else the client."
    ),
]
RequestId = Annotated[str, typer.Option("--request-id", help="Makes a repeat harmless: the same UUID as before.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
STATE = Path(".tongban")
_KINDS = {"persons": "PERSON", "staff": "STAFF"}
_ASSURANCE = "4"
"""Seen in person: who runs a command stands for that, as a channel does."""


def described(message: Message) -> dict[str, Any]:
    """A message as JSON has it, with all that it could say."""
    found: dict[str, Any] = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return found


def show_json(content: Any) -> None:
    """Prints for people and programs."""
    print(json.dumps(content, ensure_ascii=False, indent=1))


@dataclass(frozen=True)
class AskedRegion:
    """Which region is asked, and as whom: a client, or whom it asserts (``staff/…``, ``persons/…``)."""

    state: Path
    region: str
    credentials: Path | None
    subject: str = ""

    @property
    def here(self) -> RegionSnapshot:
        """The region as it runs; ends the command where it doesn't."""
        state = StateFolder(self.state)
        snapshot = state.read() if state.holder() is not None else None
        here = next((each for each in snapshot.regions if self.region in ("", each.id)), None) if snapshot else None
        if here is None:
            raise typer.BadParameter(
                f"region {self.region or 'of any code'} does not run from {state.folder}: ./run up"
            )
        return here

    def ask(self, work: Callable[[Tongban], Result]) -> Result:
        """Asks; ends the command with what the region refuses with."""
        try:
            return self.call(work)
        except TongbanError as error:
            refused = json_format.MessageToDict(to_status(error), always_print_fields_with_no_presence=True)
            print(json.dumps(refused, ensure_ascii=False), file=sys.stderr)
            raise typer.Exit(1) from None

    def call(self, work: Callable[[Tongban], Result]) -> Result:
        """Asks; raises TongbanError as the region meant it."""
        kind = _KINDS.get(self.subject.partition("/")[0], "")
        if self.subject and not kind:
            raise typer.BadParameter("must be staff/… or persons/…", param_hint="--for")
        here = self.here
        machine = _machine(self.credentials or self.state.resolve() / here.id / "credentials.json")
        with Tongban(here.gateway, machine) as region:
            if kind:
                return work(region.asserting(self.subject, kind, acr=_ASSURANCE, auth_time=int(time.time())))
            return work(region)


def _machine(path: Path) -> PrivateKey:
    try:
        return PrivateKey.from_file(path)
    except (OSError, ValueError, LookupError) as error:
        raise typer.BadParameter(
            f"{path} holds no credentials: {type(error).__name__}", param_hint="--credentials"
        ) from None
