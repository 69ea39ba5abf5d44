"""Puts two regions on each other's trust list: what in life is exchanged on paper is read from both state folders."""

import json
from pathlib import Path

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.pki.region_root import ROOT_FILE
from tongban.identity.v1 import region_service_pb2, resources_pb2

ALL = resources_pb2.RegionTrust(max_assurance=4)
"""Everybody passes, as their own region knows them."""


async def trust_each_other(first: Office, second: Office, state: Path) -> None:
    """Puts each region on the other's list: one administrator proposes, another agrees."""
    await trust(first, second, state)
    await trust(second, first, state)


async def trust(here: Office, other: Office, state: Path) -> None:
    """Puts the other region on this one's list."""
    gateway, token = here.gateway, await here.token_of("administration")
    anchor = await _anchor(other, state)
    propose = region_service_pb2.ProposeRegionRequest(
        region_id=other.gateway.id,
        request_id=request_id(),
        region=resources_pb2.Region(display_name=other.gateway.name, anchor=anchor, inbound=ALL, outbound=ALL),
    )
    made = await gateway.using(token).call(propose, resources_pb2.Region)
    activate = region_service_pb2.ActivateRegionRequest(name=made.name, etag=made.etag, request_id=request_id())
    await gateway.using(await here.token_of("administration2")).call(activate, resources_pb2.Region)


async def _anchor(office: Office, state: Path) -> resources_pb2.RegionAnchor:
    region = state / office.gateway.id
    issuer = json.loads((region / "credentials.json").read_text(encoding="utf-8"))["issuer"]
    return resources_pb2.RegionAnchor(
        gateway_url=office.gateway.url,
        issuer=issuer,
        jwks=await office.gateway.region.identity.get_jwks(),
        root_certificate=(region / "root" / ROOT_FILE).read_bytes(),
        code_keys=await office.gateway.region.identity.get_code_keys(),
    )
