"""``tongban audit verify``: checks a receipt, and a copy of the log.

A receipt that came with an answer names its record and proves nothing yet: the proof is asked for once, and can be kept. All
that is checked is checked here, without asking anybody.
"""

import base64
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from deploy.local import given_receipts
from deploy.local.given_receipts import GivenReceipt, NoReceipt
from deploy.local.proving import ProvingRegion
from deploy.pki.region_root import ROOT_FILE
from libs.audit.copies import verify_log
from libs.audit.heads import SignedHead, VerifySignature, head_from_json
from libs.audit.receipts import verify_receipt
from libs.audit.records import Record, rfc3339
from libs.audit.report import Outcome, Report, Step
from libs.audit.trust import trust
from libs.crypto.errors import MalformedCertificate
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate
from libs.owndata.verification import region_of, verify_export

app = typer.Typer(no_args_is_help=True, help="The audit logs, checked offline.")
_OUT = Console(highlight=False)
_UNKNOWN = 3
_STYLES = {
    Outcome.PASSED: "[green]✓[/]",
    Outcome.FAILED: "[red]✗[/]",
    Outcome.NOT_DONE: "[dim]-[/]",
    Outcome.UNKNOWN_VERSION: "[yellow]?[/]",
}
_WORDS = {
    0: "[bold green]everything holds[/]",
    1: "[bold red]it does not hold[/]",
    _UNKNOWN: "[bold yellow]what could be checked holds; the rest was made by a later release: take a newer tongban[/]",
}

Given = Annotated[
    str,
    typer.Argument(
        metavar="RECEIPT",
        help="A file (a receipt with its proof, or what `curl -i` printed), - for standard input, or the header's value.",
    ),
]
Abroad = Annotated[
    bool, typer.Option("--abroad", help="The receipt of the other region, where an answer came with two.")
]
Gateway = Annotated[
    str, typer.Option(help="Where to ask for the proof; else the receipt's region, if it runs from the state folder.")
]
Token = Annotated[str, typer.Option(envvar="TONGBAN_TOKEN", help="The access token to ask --gateway with.")]
Keep = Annotated[
    Path | None, typer.Option(dir_okay=False, metavar="FILE.json", help="Where to keep the receipt with its proof.")
]
Log = Annotated[
    Path | None, typer.Option("--log", exists=True, dir_okay=False, metavar="FILE.jsonl", help="A copy of the log.")
]
Head = Annotated[
    Path | None,
    typer.Option("--head", exists=True, dir_okay=False, metavar="HEAD.json", help="Its head; else the receipt's own."),
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        exists=True,
        dir_okay=False,
        metavar="ROOT.der",
        help="The region's SM2 root; else that in the state folder.",
    ),
]
Request = Annotated[
    Path | None,
    typer.Option(
        "--request", exists=True, dir_okay=False, metavar="FILE", help="The request's bytes, if you kept them."
    ),
]
Response = Annotated[
    Path | None,
    typer.Option("--response", exists=True, dir_okay=False, metavar="FILE", help="The answer's bytes, likewise."),
]
State = Annotated[
    Path, typer.Option(help="Where the state of the region lies that the receipt is of.", envvar="TONGBAN_STATE")
]
_STATE = Path(".tongban")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{1,31}", re.ASCII)
_LONGEST_NAME = 180


@app.callback()
def audit() -> None:
    """The audit logs, checked offline."""


@app.command()
def verify(
    receipt: Given,
    root: Root = None,
    log: Log = None,
    head: Head = None,
    request: Request = None,
    response: Response = None,
    state: State = _STATE,
    abroad: Abroad = False,
    gateway: Gateway = "",
    token: Token = "",
    keep: Keep = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Checks a receipt, and with --log whether a copy of the log is the signed one.

    Ends with 1 if anything fails, with 3 if nothing does, but something was made by a later release than this, and with 4 if
    the log has not put the record under a signed head yet.
    """
    if head is not None and log is None:
        raise typer.BadParameter("--head belongs to a copy of the log: give --log too")
    given = _read(receipt, abroad=abroad)
    root = root or _root_in(state, given.log)
    data = given.proved or _proved(given, ProvingRegion(state, gateway, token))
    if keep is not None:
        keep.write_bytes(data)
    try:
        trusted = trust(Certificate.parse(root.read_bytes()), default_provider())
    except MalformedCertificate as error:
        raise typer.BadParameter(f"{root}: {error}", param_hint="--root") from error
    reports = [verify_receipt(data, trusted, _content(request), _content(response))]
    if log is not None:
        reports.append(_verify_copy(data, log, head, trusted, readable=_was_read(reports[0])))
    _print(reports, as_json=as_json)
    raise typer.Exit(_status(reports))


@app.command(name="own-data")
def own_data(
    export: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="EXPORT.zip", help="What /my/export gave.")
    ],
    root: Root = None,
    state: State = _STATE,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Checks what somebody took home of their data (/my/export): every part is the service's that it names, and unchanged.

    Ends with 1 if anything fails.
    """
    data = export.read_bytes()
    root = root or _root_in(state, region_of(data))
    try:
        report = verify_export(data, Certificate.parse(root.read_bytes()), default_provider())
    except MalformedCertificate as error:
        raise typer.BadParameter(f"{root}: {error}", param_hint="--root") from error
    _print([report], as_json=as_json)
    raise typer.Exit(_status([report]))


def _content(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


def _status(reports: Sequence[Report]) -> int:
    if all(report.valid for report in reports):
        return 0
    return _UNKNOWN if all(report.valid or report.unknown for report in reports) else 1


def _read(receipt: str, *, abroad: bool) -> GivenReceipt:
    path = Path(receipt)
    try:
        if receipt == "-":
            return given_receipts.read(sys.stdin.buffer.read(), abroad=abroad)
        # A header's value is longer than a file's name may be.
        is_file = len(receipt) <= _LONGEST_NAME and path.is_file()
        return given_receipts.read(path.read_bytes() if is_file else receipt.encode(), abroad=abroad)
    except (NoReceipt, OSError) as error:
        raise typer.BadParameter(f"neither a file nor a receipt: {error}", param_hint="RECEIPT") from error


def _proved(given: GivenReceipt, region: ProvingRegion) -> bytes:
    assert given.receipt is not None, "what has no proof is a receipt"
    return region.prove(given.receipt)


def _root_in(state: Path, log: str) -> Path:
    """Finds the root of the region whose log a receipt is of: ``//341500/seal``."""
    region = log.removeprefix("//").partition("/")[0]
    root = state / region / "root" / ROOT_FILE
    if not _REGION.fullmatch(region) or not root.is_file():
        raise typer.BadParameter(f"needed: no root of the receipt's region lies in {state}", param_hint="--root")
    return root


def _was_read(receipt: Report) -> bool:
    return receipt.steps[1].outcome in (Outcome.PASSED, Outcome.UNKNOWN_VERSION)


def _verify_copy(receipt: bytes, log: Path, head: Path | None, trusted: VerifySignature, *, readable: bool) -> Report:
    """Verifies the copy, and that the receipt's record stands in it at its place."""
    try:
        content = json.loads(receipt)
        signed = head_from_json(json.loads(head.read_bytes()) if head else content["head"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Report((Step(1, "read the head", "tongban.audit.v1.AuditHead", Outcome.FAILED, str(error)),))
    with log.open("rb") as lines:
        report = verify_log(lines, signed, trusted)
    return replace(report, steps=(*report.steps, _place_step(content, log, signed, readable=readable)))


def _place_step(content: dict[str, Any], log: Path, head: SignedHead, *, readable: bool) -> Step:
    step = Step(5, "find the receipt's record in the copy", "RFC 6962, 2.1", Outcome.NOT_DONE, "")
    if not readable:
        return step
    try:
        index = int(content.get("leafIndex", "0"))
        with log.open("rb") as lines:
            found = _canonical_at(lines, index) if index < head.tree_size else b""
        same = found == base64.b64decode(content["record"]["canonical"]) and head.log == content["head"]["log"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return replace(step, outcome=Outcome.FAILED, detail=f"{type(error).__name__}: {error}")
    outcome = Outcome.PASSED if same else Outcome.FAILED
    return replace(step, outcome=outcome, detail=f"record {index} is {'the' if same else 'not the'} receipt's")


def _canonical_at(lines: Iterable[bytes], index: int) -> bytes:
    line = next(islice(lines, index, None), b"")
    text: str = json.loads(line)["canonical"] if line else ""
    return text.encode()


def _numbered(reports: Sequence[Report]) -> list[Step]:
    steps = [step for report in reports for step in report.steps]
    return [replace(step, number=number) for number, step in enumerate(steps, start=1)]


def _print(reports: Sequence[Report], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_described(reports), ensure_ascii=False, indent=1))
        return
    for step in _numbered(reports):
        _OUT.print(
            f"{step.number:2} {_STYLES[step.outcome]} {step.name} [dim]({escape(step.clause)})[/]", soft_wrap=True
        )
        if step.detail:
            _OUT.print(f"     {escape(step.detail)}", soft_wrap=True)
    for report in reports:
        if report.first_difference is not None:
            _OUT.print(f"the first record that differs from the signed log: {report.first_difference}")
    _OUT.print(_WORDS[_status(reports)], soft_wrap=True)


def _described(reports: Sequence[Report]) -> dict[str, Any]:
    steps = [asdict(step) | {"outcome": step.outcome.value} for step in _numbered(reports)]
    record = reports[0].record
    differences = [report.first_difference for report in reports if report.first_difference is not None]
    return {
        "valid": _status(reports) == 0,
        "unknown_version": _status(reports) == _UNKNOWN,
        "steps": steps,
        "record": _plain(record) if record else None,
        "first_difference": differences[0] if differences else None,
    }


def _plain(record: Record) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(record.canonical())
    return plain | {"record_time": rfc3339(record.record_time)}
