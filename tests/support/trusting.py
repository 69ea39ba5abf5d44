"""Whom a region trusts, for tests of one service whose neighbours are away: told as identity would, or put on its own list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from libs.errors import PermissionDenied
from libs.process import Process
from libs.rpc import status
from services.identity.core.regions import regions
from tests.support import sql
from tests.support.calls import OTHER_REGION
from tongban.identity.v1.region_service_pb2 import ResolveRegionRequest
from tongban.identity.v1.resources_pb2 import Region

_OPEN = {"state": "OPEN", "max_assurance": 4, "min_assurance": 0, "actor_kinds": []}


class _Trust(grpc.GenericRpcHandler):
    """An identity service that knows whom the region trusts, and of which nothing else can be had."""

    def service(self, handler_call_details: Any) -> Any:
        resolves = handler_call_details.method.endswith("/ResolveRegion")
        return grpc.unary_unary_rpc_method_handler(self._resolve if resolves else self._away)

    async def _resolve(self, data: bytes, context: Any) -> bytes:
        name = ResolveRegionRequest.FromString(data).name
        if name != f"regions/{OTHER_REGION}":
            error = PermissionDenied("REGION_NOT_TRUSTED", "suspended", region=name.removeprefix("regions/"))
            details = ((status.DETAILS_KEY, status.to_status(error).SerializeToString()),)
            await context.abort(status.grpc_code(error), error.message, details)
        return Region(name=name).SerializeToString()

    async def _away(self, data: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        raise AssertionError


@asynccontextmanager
async def identity_that_trusts() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to an identity service that can be asked for this alone."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Trust(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def trust(process: Process) -> None:
    """Puts the other region on identity's own list, as trusted; what is pinned for it is not asked for here."""
    now = process.clock.now()
    row = {
        "id": OTHER_REGION,
        "display_name": "某地",
        "gateway_url": "https://other.test",
        "issuer": "https://other.test",
        "jwks": [],
        "root_certificate": b"",
        "tls_authorities": b"",
        "state": "ACTIVE",
        **{f"{way}_{name}": value for way in ("inbound", "outbound") for name, value in _OPEN.items()},
        "state_reason": "",
        "codes": [],
        "activate_time": now,
        "state_time": now,
        "create_time": now,
        "update_time": now,
    }
    async with process.database.transaction() as connection:
        await sql.execute(connection, regions.insert(), row)
