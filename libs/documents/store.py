"""Content-addressed documents over obstore: a folder, S3 or whatever else it speaks.

A document is named by the SM3 digest of its bytes, so putting it twice stores it once, and what is read is checked
against the name it is read by. The store knows nothing of media types or owners: those stand in the services' rows.

At rest a document is encrypted like a field (``libs.crypto.envelope``), bound to its digest, under a path that is a keyed
digest: whoever holds the disk reads nothing, and can't ask it either whether it has a file that they have.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import LocalStore, ObjectStore, from_url

from libs.crypto.envelope import Column, FieldCipher
from libs.crypto.errors import DecryptionFailed
from libs.crypto.sm3 import hasher, sm3
from libs.errors import Internal, Unavailable, invalid_field, not_found, reasons

MAX_SIZE = 64 * 1024 * 1024
"""Bytes of the largest document that a store takes unless told otherwise."""

_PREFIX = "sm3:"
_HEX_DIGITS = frozenset("0123456789abcdef")
_IN_THREAD_FROM = 256 * 1024
_CONTENT, _PATH = Column("documents", "content"), Column("documents", "path")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """A stored document, as ``tongban.common.v1.DocumentRef``.

    Attributes:
        digest: ``sm3:`` and 64 lower-case hexadecimal digits.
        media_type: such as ``application/ofd``.
        size: in bytes.
    """

    digest: str
    media_type: str
    size: int


def digest_of(content: bytes) -> str:
    """Returns the name of a document: ``sm3:`` and the digest of its bytes."""
    return _PREFIX + sm3(content).hex()


def check_digest(digest: str, field: str) -> str:
    """Returns ``digest`` if it has the form of a document's name.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``document.digest``.
    """
    if not (len(digest) == 68 and digest.startswith(_PREFIX) and _HEX_DIGITS.issuperset(digest[4:])):
        raise invalid_field(field, "document.digest", "must be sm3: and 64 lower-case hexadecimal digits")
    return digest


def opened(location: str) -> ObjectStore:
    """Opens a folder (made if it is missing) or a URL of obstore's, such as ``s3://bucket/prefix``.

    Credentials for a URL come from the environment, as obstore documents them.
    """
    if "://" in location:
        return from_url(location)
    folder = Path(location)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder)


class DocumentStore:
    """Puts and gets whole documents. Safe for tasks and for several processes on one store."""

    def __init__(self, store: ObjectStore, cipher: FieldCipher, max_size: int = MAX_SIZE) -> None:
        """Takes an opened object store and what encrypts; refuses documents of more than ``max_size`` bytes."""
        self._store = store
        self._cipher = cipher
        self._max_size = max_size

    @classmethod
    def open(cls, location: str, cipher: FieldCipher, max_size: int = MAX_SIZE) -> "DocumentStore":
        """Opens what ``opened`` opens."""
        return cls(opened(location), cipher, max_size)

    async def put(self, content: bytes, media_type: str) -> DocumentRef:
        """Stores ``content`` whole or not at all, and returns its reference. Idempotent.

        Raises:
            ResourceExhausted: MESSAGE_TOO_LARGE.
            Unavailable: DEPENDENCY_UNAVAILABLE if the object store does not take it.
        """
        self._check_size(len(content))
        digest = await _off_the_loop(len(content), lambda: digest_of(content))
        await self._write(digest, content)
        return DocumentRef(digest, media_type, len(content))

    async def put_stream(self, chunks: AsyncIterator[bytes], media_type: str) -> DocumentRef:
        """Stores a document that arrives in pieces; stops reading as soon as it is too large.

        Raises:
            ResourceExhausted: MESSAGE_TOO_LARGE.
            Unavailable: DEPENDENCY_UNAVAILABLE if the object store does not take it.
        """
        content, digester = bytearray(), hasher()
        async for chunk in chunks:
            self._check_size(len(content) + len(chunk))
            content += chunk
            digester.update(chunk)
        digest = _PREFIX + digester.hexdigest()
        await self._write(digest, bytes(content))
        return DocumentRef(digest, media_type, len(content))

    async def get(self, digest: str) -> bytes:
        """Returns the document, checked against its digest.

        Raises:
            InvalidArgument: FIELD_INVALID if ``digest`` is none.
            NotFound: RESOURCE_NOT_FOUND.
            Internal: INTERNAL if the stored bytes are not those that were put.
            Unavailable: DEPENDENCY_UNAVAILABLE if the object store does not answer.
        """
        path = self._path(digest)
        try:
            answer = await obstore.get_async(self._store, path)
            stored = bytes(await answer.bytes_async())
        except FileNotFoundError:
            raise not_found(f"documents/{digest}") from None
        except (BaseError, OSError) as error:
            raise _unavailable() from error
        return await _off_the_loop(len(stored), lambda: self._opened(digest, stored))

    def _opened(self, digest: str, stored: bytes) -> bytes:
        try:
            content = self._cipher.decrypt(_CONTENT, digest, stored)
        except DecryptionFailed as error:
            raise _damaged(digest) from error
        if digest_of(content) != digest:
            raise _damaged(digest)
        return content

    async def exists(self, digest: str) -> bool:
        """Says whether the document is stored; does not read its bytes.

        Raises:
            InvalidArgument: FIELD_INVALID if ``digest`` is none.
            Unavailable: DEPENDENCY_UNAVAILABLE if the object store does not answer.
        """
        try:
            await obstore.head_async(self._store, self._path(digest))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise _unavailable() from error
        return True

    async def delete(self, digest: str) -> None:
        """Erases the document for everybody who refers to it; the caller knows that nobody does. Idempotent.

        Raises:
            InvalidArgument: FIELD_INVALID if ``digest`` is none.
            Unavailable: DEPENDENCY_UNAVAILABLE if the object store does not answer.
        """
        try:
            await obstore.delete_async(self._store, self._path(digest))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _unavailable() from error

    def _check_size(self, size: int) -> None:
        if size > self._max_size:
            raise reasons.message_too_large("the document is too large", limit_bytes=str(self._max_size))

    async def _write(self, digest: str, content: bytes) -> None:
        path = self._path(digest)
        stored = await _off_the_loop(len(content), lambda: self._cipher.encrypt(_CONTENT, digest, content))
        try:
            await obstore.put_async(self._store, path, stored, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return
        except (NotSupportedError, NotImplementedError):
            # Some S3 look-alikes have no conditional put; the same document again does no harm.
            await self._overwrite(path, stored)
        except (BaseError, OSError) as error:
            raise _unavailable() from error

    async def _overwrite(self, path: str, stored: bytes) -> None:
        try:
            await obstore.put_async(self._store, path, stored, use_multipart=False)
        except (BaseError, OSError) as error:
            raise _unavailable() from error

    def _path(self, digest: str) -> str:
        # Two levels of folders keep each of them small on a file system.
        name = self._cipher.blind_index(_PATH, check_digest(digest, "digest")).hex()
        return f"{name[:2]}/{name[2:4]}/{name}"


async def _off_the_loop(size: int, work: Callable[[], _T]) -> _T:
    """Does at once what takes a moment, and in a thread what would hold up others."""
    return work() if size < _IN_THREAD_FROM else await asyncio.to_thread(work)


def _damaged(digest: str) -> Internal:
    return reasons.internal(f"the stored bytes of {digest} are damaged")


def _unavailable() -> Unavailable:
    return reasons.dependency_unavailable("the document store does not answer", retry_after=1.0, dependency="documents")
