"""``up --sandbox``: furnishes what was just started, so that a newcomer has somebody to call as and something to call about.

An office with a member of staff for each duty, the channel that vouches for them, a seal, a service item that yields a licence, a
person who may apply for it. Two regions trust each other. All of it is synthetic; a region for life is set up by its own people.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.demo import federation
from deploy.local.demo.catalogue import BUSINESS, ITEMS
from deploy.local.demo.gateway import Gateway, Machine
from deploy.local.demo.office import (
    Office,
    import_calendars,
    make_seal,
    open_office,
    publish_licence_type,
    publish_service_item,
)
from deploy.local.demo.people import Registry
from deploy.local.regions import KNOWN, known
from deploy.local.settings import ENVIRONMENT, SANDBOX
from deploy.local.state import RegionSnapshot

SANDBOX_FILE, CHANNEL_FILE = "sandbox.json", "channel.json"
_ITEM = ITEMS[0]


class NotBare(Exception):
    """The region was set up already, or furnished half; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a furnished region holds, by name.

    Attributes:
        department: ``departments/…``; ``department_name`` and ``uscc`` are what it is called and its code.
        staff: ``staff/…`` by duty.
        item: the service item; ``licence_type`` is what it yields, under ``seal``.
        applicant: ``persons/…``; ``applicant_name`` and ``applicant_number`` are their synthetic name and identity number.
        trusted: the regions that it trusts.
    """

    department: str
    department_name: str
    uscc: str
    staff: dict[str, str]
    item: str
    licence_type: str
    seal: str
    applicant: str
    applicant_name: str
    applicant_number: str
    trusted: tuple[str, ...] = ()


class NoSandbox(Exception):
    """It is no sandbox, or nobody knows that it is one; nothing was changed."""


def require_sandboxes(regions: list[RegionSnapshot], state: Path) -> None:
    """Raises NoSandbox where there is no region, or one that lies in the state folder was not made to try things in.

    What was not started the last time lies there too, and would be deleted with the others.
    """
    if not regions:
        raise NoSandbox("no region was started from here: `./run up --sandbox` makes one to try things in")
    lying = {each.id: state / each.id for each in KNOWN if (state / each.id).exists()}
    for identifier, folder in ({each.id: Path(each.folder) for each in regions} | lying).items():
        said = folder / ENVIRONMENT
        if not said.exists() or said.read_text(encoding="ascii") != SANDBOX:
            raise NoSandbox(f"region {identifier} is for real affairs: only a sandbox is emptied")


async def furnish(regions: list[RegionSnapshot]) -> list[Path]:
    """Furnishes the regions that are not furnished yet and lets all trust each other; returns where each one's names stand.

    Raises:
        NotBare: one of them is none to furnish; then none is.
    """
    gateways = [Gateway(region.id, region.name, region.gateway, known(region.id).code) for region in regions]
    folders = [Path(region.folder) for region in regions]
    try:
        for gateway, folder in zip(gateways, folders, strict=True):
            await _require_bare(gateway, folder)
        offices = [await _furnished(gateway, folder) for gateway, folder in zip(gateways, folders, strict=True)]
        if len(regions) > 1:
            await _pair(regions, offices)
    finally:
        for gateway in gateways:
            await gateway.close()
    return [Path(region.folder) / SANDBOX_FILE for region in regions]


async def _furnished(gateway: Gateway, folder: Path) -> Office:
    if _is_furnished(folder):
        return _known(gateway, folder, _read(folder))
    office = await open_office(gateway, folder / "credentials.json")
    await import_calendars(office)
    await make_seal(office)
    await publish_licence_type(office, BUSINESS)
    await publish_service_item(office, _ITEM)
    applicant = await Registry(office, seed=1).person()
    _write(folder / CHANNEL_FILE, _credentials(office, folder))
    made = Sandbox(
        office.department,
        office.department_name,
        office.uscc,
        office.staff,
        office.items[_ITEM.number],
        office.licence_types[BUSINESS.serial],
        office.seal,
        applicant.name,
        applicant.full_name,
        applicant.number,
    )
    _write(folder / SANDBOX_FILE, asdict(made))
    return office


async def _require_bare(gateway: Gateway, folder: Path) -> None:
    """Synthetic administrators come into no region that somebody has set up, nor twice into one."""
    if _is_furnished(folder):
        return
    token = await gateway.machine_token(Machine.from_file(folder / "credentials.json"))
    if (await gateway.get("/v1/departments", token, pageSize="1"))["departments"]:
        raise NotBare(f"region {gateway.id} has departments already: a sandbox begins in a bare region (./run purge)")


def _is_furnished(folder: Path) -> bool:
    return (folder / SANDBOX_FILE).exists()


def _known(gateway: Gateway, folder: Path, made: Sandbox) -> Office:
    admin, channel = (Machine.from_file(folder / name) for name in ("credentials.json", CHANNEL_FILE))
    return Office(gateway, admin, channel, made.department, made.department_name, made.uscc, made.staff)


async def _pair(regions: list[RegionSnapshot], offices: list[Office]) -> None:
    first, second = offices
    if first.gateway.id in _read(Path(regions[1].folder)).trusted:
        return
    await federation.trust_each_other(first, second, Path(regions[0].folder).parent)
    for region, other in zip(regions, reversed(offices), strict=True):
        folder = Path(region.folder)
        _write(folder / SANDBOX_FILE, asdict(_read(folder)) | {"trusted": [other.gateway.id]})


def _read(folder: Path) -> Sandbox:
    content = json.loads((folder / SANDBOX_FILE).read_text(encoding="utf-8"))
    return Sandbox(**content | {"trusted": tuple(content["trusted"])})


def _credentials(office: Office, folder: Path) -> dict[str, object]:
    """The channel's, in the form of the administrator's."""
    issuer = json.loads((folder / "credentials.json").read_text(encoding="utf-8"))["issuer"]
    key = office.channel.key.as_dict(private=True)
    return {"client_id": office.channel.client_id, "issuer": issuer, "private_key_jwk": key}


def _write(path: Path, content: dict[str, object]) -> None:
    """Writes a file whole or not at all, for its owner's eyes."""
    draft = path.with_suffix(".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
    draft.replace(path)
