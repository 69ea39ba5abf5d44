"""How events travel: through the outbox and Redis Streams, their data encrypted under the region's event key.

An internal event may hold personal data (``case_license.ordered`` carries the holder), and both are kept on disk: the outbox in pages and
write-ahead logs long after its rows are gone. So data is encrypted where it is emitted and opened where it is handled.
Only the services of the region have the key; attributes stay readable, they are names and types.
"""

from dataclasses import replace

from redis.asyncio import Redis

from libs.crypto.envelope import Column, FieldCipher
from libs.crypto.provider import SmProvider
from libs.events.cloud_event import Event

_DATA = Column("events", "data")


class Wire:
    """The connection to Redis, and the key.

    Attributes:
        redis: the connection.
    """

    def __init__(self, redis: Redis, cipher: FieldCipher) -> None:
        self.redis = redis
        self._cipher = cipher

    def over(self, redis: Redis) -> "Wire":
        """Returns the same key over another connection."""
        return Wire(redis, self._cipher)

    def close_up(self, event_id: str, data: bytes) -> bytes:
        """Returns the data of the event with this id as it travels."""
        return self._cipher.encrypt(_DATA, event_id, data)

    def open(self, event: Event) -> Event:
        """Returns the event as it was emitted; raises DecryptionFailed for one that was not closed up by us."""
        return replace(event, data=self._cipher.decrypt(_DATA, event.id, event.data))


def event_cipher(key: bytes, provider: SmProvider) -> FieldCipher:
    """Makes the cipher of the region's event key; events are never searched, so it has no index key."""
    return FieldCipher({1: key}, b"", provider)
