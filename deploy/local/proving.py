"""Asks a region for what proves a receipt: the place of its record in the log, under a signed head."""

from dataclasses import dataclass
from pathlib import Path

import typer

from deploy.local.asking import AskedRegion
from libs.client import Bearer, Tongban
from libs.errors import TongbanError
from tongban.common.v1 import common_pb2

NOT_YET = 4
"""Ends a command where the log has not taken the record up yet: nothing holds, and nothing fails."""
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProvingRegion:
    """Where the proof is asked for.

    Attributes:
        state: the state folder of a region that runs on this machine; its administrator asks.
        gateway: another region's base URL; asked with ``token``.
        token: an access token, such as the one the call was made with.
    """

    state: Path
    gateway: str = ""
    token: str = ""

    def prove(self, receipt: common_pb2.Receipt) -> bytes:
        """Returns the receipt's file; ends the command, in plain words, where it can't be had."""
        try:
            if not self.gateway:
                return self._of_this_machine(receipt)
            with Tongban(self.gateway, Bearer(self.token)) as asked:
                return asked.prove(receipt, _SECONDS)
        except TongbanError as error:
            raise ending(receipt, error) from None

    def _of_this_machine(self, receipt: common_pb2.Receipt) -> bytes:
        region = receipt.log.removeprefix("//").partition("/")[0]
        try:
            return AskedRegion(self.state, region, None).call(lambda asked: asked.prove(receipt, _SECONDS))
        except typer.BadParameter as error:
            raise typer.BadParameter(
                f"the receipt names its record and proves nothing yet, and the proof can't be asked for here ({error}): "
                "give the region's --gateway and an access --token",
                param_hint="RECEIPT",
            ) from error


def ending(receipt: common_pb2.Receipt, error: TongbanError) -> typer.Exit:
    """Says why there is no proof, and returns what ends the command."""
    if error.reason == "LOG_NOT_YET_INTEGRATED":
        when = receipt.record_time.ToDatetime().isoformat(timespec="seconds")
        typer.echo(
            f"not yet: {receipt.log} has not put {receipt.record}, written at {when} UTC, under a signed head. "
            "It signs one within a second or so: ask again. The receipt stays good meanwhile.",
            err=True,
        )
        return typer.Exit(NOT_YET)
    if error.reason == "RESOURCE_NOT_FOUND":
        typer.echo(f"it does not hold: {receipt.log} knows no record {receipt.record}", err=True)
    else:
        typer.echo(f"the proof can't be had: {error.reason}: {error}", err=True)
    return typer.Exit(1)
