"""200 MB through a gateway, up and down, by HTTP and by gRPC, cut in the middle and gone on with: no process holds it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from deploy.local.demo.office import Office
from libs.client import AsyncTongban, Bearer
from libs.crypto.sm3 import hasher, sm3
from tests.support.regions import Regions
from tongban.uploads.v1 import upload_service_pb2 as pb
from tongban.uploads.v1 import upload_service_pb2_grpc

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

_MB = 1_000_000
_SIZE = 200 * _MB
_PIECE = 250_000
_CUT = 120 * _MB
_MOST_MORE = 64 * _MB
_BLOCK = b"".join(sm3(b"%d" % number) for number in range(_PIECE // 32 + 1))[8:_PIECE]
_BYTES = "application/offset+octet-stream"


def _pieces(start: int, end: int) -> Iterator[bytes]:
    """Bytes ``start`` to ``end`` of the file, whole pieces of it; no two pieces are alike."""
    return ((number).to_bytes(8) + _BLOCK for number in range(start // _PIECE, end // _PIECE))


def _digest() -> str:
    digester = hasher()
    for piece in _pieces(0, _SIZE):
        digester.update(piece)
    return f"sm3:{digester.hexdigest()}"


@dataclass
class Memory:
    """How much more each process of a region holds than it did at the beginning."""

    regions: Regions
    region: str
    before: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def look(self) -> dict[str, int]:
        """The bytes of each process now."""
        found = {}
        for process in self.regions.cluster.snapshot.processes:
            if process.region == self.region and process.pid is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    found[process.name] = int(psutil.Process(process.pid).memory_info().rss)
        return found

    async def watch(self) -> None:
        """Looks again and again."""
        self.before = self.look()
        while True:
            for name, size in self.look().items():
                self.most[name] = max(self.most.get(name, 0), size - self.before.get(name, size))
            await asyncio.sleep(0.1)


@dataclass
class Sender:
    """A member of staff at a gateway, with an upload service of their own choice behind it."""

    office: Office
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Whose calls these are."""
        return {"authorization": f"Bearer {self.token}"}

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """The same for native gRPC."""
        return [("authorization", f"Bearer {self.token}")]

    async def create(self) -> pb.Upload:
        """Begins the upload."""
        asked = {"upload": {"size_bytes": str(_SIZE), "media_type": "application/zip"}, "request_id": str(uuid.uuid4())}
        made = await self.office.gateway.post("/v1/uploads/license/uploads", asked, self.token)
        return pb.Upload(name=made["name"])

    async def complete(self, name: str) -> None:
        """Ends it; the digest is compared."""
        asked = {"digest": _digest(), "request_id": str(uuid.uuid4())}
        done = await self.office.gateway.post(f"/v1/uploads/{name}:complete", asked, self.token)
        assert done["state"] == "UPLOAD_STATE_COMPLETE"


@contextlib.asynccontextmanager
async def _bounded(regions: Regions, office: Office) -> AsyncIterator[None]:
    memory = Memory(regions, office.gateway.id)
    watching = asyncio.ensure_future(memory.watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    assert len(memory.most) > 10
    assert {name: more for name, more in memory.most.items() if more > _MOST_MORE} == {}


@pytest.fixture
async def sender(regions: Regions) -> Sender:
    """In the region that has two replicas of everything."""
    return Sender(regions.handling, await regions.handling.token_of("receiving"))


async def test_a_large_file_by_http(regions: Regions, sender: Sender) -> None:
    async with (
        _bounded(regions, sender.office),
        httpx.AsyncClient(
            base_url=sender.office.gateway.url, headers=sender.headers, timeout=300, trust_env=False
        ) as client,
    ):
        path = f"/content/{(await sender.create()).name}"

        async def broken() -> AsyncIterator[bytes]:
            for piece in _pieces(0, _CUT):
                yield piece
            raise ConnectionAbortedError

        put = {"content-type": _BYTES, "upload-offset": "0"}
        with pytest.raises(ConnectionAbortedError):
            await client.patch(path, content=broken(), headers=put)
        offset = await _settled(client, path)
        assert 0 < offset <= _CUT
        rest = await client.patch(path, content=_rest(offset), headers=put | {"upload-offset": str(offset)})
        assert (rest.status_code, rest.headers["upload-offset"]) == (204, str(_SIZE))
        await sender.complete(path.removeprefix("/content/"))
        digester, came = hasher(), 0
        async with client.stream("GET", path) as whole:
            async for chunk in whole.aiter_bytes():
                digester.update(chunk)
                came += len(chunk)
                if came > _CUT:
                    break
        async with client.stream("GET", path, headers={"range": f"bytes={came}-"}) as part:
            assert part.status_code == 206
            async for chunk in part.aiter_bytes():
                digester.update(chunk)
        assert f"sm3:{digester.hexdigest()}" == _digest()


async def _settled(client: httpx.AsyncClient, path: str) -> int:
    """Where a cut upload stands once the gateway has seen that it was cut."""
    last = -1
    async with asyncio.timeout(60):
        while True:
            now = int((await client.head(path)).headers["upload-offset"])
            if now == last:
                return now
            last = now
            await asyncio.sleep(2)


async def _rest(offset: int) -> AsyncIterator[bytes]:
    begin = offset // _PIECE * _PIECE
    for place, piece in enumerate(_pieces(begin, _SIZE)):
        yield piece[offset - begin :] if place == 0 else piece


async def test_a_large_file_by_grpc(regions: Regions, sender: Sender) -> None:
    stub: Any = upload_service_pb2_grpc.UploadServiceStub(sender.office.gateway.channel)
    async with _bounded(regions, sender.office):
        name = (await sender.create()).name

        async def sent(offset: int, end: int) -> AsyncIterator[pb.AppendUploadRequest]:
            yield pb.AppendUploadRequest(head=pb.AppendHead(name=name, offset=offset))
            begin = offset // _PIECE * _PIECE
            for place, piece in enumerate(_pieces(begin, end)):
                yield pb.AppendUploadRequest(chunk=piece[offset - begin :] if place == 0 else piece)
            if end < _SIZE:
                cut.set()
                await asyncio.Event().wait()

        cut = asyncio.Event()
        going = asyncio.ensure_future(stub.AppendUpload(sent(0, _CUT), metadata=sender.metadata, timeout=300))
        await cut.wait()
        going.cancel()
        await asyncio.wait([going])
        found = await stub.GetUpload(pb.GetUploadRequest(name=name), metadata=sender.metadata, timeout=20)
        added = None
        while added is None:
            try:
                added = await stub.AppendUpload(
                    sent(found.received_bytes, _SIZE), metadata=sender.metadata, timeout=300
                )
            except grpc.aio.AioRpcError as error:
                # A part of what was cut may still have been on its way.
                if error.code() is not grpc.StatusCode.ABORTED:
                    raise
                found = await stub.GetUpload(pb.GetUploadRequest(name=name), metadata=sender.metadata, timeout=20)
        assert added.received_bytes == _SIZE
        await sender.complete(name)
        digester = hasher()
        for offset, limit in ((0, _CUT), (_CUT, 0)):
            asked = pb.DownloadUploadRequest(name=name, offset=offset, limit_bytes=limit)
            async for part in stub.DownloadUpload(asked, metadata=sender.metadata, timeout=300):
                digester.update(part.chunk)
        assert f"sm3:{digester.hexdigest()}" == _digest()


async def test_our_client_goes_on_where_it_broke_off(sender: Sender, tmp_path: Path) -> None:
    """Another process of the partner's takes over, in both directions: what is there already is not sent or fetched again."""
    size, url = 40 * _MB, sender.office.gateway.url
    (tmp_path / "sent").write_bytes(b"".join(_pieces(0, size)))
    rest: list[int] = []

    def breaks_off(done: int, _total: int) -> None:
        if done > size // 3:
            raise InterruptedError

    with (tmp_path / "sent").open("rb") as file, (tmp_path / "fetched").open("w+b") as into:
        async with AsyncTongban(url, Bearer(sender.token)) as region:
            name = (await region.files.begin("license", file, "application/zip")).name
            with pytest.raises(InterruptedError):
                await region.files.go_on(name, file, breaks_off)
        async with AsyncTongban(url, Bearer(sender.token)) as region:
            whole = await region.files.go_on(name, file, lambda done, _total: rest.append(done))
            with pytest.raises(InterruptedError):
                await region.files.fetch(name, into, breaks_off)
        held = into.seek(0, 2)
        async with AsyncTongban(url, Bearer(sender.token)) as region:
            fetched: list[int] = []
            assert await region.files.fetch(name, into, lambda done, _total: fetched.append(done)) == whole
    assert rest[0] > size // 3
    assert 0 < held == fetched[0]
    assert (tmp_path / "fetched").read_bytes() == (tmp_path / "sent").read_bytes()
