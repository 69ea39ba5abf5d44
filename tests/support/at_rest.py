"""What lies on a region's disk and comes out of its processes: everything in which planted personal data may be looked for."""

import base64
import itertools
import json
import stat
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
from redis.asyncio import Redis

from deploy.local.regions import SERVICES
from tests.support.regions import owner, redis_url

_PIECE = 8 << 20


def spellings(text: str) -> dict[str, bytes]:
    """The forms in which a text may stand in a file, by name."""
    plain = text.encode()
    found = {
        "utf-8": plain,
        "utf-16be": text.encode("utf-16-be"),
        "utf-16le": text.encode("utf-16-le"),
        "hex": plain.hex().encode(),
        "percent": urllib.parse.quote(text).encode(),
        "json": json.dumps(text)[1:-1].encode(),
        "digest-free base64": base64.b64encode(plain).rstrip(b"=")[:-1],
    }
    if not text.isascii():
        found["gb18030"] = text.encode("gb18030")
    # Base64 of a text inside of another has three alignments; the first and the last characters belong to neighbours.
    found |= {f"base64+{n}": base64.b64encode(b"\0" * n + plain)[2 if n else 0 :].rstrip(b"=")[2:-2] for n in (1, 2)}
    return found


class Needles:
    """What was planted, in all spellings."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._forms = [(text, name, form) for text in texts for name, form in spellings(text).items()]
        self._longest = max(len(form) for _, _, form in self._forms)

    def within(self, content: bytes) -> list[tuple[str, str]]:
        """Which of them stand in ``content``, each with the name of its spelling."""
        return [(text, name) for text, name, form in self._forms if form in content]

    def within_file(self, path: Path) -> list[tuple[str, str]]:
        """Which of them stand in a file, read in pieces that overlap."""
        found: set[tuple[str, str]] = set()
        with path.open("rb") as file:
            rest = b""
            while piece := file.read(_PIECE):
                found.update(self.within(rest + piece))
                rest = piece[-self._longest :]
        return sorted(found)


def files_with(needles: Needles, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """The files below a folder in which something planted stands."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    found = {str(path.relative_to(folder)): needles.within_file(path) for path in files}
    return {path: planted for path, planted in found.items() if planted}


def packed(folder: Path) -> list[str]:
    """The files that are archives or documents in the clear: in them a text is compressed, and still readable."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(folder)) for path in files if _begins(path).startswith((b"PK\x03\x04", b"%PDF"))]


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def open_to_others(folder: Path) -> list[str]:
    """Files that others than their owner may read, and folders (the uppermost aside) that others may look into."""
    below = (path for path in folder.rglob("*") if not path.is_symlink())
    return [str(path.relative_to(folder)) for path in below if stat.S_IMODE(path.stat().st_mode) & 0o077]


async def _cells(state: Path, region: str, service: str) -> "Iterator[tuple[str, bytes]]":
    found: list[tuple[str, bytes]] = []
    async with owner(state, region, service) as connection:
        for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            for record in await connection.fetch(f'SELECT * FROM "{row["tablename"]}"'):
                found += [
                    (f"{row['tablename']}.{column}", value if isinstance(value, bytes) else str(value).encode())
                    for column, value in record.items()
                    if value is not None
                ]
    return iter(found)


async def columns_with(needles: Needles, state: Path, region: str) -> dict[str, list[tuple[str, str]]]:
    """The columns of every service's tables in which something planted stands (compressed values are read too)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for service in SERVICES:
        for column, value in await _cells(state, region, service):
            if planted := needles.within(value):
                found[f"{service}.{column}"] = planted
    return found


async def streams_with(needles: Needles, state: Path, region: str) -> dict[str, list[tuple[str, str]]]:
    """The keys of the region's Redis in which something planted stands."""
    redis: Any = Redis.from_url(redis_url(state, region))
    try:
        found: dict[str, list[tuple[str, str]]] = {}
        for key in await redis.keys("*"):
            if await redis.type(key) == b"stream":
                entries = cast("list[Any]", await redis.xrange(key))
                content = b"\n".join(itertools.chain.from_iterable(fields.values() for _, fields in entries))
            else:
                content = await redis.dump(key) or b""
            if planted := needles.within(key + b"\n" + content):
                found[key.decode()] = planted
        return found
    finally:
        await redis.aclose()


async def told_with(needles: Needles, urls: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """The pages (metrics, Envoy's own) in which something planted stands."""
    found: dict[str, list[tuple[str, str]]] = {}
    async with httpx.AsyncClient(trust_env=False) as http:
        for url in urls:
            if planted := needles.within((await http.get(url)).content):
                found[url] = planted
    return found
