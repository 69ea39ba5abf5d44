"""The content-addressed document store on a folder and in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import NotSupportedError
from obstore.store import MemoryStore

from libs.documents.store import DocumentRef, DocumentStore, check_digest, digest_of
from libs.errors import Internal, InvalidArgument, NotFound, ResourceExhausted, Unavailable

ABC = "sm3:66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> DocumentStore:
    if request.param == "memory":
        return DocumentStore(MemoryStore(), max_size=1_000_000)
    return DocumentStore.open(str(tmp_path / "documents"), max_size=1_000_000)


async def test_put_and_get(store: DocumentStore) -> None:
    reference = await store.put(b"abc", "text/plain")
    assert reference == DocumentRef(ABC, "text/plain", 3)
    assert digest_of(b"abc") == ABC
    assert await store.put(b"abc", "text/plain") == reference
    assert await store.get(ABC) == b"abc"
    assert await store.exists(ABC)


@pytest.mark.parametrize("size", [0, 300_000, 1_000_000])
async def test_sizes(store: DocumentStore, size: int) -> None:
    content = b"x" * size
    assert await store.get((await store.put(content, "a/b")).digest) == content


async def test_stream(store: DocumentStore) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"bc"

    assert await store.put_stream(pieces(), "text/plain") == DocumentRef(ABC, "text/plain", 3)
    assert await store.get(ABC) == b"abc"


async def test_too_large(store: DocumentStore) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(300_000)

    with pytest.raises(ResourceExhausted) as error:
        await store.put_stream(endless(), "a/b")
    assert error.value.metadata == {"limit_bytes": "1000000"}
    with pytest.raises(ResourceExhausted):
        await store.put(bytes(1_000_001), "a/b")


async def test_missing_and_deleted(store: DocumentStore) -> None:
    assert not await store.exists(ABC)
    with pytest.raises(NotFound):
        await store.get(ABC)
    await store.put(b"abc", "text/plain")
    await store.delete(ABC)
    await store.delete(ABC)
    assert not await store.exists(ABC)


@pytest.mark.parametrize(
    "digest", ["", "sm3:", ABC.upper(), ABC[:-1], ABC + "0", "sm3:../../etc/passwd", "md5:" + ABC[4:]]
)
async def test_bad_digests(store: DocumentStore, digest: str) -> None:
    for call in (store.get, store.exists, store.delete):
        with pytest.raises(InvalidArgument):
            await call(digest)
    with pytest.raises(InvalidArgument) as error:
        check_digest(digest, "document.digest")
    assert error.value.violations[0].field == "document.digest"


async def test_damage_is_noticed(tmp_path: Path) -> None:
    store = DocumentStore.open(str(tmp_path))
    await store.put(b"abc", "text/plain")
    (path,) = [entry for entry in tmp_path.rglob("*") if entry.is_file()]  # noqa: ASYNC240 - a test may wait
    path.write_bytes(b"abd")
    with pytest.raises(Internal):
        await store.get(ABC)


async def test_reopened_folder_keeps_documents(tmp_path: Path) -> None:
    await DocumentStore.open(str(tmp_path)).put(b"abc", "text/plain")
    assert await DocumentStore.open(str(tmp_path)).get(ABC) == b"abc"
    assert await DocumentStore.open(tmp_path.as_uri()).get(ABC) == b"abc"


async def test_store_without_conditional_put(monkeypatch: pytest.MonkeyPatch) -> None:
    store, plain = DocumentStore(MemoryStore()), obstore.put_async

    async def put(*args: object, mode: str | None = None, **options: object) -> object:
        if mode == "create":
            raise NotSupportedError("no conditional put")
        return await plain(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(obstore, "put_async", put)
    await store.put(b"abc", "text/plain")
    assert await store.get(ABC) == b"abc"


async def test_store_that_does_not_answer(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    store = DocumentStore.open(str(folder))
    folder.rmdir()
    folder.write_bytes(b"a file in its place")
    with pytest.raises(Unavailable) as error:
        await store.put(b"abc", "text/plain")
    assert error.value.metadata == {"dependency": "documents"}
