"""Guesses are counted before they are judged, in the database: no restart forgets whom it held back."""

from dataclasses import dataclass

from libs.crypto.envelope import Column
from services.identity.core.parts import Parts
from services.identity.signin import store

_ATTEMPT = Column("sign_in_attempts", "key")


@dataclass(frozen=True, slots=True)
class Throttle:
    """So many attempts are free; then each has to wait, twice as long as the one before. One is forgotten in ``decay_seconds``."""

    free: int
    first_seconds: int
    decay_seconds: int
    longest_seconds: int = 900


OF_ACCOUNT, OF_ADDRESS, OF_CODE = Throttle(5, 30, 3600), Throttle(100, 5, 36), Throttle(5, 30, 3600)
"""Many people share an address: it is held back at another pace, and what succeeds from it does not count."""
OF_DEVICES = Throttle(20, 30, 360)
"""What devices show is typed from addresses; what is right does not count."""


class Throttling:
    """Counts attempts, by keyed digests: the table tells neither accounts nor addresses."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def key(self, kind: str, of: str) -> bytes:
        """Returns under what attempts are counted."""
        return self._parts.cipher.blind_index(_ATTEMPT, f"{kind}:{of}")

    async def counted(self, key: bytes, throttle: Throttle) -> bool:
        """Counts an attempt under one key; says whether it may be judged now. One that comes too soon is not counted."""
        async with self._parts.database.read() as connection:
            return await store.counted(connection, now=self._parts.wall.now(), **_values("one", key, throttle))

    async def both_counted(self, account: bytes, address: bytes) -> bool:
        """Counts an attempt at a password: for its account, and for its address where the account may be judged; says whether both may."""
        values = _values("account", account, OF_ACCOUNT) | _values("address", address, OF_ADDRESS)
        async with self._parts.database.read() as connection:
            return await store.both_counted(connection, now=self._parts.wall.now(), **values)


def _values(of: str, key: bytes, throttle: Throttle) -> dict[str, object]:
    return {
        f"{of}_key": key,
        f"{of}_decay": throttle.decay_seconds,
        f"{of}_free": throttle.free,
        f"{of}_first": throttle.first_seconds,
        f"{of}_longest": throttle.longest_seconds,
    }
