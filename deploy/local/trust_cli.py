"""``tongban trust``: how two regions come to trust each other (docs/guides/trust.md).

A region's file goes one way, its fingerprint another. Who proposes and who approves each type the fingerprint that the other
region has read out to them; nothing is believed because it came over the network.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from google.protobuf import json_format

from deploy.local import region_file
from deploy.local.asking import STATE, AskedRegion, Credentials, Region, State, Subject
from deploy.local.listed_regions import lines_of
from deploy.local.region_file import NotTaken, RegionFile, fingerprints_of, thumbprint
from deploy.local.regions import known
from deploy.local.state import RegionSnapshot
from deploy.pki.region_root import ROOT_FILE
from libs.client import Tongban
from libs.errors import NotFound, TongbanError
from tongban.identity.v1 import resources_pb2 as pb

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Trust between regions.")
_DISCOVERY = "/.well-known/oauth-authorization-server"
_GROUP = 4
_ALL_ASSURED = 4

File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The other region's: its `trust show`.")
]
Fingerprint = Annotated[
    str, typer.Option(help="The file's SM3 or SHA-256, as the other region has read it out; asked for where not given.")
]
Authorities = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE.pem",
        help="The authorities of this region's gateway's TLS certificate, where they are not those that systems trust.",
    ),
]
Assurance = Annotated[
    int | None, typer.Option(min=1, max=4, help="The highest assurance that counts that way; 4 where it is not said.")
]
CodeKeys = Annotated[
    bool, typer.Option("--code-keys", help="With the keys of personal codes, which no region of before 0.3.0 reads.")
]
ReadsOnly = Annotated[
    bool,
    typer.Option("--reads-only", help="Let only reads pass, from there to here and back (in a new proposal alone)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@contextmanager
def _refusing() -> Iterator[None]:
    """Ends the command where something is not taken."""
    try:
        yield
    except NotTaken as error:
        typer.echo(f"refused, and nothing was changed: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def show(
    tls_authorities: Authorities = None, code_keys: CodeKeys = False, state: State = STATE, region: Region = ""
) -> None:
    """Prints this region's file, to hand over; beside it, on standard error, what is read out to compare it."""
    asked = AskedRegion(state, region, None)
    here, authorities = asked.here, tls_authorities.read_bytes() if tls_authorities else b""
    made = region_file.written(asked.ask(lambda gateway: _own(here, gateway, authorities, code_keys=code_keys)))
    sys.stdout.buffer.write(made.content)
    _say(_fingerprints(made))
    if here.public in ("", here.gateway):
        _say([f"note: only this machine reaches {here.gateway}; public_url in settings.toml says what others call it"])


@app.command()
def inspect(
    file: File, ask: Annotated[bool, typer.Option("--ask", help="Ask its gateway for its token keys too.")] = False
) -> None:
    """Shows what a region's file says, and its fingerprints. With --ask, ends with 1 where its gateway has other token keys now."""
    with _refusing():
        found = region_file.read(file.read_bytes())
        for line in (*_described(found), *_fingerprints(found)):
            print(line)
        if ask:
            _compare(found)
            print(f"{found.region.anchor.gateway_url} has these token keys now")


@app.command()
def propose(
    file: File,
    fingerprint: Fingerprint = "",
    inbound: Assurance = None,
    outbound: Assurance = None,
    reads_only: ReadsOnly = False,
    subject: Subject = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
) -> None:
    """Enters a region on the trust list, or new keys of one that stands there; another administrator approves it."""

    def work(asked: Tongban, file: RegionFile) -> pb.Region:
        listed = _listed(asked, file)
        if listed is None or listed.state == pb.REGION_STATE_ENDED:
            offered = pb.Region(
                display_name=file.region.display_name, anchor=file.region.anchor, codes=file.region.codes
            )
            offered.inbound.max_assurance = inbound or _ALL_ASSURED
            offered.outbound.max_assurance = outbound or _ALL_ASSURED
            if reads_only:
                offered.inbound.grade = offered.outbound.grade = pb.TRUST_GRADE_READING
            return asked.identity.propose_region(region_id=file.id, region=offered)
        if inbound or outbound or reads_only:
            raise NotTaken(f"{file.id} stands on the list: new keys change no terms; end the trust to propose others")
        _require_news(listed, file)
        return asked.identity.set_region_keys(name=listed.name, anchor=file.region.anchor, etag=listed.etag)

    _change(AskedRegion(state, region, credentials, subject), file, fingerprint, work)


@app.command()
def approve(
    file: File,
    fingerprint: Fingerprint = "",
    subject: Subject = "",
    state: State = STATE,
    region: Region = "",
    credentials: Credentials = None,
) -> None:
    """Stands behind what another administrator has proposed, where it is what the file says."""

    def work(asked: Tongban, file: RegionFile) -> pb.Region:
        listed = _listed(asked, file)
        if listed is not None and listed.state == pb.REGION_STATE_PROPOSED:
            _require_same(_said(listed), file.region)
            return asked.identity.activate_region(name=listed.name, etag=listed.etag)
        if listed is None or not listed.HasField("pending_anchor"):
            raise NotTaken(f"nothing of {file.id} waits for approval: propose it first")
        _require_same(pb.Region(anchor=listed.pending_anchor), pb.Region(anchor=file.region.anchor))
        return asked.identity.approve_region_keys(name=listed.name, etag=listed.etag)

    _change(AskedRegion(state, region, credentials, subject), file, fingerprint, work)


@app.command("list")
def list_regions(
    state: State = STATE, region: Region = "", credentials: Credentials = None, as_json: AsJson = False
) -> None:
    """Shows the trust list: where the trust stands each way, and what waits for whom."""
    found = AskedRegion(state, region, credentials).ask(lambda asked: list(asked.identity.iterate_regions()))
    if as_json:
        described = [json_format.MessageToDict(each, always_print_fields_with_no_presence=True) for each in found]
        print(json.dumps(described, ensure_ascii=False, indent=1))
    else:
        _show(found)


def _change(asked: AskedRegion, path: Path, fingerprint: str, work: Callable[[Tongban, RegionFile], pb.Region]) -> None:
    """Has the file compared, changes the trust list by it, and shows how it stands then."""
    with _refusing():
        file = region_file.read(path.read_bytes())
        _require_other(file, asked.here)
        if not fingerprint:
            _say(_described(file))
            fingerprint = typer.prompt(f"The fingerprint, as {file.id} has read it out to you", err=True)
        file.require(fingerprint)
        _show([asked.ask(lambda gateway: work(gateway, file))])


def _own(here: RegionSnapshot, gateway: Tongban, authorities: bytes, *, code_keys: bool) -> pb.Region:
    answer = httpx.get(f"{here.gateway}{_DISCOVERY}", trust_env=False).raise_for_status()
    anchor = pb.RegionAnchor(
        gateway_url=here.public or here.gateway,
        issuer=answer.json()["issuer"],
        jwks=gateway.identity.get_jwks(),
        root_certificate=_own_root(here),
        tls_authorities=authorities,
        code_keys=gateway.identity.get_code_keys() if code_keys else None,
    )
    code = pb.RegionCode(code=known(here.id).code)
    return pb.Region(name=f"regions/{here.id}", display_name=here.name, anchor=anchor, codes=[code])


def _own_root(here: RegionSnapshot) -> bytes:
    return (Path(here.folder) / "root" / ROOT_FILE).read_bytes()


def _require_other(file: RegionFile, here: RegionSnapshot) -> None:
    if file.id == here.id or file.region.anchor.root_certificate == _own_root(here):
        raise NotTaken(f"the file is of this region itself, {here.id}: hand it over, and take theirs")


def _listed(asked: Tongban, file: RegionFile) -> pb.Region | None:
    try:
        return asked.identity.get_region(name=file.region.name)
    except NotFound:
        return None


def _require_news(listed: pb.Region, file: RegionFile) -> None:
    if listed.anchor == file.region.anchor:
        raise NotTaken(f"{file.id} stands on the list with this gateway and these keys already")
    if listed.pending_anchor == file.region.anchor:
        raise NotTaken(f"these keys of {file.id} wait for approval already")


def _said(listed: pb.Region) -> pb.Region:
    return pb.Region(name=listed.name, display_name=listed.display_name, anchor=listed.anchor, codes=listed.codes)


def _require_same(waits: pb.Region, said: pb.Region) -> None:
    names = [field.name for field in pb.Region.DESCRIPTOR.fields]
    if differing := [name for name in names if getattr(waits, name) != getattr(said, name)]:
        raise NotTaken(f"what waits for approval is not what the file says; it differs in: {', '.join(differing)}")


def _compare(file: RegionFile) -> None:
    anchor = file.region.anchor
    try:
        with Tongban(anchor.gateway_url, roots=anchor.tls_authorities or None) as there:
            now = there.identity.get_jwks()
    except TongbanError as error:
        raise NotTaken(f"{anchor.gateway_url} does not say which token keys it has: {error.reason}") from None
    if {thumbprint(key) for key in now.keys} != {thumbprint(key) for key in anchor.jwks.keys}:
        raise NotTaken(f"{anchor.gateway_url} has other token keys now: ask {file.id} for a new file")


def _described(file: RegionFile) -> list[str]:
    anchor, root = file.region.anchor, file.root
    said = [
        ("region", f"{file.id} {file.region.display_name}"),
        ("codes", " ".join(each.code for each in file.region.codes)),
        ("gateway", anchor.gateway_url),
        ("issuer", anchor.issuer),
        *(("token key", f"{thumbprint(key)} ({key.alg}, {key.kid})") for key in anchor.jwks.keys),
        *(("code key", f"{thumbprint(key)} ({key.alg}, {key.kid})") for key in anchor.code_keys.keys),
        ("SM2 root", f"{root.not_before:%Y-%m-%d} to {root.not_after:%Y-%m-%d}"),
        *((f"  {name}", digits) for name, digits in fingerprints_of(root.der).items()),
    ]
    return [f"{name:12}{value}" for name, value in said]


def _fingerprints(file: RegionFile) -> list[str]:
    return [f"{name:12}{_grouped(digits)}" for name, digits in file.fingerprints.items()]


def _grouped(digits: str) -> str:
    return " ".join(digits[place : place + _GROUP] for place in range(0, len(digits), _GROUP))


def _say(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line, err=True)


def _show(regions: list[pb.Region]) -> None:
    for line in [line for each in regions for line in lines_of(each)] or ["no region is on the list"]:
        print(line)


if __name__ == "__main__":
    app()
