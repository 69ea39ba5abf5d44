"""SM3 (GB/T 32905-2016) and HMAC-SM3, from the OpenSSL that this Python is linked with.

Importing this module fails at once, with a line that says why, where that OpenSSL was built without SM3.
"""

import hashlib
import hmac
from typing import Protocol

DIGEST_SIZE = 32
"""Bytes of an SM3 digest."""

_BLOCK = 64
_ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


class Hasher(Protocol):
    """An SM3 computation that is fed piece by piece."""

    def update(self, data: bytes, /) -> None:
        """Feeds ``data``."""
        ...

    def digest(self) -> bytes:
        """Returns the digest (32 bytes) of all that was fed."""
        ...

    def hexdigest(self) -> str:
        """Returns the digest as 64 lower-case hexadecimal digits."""
        ...


def sm3(data: bytes) -> bytes:
    """Returns the SM3 digest (32 bytes) of ``data``."""
    # A copy of the empty computation costs less than half of a new one, for which OpenSSL is asked by name.
    computation = _EMPTY.copy()
    computation.update(data)
    return computation.digest()


def hasher() -> Hasher:
    """Returns a new computation, for data that comes in pieces."""
    return hashlib.new("sm3")


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """Returns HMAC-SM3 (32 bytes; GB/T 15852.2) of ``data`` under ``key``."""
    return hmac.digest(key, data, "sm3")


class HmacSm3:
    """HMAC-SM3 (GB/T 15852.2) under one key, prepared once: a quarter of what :func:`hmac_sm3` costs each time."""

    def __init__(self, key: bytes) -> None:
        block = (sm3(key) if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner, self._outer = _EMPTY.copy(), _EMPTY.copy()
        self._inner.update(bytes(byte ^ 0x36 for byte in block))
        self._outer.update(bytes(byte ^ 0x5C for byte in block))

    def digest(self, data: bytes) -> bytes:
        """Returns the 32 bytes of ``data``."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


def _probe() -> None:
    try:
        works = hashlib.new("sm3", b"abc").hexdigest() == _ABC
    except ValueError as error:
        raise ImportError(
            f"this Python's OpenSSL has no SM3 ({error}); Tongban needs a Python linked with OpenSSL 1.1.1 or later "
            "that was built without no-sm3 and is not in FIPS mode"
        ) from error
    if not works:
        raise ImportError("this Python's OpenSSL computes SM3 wrongly")


_probe()
_EMPTY = hashlib.new("sm3")
