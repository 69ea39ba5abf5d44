"""What a running region takes without a restart: what its gateway lets in, and the renewed certificates of its listener for partners."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from deploy.local import own_settings
from deploy.local.own_settings import FILE, OwnSettings
from deploy.local.regions import LocalRegion
from deploy.local.settings import GATEWAY, config_path, configurations
from deploy.local.state import contracts_digest
from deploy.local.written import ENVOY, set_aside, was_written, write
from libs.config import load
from services.gateway import edited, envoy_config
from services.gateway.config import GatewayConfig, Limits

_TAKEN_WITHIN, _LOOK_SECONDS = 20.0, 0.1
_FOLLOWED = {"limits", "cors", "mtls"}
_OF_PAGES = {"upload_seconds"}


class NotReloaded(Exception):
    """The gateway goes on as it was; the message says why."""


async def reload(state: Path, regions: Sequence[LocalRegion], contracts: str) -> list[str]:
    """Reads the operator's settings anew, and has the gateways of running regions follow them.

    Args:
        state: the state folder.
        regions: those that run, as they were started.
        contracts: the digest of the contracts that they were started from.

    Returns:
        what to tell: which of the settings count from the next start on.

    Raises:
        WrongSettings: the settings can't be; nothing was changed.
        NotReloaded: the contracts are others by now, or Envoy did not take it.
    """
    if contracts != contracts_digest():
        raise NotReloaded(
            "the contracts are others than those that this was started from: `./run down`, then `./run up`"
        )
    own = own_settings.read(state)
    changed = [_with_files(local, own) for local in regions]
    told = [note for local in changed for note in _told(local, own)]
    for local in changed:
        told += await _follow(local, own)
    return told


def _with_files(local: LocalRegion, own: OwnSettings) -> LocalRegion:
    """The region with the files of its listener for partners as the settings name them now; whether there is one stays."""
    said = own.of(local.region.id).mtls
    if local.mtls is None or said is None:
        return local
    return replace(local, mtls=replace(said.door(local.region.id), port=local.mtls.port, url=local.mtls.url))


def _told(local: LocalRegion, own: OwnSettings) -> list[str]:
    """What of the settings is not followed, before anything is written."""
    code = local.region.id
    files = configurations(local, own)
    waiting = sorted(
        {path.stem for path, content in files.items() if path.stem != GATEWAY and not was_written(path, content)}
    )
    said, door = own.of(code), local.mtls
    wanted = (said.mtls.port, said.mtls.url.rstrip("/")) if said.mtls else None
    fixed = {
        "host": own.host != local.host,
        f"regions.{code}.public_url": said.public_url != local.public_url,
        f"regions.{code}.mtls": wanted != ((door.port, door.url) if door else None),
    }
    return [
        *(f"{name}: counts from the next start on" for name, differs in fixed.items() if differs),
        *(
            [f"{code}: {', '.join(waiting)}: what {FILE} changes of them counts from the next start on"]
            if waiting
            else []
        ),
    ]


async def _follow(local: LocalRegion, own: OwnSettings) -> list[str]:
    """Writes the gateway's configuration, and waits until Envoy goes by it."""
    path = config_path(local, GATEWAY)
    before = load(path, GatewayConfig)
    notes = write(path, configurations(local, own)[path])
    config = load(path, GatewayConfig)
    notes += set_aside(config.envoy.listeners)
    address = f"http://{config.envoy.admin_host}:{config.envoy.admin_port}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=_TAKEN_WITHIN, trust_env=False) as client:
            _, rejected = await _listeners(client)
            whole = await asyncio.to_thread(envoy_config.follow, config)
            await _taken(client, edited.version_of(config.envoy.listeners), rejected)
    except (httpx.HTTPError, TimeoutError):
        log = local.path("logs", "envoy.log")
        raise NotReloaded(
            f"{local.region.id}: Envoy goes on with what it had: it did not take the new configuration ({log} says why)"
        ) from None
    return [*notes, *_left(local, before, config, whole=whole)]


async def _taken(client: httpx.AsyncClient, wanted: str, rejected: int) -> None:
    """Waits until Envoy's listeners are those of this version; raises TimeoutError where they don't become so, or it refuses them."""
    async with asyncio.timeout(_TAKEN_WITHIN):
        while (now := await _listeners(client))[0] != wanted:
            if now[1] > rejected:
                raise TimeoutError
            await asyncio.sleep(_LOOK_SECONDS)


async def _listeners(client: httpx.AsyncClient) -> tuple[str, int]:
    """The version of the listeners that Envoy goes by, and how many it has refused."""
    pattern = r"^listener_manager\.lds\.(version_text|update_rejected)$"
    answer = await client.get("/stats", params={"filter": pattern})
    said = dict(line.split(": ", 1) for line in answer.raise_for_status().text.splitlines())
    return said["listener_manager.lds.version_text"].strip('"'), int(said["listener_manager.lds.update_rejected"])


def _left(local: LocalRegion, before: GatewayConfig, now: GatewayConfig, *, whole: bool) -> Iterable[str]:
    """What of the gateway's own configuration is not followed."""
    sections = [
        name
        for name in GatewayConfig.model_fields
        if name not in _FOLLOWED and getattr(before, name) != getattr(now, name)
    ]
    limits = [
        f"limits.{name}"
        for name in Limits.model_fields
        if name in _OF_PAGES and getattr(before.limits, name) != getattr(now.limits, name)
    ]
    if left := [*sections, *limits]:
        yield f"{local.region.id}: gateway: {', '.join(left)}: counts in whole from the next start on"
    elif not whole:
        yield f"{local.region.id}: {ENVOY}: what Envoy reads at its start alone is another by now, and counts from then on"
