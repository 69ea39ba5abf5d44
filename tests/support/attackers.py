"""Callers who mean harm, one of each sort, beside honest ones; all through the region's gateway."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx

from libs.rpc import status
from tests.support import requests
from tests.support.values import text
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import account_service_pb2
from tongban.license.v1 import license_service_pb2, material_service_pb2

_SECONDS = 30.0
_TIMES = 40
_ISSUE = "/tongban.license.v1.LicenseService/IssueLicense"
_UPLOAD = "/tongban.license.v1.MaterialService/UploadMaterial"
_GET = "/tongban.identity.v1.AccountService/GetOrganization"
_LOOKUP = "/tongban.license.v1.LicenseService/GetLicense"


class Caller:
    """Somebody with a token and connections of their own."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.headers = {"authorization": f"Bearer {token}"}
        self.http = httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False)
        # A pool of its own: grpc shares connections between channels with the same arguments.
        self.channel = grpc.aio.insecure_channel(
            urlsplit(url).netloc,
            options=[
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.primary_user_agent", uuid.uuid4().hex),
                ("grpc.max_metadata_size", 1024 * 1024),
            ],
        )

    async def close(self) -> None:
        """Closes both connections."""
        await self.http.aclose()
        await self.channel.close()

    async def call(self, path: str, body: bytes, **headers: str) -> str:
        """Calls an RPC; returns OK or the reason of the refusal."""
        metadata = [*self.headers.items(), *headers.items()]
        call: Any = self.channel.unary_unary(path)
        try:
            await call(body, metadata=metadata, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name} {status.from_rpc_error(error, 'the gateway').reason}"
        return "OK"


def _organization() -> bytes:
    return account_service_pb2.GetOrganizationRequest(name=f"organizations/{uuid.uuid4()}").SerializeToString()


def _license() -> bytes:
    request = requests.minimal(license_service_pb2.GetLicenseRequest.DESCRIPTOR)
    return request.SerializeToString()


async def honest(caller: Caller, until: asyncio.Event, failures: list[str], away: str = "") -> int:
    """Asks as everybody does until the attack is over; what is not answered as always is a failure.

    ``away`` is a service that is not there: what it alone can answer is not asked for.
    """
    asked = 0
    while not until.is_set() or asked < 5:
        for path, body in ((_GET, _organization()), (_LOOKUP, _license())):
            if away and f".{away}." in path:
                continue
            answer = await caller.call(path, body)
            if answer.split()[1:] != ["RESOURCE_NOT_FOUND"]:
                failures.append(f"{path} {answer}")
        page = await caller.http.get("/v1/serviceItems" if away else "/v1/jwks")
        if page.status_code != 200:
            failures.append(f"{page.url.path} {page.status_code}")
        asked += 1
    return asked


# ---- attackers ----


async def _violations(caller: Caller) -> None:
    request = license_service_pb2.IssueLicenseRequest(
        holders=[party_pb2.Party() for _ in range(20)], face_fields={f"{'k' * 40}{n}": text("") for n in range(80)}
    )
    for _ in range(_TIMES):
        await caller.call(_ISSUE, request.SerializeToString())


async def _long_names(caller: Caller) -> None:
    request = license_service_pb2.IssueLicenseRequest(
        face_fields={"长" * 1300 + str(n): text("\0") for n in range(200)}
    )
    for _ in range(_TIMES):
        await caller.call(_ISSUE, request.SerializeToString())


async def _large_headers(caller: Caller) -> None:
    for size in (7_000, 14_000, 30_000, 50_000, 70_000, 200_000):
        for _ in range(_TIMES // 10):
            await caller.call(_GET, _organization(), **{"x-large": "x" * size})
            with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
                await caller.http.get(f"/v1/organizations/{'x' * size}", headers=caller.headers)


async def _hangs_up(caller: Caller) -> None:
    call: Any = caller.channel.unary_unary(_GET)
    for _ in range(20):
        calls = [call(_organization(), metadata=list(caller.headers.items())) for _ in range(50)]
        await asyncio.sleep(0)
        for each in calls:
            each.cancel()


async def _many_at_once(caller: Caller) -> None:
    await asyncio.gather(*(caller.call(_GET, _organization()) for _ in range(1_000)))


async def _stalled_uploads(caller: Caller) -> None:
    call: Any = caller.channel.stream_unary(_UPLOAD)
    chunk = material_service_pb2.UploadMaterialRequest(chunk=b"x" * 60_000).SerializeToString()
    uploads = [call(metadata=list(caller.headers.items())) for _ in range(100)]
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await asyncio.gather(*(upload.write(chunk) for upload in uploads), return_exceptions=True)
    await asyncio.sleep(3)  # it does nothing, which is the attack
    for upload in uploads:
        upload.cancel()


async def _slow_bodies(caller: Caller) -> None:
    address = urlsplit(caller.url)
    head = (
        f"POST /v1/licenses:verify HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
        "content-length: 5000\r\n\r\n{"
    ).encode()
    form = head.replace(b"/v1/licenses:verify", b"/oauth/token").replace(
        b"application/json", b"application/x-www-form-urlencoded"
    )
    writers = []
    for request in (head, form) * 100:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(request)
        writers.append(writer)
    await asyncio.sleep(3)  # it does nothing, which is the attack
    for writer in writers:
        writer.close()


async def _slow_readers(caller: Caller) -> None:
    address = urlsplit(caller.url)
    request = f"GET /openapi.json HTTP/1.1\r\nhost: {address.netloc}\r\n\r\n".encode()
    writers = []
    for _ in range(60):
        _, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
        writer.write(request * 5)
        writers.append(writer)
    await asyncio.sleep(3)  # it does nothing, which is the attack
    for writer in writers:
        writer.close()


async def _unknown_addresses(caller: Caller) -> None:
    for _ in range(20):
        await asyncio.gather(*(caller.http.get(f"/{uuid.uuid4()}") for _ in range(100)))


async def _deep_bodies(caller: Caller) -> None:
    bodies = (b"[" * 500_000, b'{"a":' * 100_000, b"[" + b"0," * 500_000 + b"0]", b'"' + b"\\" * 999_998 + b'"')
    for body in bodies * 8:
        answer = await caller.http.post(
            "/v1/licenses:verify", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400


async def _bad_tokens(caller: Caller) -> None:
    for place in range(_TIMES):
        caller.headers = {"authorization": f"Bearer {'[' * (place * 40)}.{'x' * 100}.x"}
        await caller.call(_GET, _organization())
        await caller.http.get(f"/v1/organizations/{uuid.uuid4()}", headers=caller.headers)


ATTACKERS: dict[str, Callable[[Caller], Awaitable[None]]] = {
    "violations": _violations,
    "long names": _long_names,
    "large headers": _large_headers,
    "hangs up": _hangs_up,
    "many at once": _many_at_once,
    "stalled uploads": _stalled_uploads,
    "slow bodies": _slow_bodies,
    "slow readers": _slow_readers,
    "unknown addresses": _unknown_addresses,
    "deep bodies": _deep_bodies,
    "bad tokens": _bad_tokens,
}


async def beside(url: str, attack: Callable[[Caller], Awaitable[None]], attacking: str, tokens: list[str]) -> list[str]:
    """Runs one attack beside as many honest callers as there are tokens; returns what went wrong for them."""
    attacker, callers = Caller(url, attacking), [Caller(url, token) for token in tokens]
    over, failures = asyncio.Event(), list[str]()
    asking = [asyncio.ensure_future(honest(caller, over, failures)) for caller in callers]
    try:
        await attack(attacker)
    finally:
        over.set()
        await asyncio.gather(*asking)
        for caller in (attacker, *callers):
            await caller.close()
    return failures
