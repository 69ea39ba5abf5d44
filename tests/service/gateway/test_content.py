"""The bytes of uploads over HTTP, in front of a real service: tus 1.0.0 one way, ranges the other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from starlette.applications import Starlette

from services.gateway.content import ContentPages
from tests.support.fakes_license import neighbours
from tests.support.process import until
from tests.support.service import Ground, Service, serving
from tests.support.uploading import MIB, Uploading, content_of, digest_of
from tongban.uploads.v1 import upload_service_pb2 as pb

STRANGER = "persons/00000000-0000-7000-8000-0000000000a2"
BYTES = {"content-type": "application/offset+octet-stream"}


@pytest_asyncio.fixture
async def service(ground: Ground) -> AsyncIterator[Service]:
    """A license service."""
    async with neighbours() as known, serving(ground, "license", prepare=known.put_into) as found:
        yield found


def _app(service: Service) -> Starlette:
    channels = {"license": service.channel}
    return Starlette(routes=ContentPages(channels.get, 20).routes())


def _client(service: Service, caller: Uploading) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=_app(service))
    headers = dict(caller.metadata)
    return httpx.AsyncClient(transport=transport, base_url="http://gw", headers=headers)


def _patch(offset: int) -> dict[str, str]:
    return BYTES | {"upload-offset": str(offset)}


async def test_a_file_goes_up_and_comes_back(service: Service) -> None:
    mine, content = Uploading(service), content_of(2 * MIB + 77)
    upload = await mine.create(len(content))
    path = f"/content/{upload.name}"
    async with _client(service, mine) as client:
        assert (await client.options(path)).headers["tus-version"] == "1.0.0"
        first = await client.patch(path, content=content[: MIB + 5], headers=_patch(0))
        assert (first.status_code, first.headers["upload-offset"]) == (204, str(MIB + 5))
        again = await client.patch(path, content=content, headers=_patch(0))
        assert (again.status_code, again.headers["upload-offset"]) == (409, str(MIB + 5))
        found = await client.head(path)
        assert (found.headers["upload-offset"], found.headers["upload-length"]) == (str(MIB + 5), str(len(content)))
        assert (found.headers["tus-resumable"], found.headers["cache-control"]) == ("1.0.0", "no-store")
        rest = await client.patch(path, content=content[MIB + 5 :], headers=_patch(MIB + 5))
        assert rest.headers["upload-offset"] == str(len(content))
        await mine.complete(upload.name, digest_of(content))
        whole = await client.get(path)
        assert (whole.status_code, whole.content) == (200, content)
        assert (whole.headers["etag"], whole.headers["content-type"]) == (f'"{digest_of(content)}"', "application/pdf")
        assert (await client.head(path)).headers["content-length"] == str(len(content))


async def test_a_download_that_was_cut_goes_on_by_a_range(service: Service) -> None:
    mine, content = Uploading(service), content_of(MIB + 1000)
    path = f"/content/{(await mine.whole(content)).name}"
    etag = f'"{digest_of(content)}"'
    async with _client(service, mine) as client:
        part = await client.get(path, headers={"range": f"bytes={MIB - 10}-", "if-range": etag})
        assert (part.status_code, part.content) == (206, content[MIB - 10 :])
        assert part.headers["content-range"] == f"bytes {MIB - 10}-{MIB + 999}/{MIB + 1000}"
        other = await client.get(path, headers={"range": "bytes=0-1", "if-range": '"another"'})
        assert (other.status_code, other.content) == (200, content)
        behind = await client.get(path, headers={"range": f"bytes={MIB + 1000}-"})
        assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{MIB + 1000}")
        same = await client.get(path, headers={"if-none-match": etag})
        assert (same.status_code, same.content) == (304, b"")


async def test_what_the_service_refuses_is_told_as_at_the_json_edge(service: Service) -> None:
    mine = Uploading(service)
    upload = await mine.create(10)
    path = f"/content/{upload.name}"
    async with _client(service, mine) as client:
        await _refused(client.patch(path, content=b"x", headers=BYTES), 400, "FIELD_INVALID")
        await _refused(client.patch(path, content=b"x", headers={"upload-offset": "0"}), 415, "MEDIA_TYPE_NOT_TAKEN")
        await _refused(client.patch(path, content=b"x" * 11, headers=_patch(0)), 400, "UPLOAD_CONTENT_MISMATCH")
        await _refused(client.get(path), 400, "STATE_CONFLICT")
        await _refused(client.head(path.replace("license", "seal")), 400, "")
        assert (await client.post(path)).status_code == 405
        assert (await client.delete(path)).status_code == 204
        await _refused(client.get(path), 404, "RESOURCE_NOT_FOUND")
    async with _client(service, Uploading(service, STRANGER)) as client:
        await _refused(client.get(path), 404, "RESOURCE_NOT_FOUND")
        client.headers.pop("authorization")
        await _refused(client.get(path), 401, "TOKEN_MISSING")
        # A stranger does not learn what is wrong with the request.
        await _refused(client.patch(path, content=b"x", headers={"upload-offset": "x"}), 401, "TOKEN_MISSING")


async def test_what_is_no_uploads_name_is_told_as_json(service: Service) -> None:
    async with _client(service, Uploading(service)) as client:
        for path in ("license/uploads/null,null", "license/uploads", "nothing", ""):
            for verb in ("GET", "HEAD", "PATCH", "DELETE"):
                answer = await client.request(verb, f"/content/{path}")
                assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json"), (verb, path)


async def test_what_came_is_kept_where_the_caller_goes(service: Service) -> None:
    """Also what is no whole part yet."""
    mine, content = Uploading(service), content_of(1000)
    upload = await mine.create(5000)
    came = iter([{"type": "http.request", "body": content, "more_body": True}, {"type": "http.disconnect"}])
    scope = {
        "type": "http",
        "method": "PATCH",
        "path": f"/content/{upload.name}",
        "headers": [(key.encode(), value.encode()) for key, value in {**_patch(0), **dict(mine.metadata)}.items()],
        "query_string": b"",
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return next(came)

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(_app(service)(scope, receive, send), 20)

    async def kept() -> bool:
        found: pb.Upload = await mine.get(upload.name)
        return found.received_bytes == 1000

    await until(kept)


async def _refused(answer: Any, code: int, reason: str) -> None:
    found: httpx.Response = await answer
    assert found.status_code == code
    assert not reason or found.json()["details"][0]["reason"] == reason
