"""Identity providers of others: what a region is told of one, and who stands behind it."""

from typing import Any

from services.identity.config import Upstreams
from tests.support.signing_in import sign_in_stub
from tests.support.town import Town, request_id
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

LOCAL = Upstreams(allow_http=True, private_ranges=("127.0.0.0/8",), seconds=15)  # type: ignore[arg-type]
"""Providers in this process are reached."""
CLAIM = "id_number"


def described(issuer: str, **changes: Any) -> pb.Upstream:
    """An identity provider as an administrator describes it."""
    words = [resources_pb2.AssuranceName(value=f"LoA{level}", assurance=level) for level in (1, 2, 3)]
    told = {
        "display_name": "安徽省统一身份认证平台",
        "display_name_en": "Anhui Identity",
        "issuer": issuer,
        "client_id": "tongban-liuan",
        "scopes": ["profile"],
        "number_claim": CLAIM,
        "assurance_names": words,
        "max_assurance": 2,
    }
    return pb.Upstream(**{**told, **changes})


async def propose(town: Town, upstream: pb.Upstream, token: str, key: str = "") -> pb.Upstream:
    """Enters it."""
    request = pb.ProposeUpstreamRequest(upstream=upstream, request_id=key or request_id())
    return await town.call(sign_in_stub(town).ProposeUpstream, request, pb.Upstream, token)


async def approve(town: Town, upstream: pb.Upstream, token: str) -> pb.Upstream:
    """Stands behind it."""
    request = pb.ApproveUpstreamRequest(name=upstream.name, etag=upstream.etag, request_id=request_id())
    return await town.call(sign_in_stub(town).ApproveUpstream, request, pb.Upstream, token)


async def end(town: Town, name: str, token: str, etag: str = "") -> pb.Upstream:
    """Ends it."""
    request = pb.EndUpstreamRequest(name=name, reason="合同到期", etag=etag, request_id=request_id())
    return await town.call(sign_in_stub(town).EndUpstream, request, pb.Upstream, token)


async def get(town: Town, name: str, token: str) -> pb.Upstream:
    """Reads it."""
    request = pb.GetUpstreamRequest(name=name)
    return await town.call(sign_in_stub(town).GetUpstream, request, pb.Upstream, token)


async def agreed(town: Town, upstream: pb.Upstream) -> pb.Upstream:
    """Enters it, and two people stand behind it."""
    first, second = await town.administrators()
    return await approve(town, await propose(town, upstream, first), second)
