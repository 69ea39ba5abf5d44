"""Whom a region trusts, for tests of one service whose neighbours are away: told as identity would, or put on its own list."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import grpc

from libs.errors import PermissionDenied
from libs.process import Process
from libs.rpc import status
from services.identity.core.regions import regions
from tests.support import sql
from tests.support.calls import OTHER_REGION, READING_REGION
from tongban.identity.v1.region_service_pb2 import ResolveRegionRequest
from tongban.identity.v1.resources_pb2 import TRUST_GRADE_FULL, TRUST_GRADE_READING, Region, RegionTrust, TrustGrade

_OPEN = {"state": "OPEN", "max_assurance": 4, "min_assurance": 0, "actor_kinds": []}

_GRADES = {OTHER_REGION: TRUST_GRADE_FULL, READING_REGION: TRUST_GRADE_READING}


class _Trust(grpc.GenericRpcHandler):
    """An identity service that knows whom the region trusts, and of which nothing else can be had."""

    def service(self, handler_call_details: Any) -> Any:
        resolves = handler_call_details.method.endswith("/ResolveRegion")
        return grpc.unary_unary_rpc_method_handler(self._resolve if resolves else self._away)

    async def _resolve(self, data: bytes, context: Any) -> bytes:
        name = ResolveRegionRequest.FromString(data).name
        grade = _GRADES.get(name.removeprefix("regions/"))
        if grade is None:
            error = PermissionDenied("REGION_NOT_TRUSTED", "suspended", region=name.removeprefix("regions/"))
            details = ((status.DETAILS_KEY, status.to_status(error).SerializeToString()),)
            await context.abort(status.grpc_code(error), error.message, details)
            raise AssertionError
        return Region(name=name, inbound=RegionTrust(grade=grade)).SerializeToString()

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
    """Puts other regions on identity's own list, as trusted; what is pinned for them is not asked for here."""
    async with process.database.transaction() as connection:
        for region, grade in _GRADES.items():
            row = _row(region, process.clock.now())
            row["inbound_grade"] = TrustGrade.Name(grade).removeprefix("TRUST_GRADE_")
            await sql.execute(connection, regions.insert(), row)


def _row(region: str, now: datetime) -> dict[str, Any]:
    return {
        "id": region,
        "display_name": "某地",
        "gateway_url": f"https://{region}.test",
        "issuer": f"https://{region}.test",
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
