"""The content-addressed document store on a folder and in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import NotSupportedError
from obstore.store import MemoryStore

from libs.crypto.envelope import FieldCipher
from libs.crypto.tongsuo import default_provider
from libs.documents.store import DocumentRef, DocumentStore, check_digest, digest_of
from libs.errors import Internal, InvalidArgument, NotFound, ResourceExhausted, Unavailable

CIPHER = FieldCipher({1: bytes(range(16))}, bytes(32), default_provider())
ABC = "sm3:66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> DocumentStore:
    if request.param == "memory":
        return DocumentStore(MemoryStore(), CIPHER, max_size=1_000_000)
    return DocumentStore.open(str(tmp_path / "documents"), CIPHER, max_size=1_000_000)


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
    store = DocumentStore.open(str(tmp_path), CIPHER)
    await store.put(b"abc", "text/plain")
    (path,) = [entry for entry in tmp_path.rglob("*") if entry.is_file()]  # noqa: ASYNC240 - a test may wait
    path.write_bytes(b"abd")
    with pytest.raises(Internal):
        await store.get(ABC)


async def test_reopened_folder_keeps_documents(tmp_path: Path) -> None:
    await DocumentStore.open(str(tmp_path), CIPHER).put(b"abc", "text/plain")
    assert await DocumentStore.open(str(tmp_path), CIPHER).get(ABC) == b"abc"
    assert await DocumentStore.open(tmp_path.as_uri(), CIPHER).get(ABC) == b"abc"


async def test_store_without_conditional_put(monkeypatch: pytest.MonkeyPatch) -> None:
    store, plain = DocumentStore(MemoryStore(), CIPHER), obstore.put_async

    async def put(*args: object, mode: str | None = None, **options: object) -> object:
        if mode == "create":
            raise NotSupportedError("no conditional put")
        return await plain(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(obstore, "put_async", put)
    await store.put(b"abc", "text/plain")
    assert await store.get(ABC) == b"abc"


async def test_store_that_does_not_answer(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    store = DocumentStore.open(str(folder), CIPHER)
    folder.rmdir()
    folder.write_bytes(b"a file in its place")
    with pytest.raises(Unavailable) as error:
        await store.put(b"abc", "text/plain")
    assert error.value.metadata == {"dependency": "documents"}


async def test_the_folder_tells_nothing_to_who_holds_it(tmp_path: Path) -> None:
    """Neither what a document says, nor that it is there, nor that two regions hold the same one."""
    folder, content = tmp_path / "documents", "PK\x03\x04 虚构路一号".encode()
    other = FieldCipher({1: bytes(16)}, bytes(31) + b"1", default_provider())
    reference = await DocumentStore.open(str(folder), CIPHER).put(content, "application/ofd")
    assert await DocumentStore.open(str(folder), CIPHER).get(reference.digest) == content
    stranger = DocumentStore.open(str(folder), other)
    assert not await stranger.exists(reference.digest)
    (path,) = [entry for entry in folder.rglob("*") if entry.is_file()]
    assert content not in path.read_bytes()
    assert reference.digest[4:] not in str(path)


async def test_a_document_in_the_place_of_another_is_noticed(tmp_path: Path) -> None:
    store = DocumentStore.open(str(tmp_path), CIPHER)
    await store.put(b"abc", "text/plain")
    (path,) = [entry for entry in tmp_path.rglob("*") if entry.is_file()]  # noqa: ASYNC240 - a test may wait
    other = await store.put(b"def", "text/plain")
    (second,) = [entry for entry in tmp_path.rglob("*") if entry.is_file() and entry != path]  # noqa: ASYNC240
    second.write_bytes(path.read_bytes())
    with pytest.raises(Internal):
        await store.get(other.digest)
