"""Passwords: argon2id (RFC 9106), and the list of those that were lost elsewhere."""

import asyncio
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from libs.errors import reasons

_AT_ONCE = os.cpu_count() or 1
"""So many are hashed at a time: each takes a core and 19 MiB; the others wait in line."""
_WAITING = 64
"""Who comes when so many wait is told to come again: the line must not outgrow what callers wait for."""
TIME_COST, MEMORY_KIB, LANES = 2, 19_456, 1
"""OWASP's recommendation for argon2id."""
_DIGEST = 40


class Passwords:
    """Hashes and checks passwords beside the loop; the hash of nobody's password is checked where there is none.

    Either raises ResourceExhausted RATE_LIMITED where too many wait already.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(TIME_COST, MEMORY_KIB, LANES)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2id")
        self._waiting = 0
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    async def hashed(self, password: str) -> str:
        """Returns what is stored of a password."""
        return str(await self._beside(self._hasher.hash, password))

    async def holds(self, password: str, stored: str | None) -> bool:
        """Says whether ``password`` is the one that ``stored`` was made of, in the same time where nothing is stored."""
        same = await self._beside(self._verify, stored or self._nobody, password)
        return bool(same) and stored is not None

    def outdated(self, stored: str) -> bool:
        """Says whether what is stored was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _beside(self, work: object, *values: str) -> object:
        if self._waiting >= _WAITING:
            raise reasons.rate_limited("too many passwords wait to be checked", retry_after=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *values)  # type: ignore[arg-type]
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class BreachedPasswords:
    """Passwords that were lost elsewhere, searched in their file where it lies.

    Its lines are SHA-1 digests in upper-case hex, sorted, behind each perhaps `:` and a count: the form in which Have I Been
    Pwned offers its list.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    async def hold(self, password: str) -> bool:
        """Says whether a password stands in the list; without a list none does."""
        if self._path is None:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        return await asyncio.to_thread(_stands_in, self._path, digest)


def _stands_in(path: Path, digest: str) -> bool:
    wanted = digest.encode()
    with path.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:  # the first line that begins at or behind `low` is searched for
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.readline()  # the rest of a line that began before
            line = file.readline()[:_DIGEST].upper()
            if line and line < wanted:
                low = middle + 1
            else:
                high = middle
        file.seek(low)
        if low:
            file.readline()
        return file.readline()[:_DIGEST].upper() == wanted
