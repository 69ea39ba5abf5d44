"""SM3 (GB/T 32905-2016) and HMAC-SM3, from the OpenSSL that this Python is linked with.

Importing this module fails at once, with a line that says why, where that OpenSSL was built without SM3.
"""

import hashlib
import hmac
from typing import Protocol

DIGEST_SIZE = 32
"""Bytes of an SM3 digest."""

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
    return hashlib.new("sm3", data).digest()


def hasher() -> Hasher:
    """Returns a new computation, for data that comes in pieces."""
    return hashlib.new("sm3")


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """Returns HMAC-SM3 (32 bytes; GB/T 15852.2) of ``data`` under ``key``."""
    return hmac.digest(key, data, "sm3")


def _probe() -> None:
    try:
        works = sm3(b"abc").hex() == _ABC
    except ValueError as error:
        raise ImportError(
            f"this Python's OpenSSL has no SM3 ({error}); Tongban needs a Python linked with OpenSSL 1.1.1 or later "
            "that was built without no-sm3 and is not in FIPS mode"
        ) from error
    if not works:
        raise ImportError("this Python's OpenSSL computes SM3 wrongly")


_probe()
