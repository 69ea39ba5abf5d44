"""The authority's revocation list: published when a certificate is revoked and before the last one runs out."""

from datetime import timedelta

from libs.clock import Clock
from libs.crypto.x509 import Crl, RevocationReason, RevokedEntry
from libs.db.engine import Database, Row
from libs.errors import TongbanError
from libs.observability.logs import logger
from libs.workers import Pool
from services.seal.authority import Authority
from services.seal.store.certificates import CertificateStore

_log = logger(__name__)
_PERIOD = timedelta(days=7)
_AHEAD = timedelta(days=1)
_RENEW_BEFORE = timedelta(days=1)
_TURN = 0x63726C


class Revocation:
    """Publishes and reads the list. It heals itself: whoever reads a list that lags behind publishes the next one."""

    def __init__(
        self,
        database: Database,
        store: CertificateStore,
        authority: Authority,
        pool: Pool,
        clock: Clock,
        wall: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._authority = authority
        self._pool = pool
        self._clock = clock
        self._wall = wall
        self._known: Crl | None = None

    async def current(self) -> Crl:
        """Returns the newest list, published now if need be; raises KEY_UNAVAILABLE or DEPENDENCY_UNAVAILABLE."""
        newest = await self._store.newest_crl()
        if self._lags(newest):
            await self._publish()
            newest = await self._store.newest_crl()
        if self._known is None or self._known.number != newest.number:
            self._known = await self._pool.run(Crl.parse, await self._store.crl(newest.number))
        return self._known

    async def publish_soon(self) -> None:
        """Publishes the list after a revocation was committed; what fails is made up for by the next reader."""
        try:
            await self.current()
        except TongbanError as error:
            _log.warning("the CRL is not published yet", reason=error.reason)

    def _lags(self, newest: Row) -> bool:
        if newest.number is None or newest.revoked != newest.wanted:
            return True
        return bool(newest.next_update - _RENEW_BEFORE <= self._clock.now()) or self._is_ahead(newest)

    def _is_ahead(self, newest: Row) -> bool:
        """True for a list of a day to come, made while a clock was ahead: nobody can use it, and it would last till then."""
        return bool(newest.this_update > self._clock.now() + _AHEAD)

    async def _publish(self) -> None:
        async with self._database.transaction() as connection:
            await self._store.turn(connection, _TURN)
            newest = await self._store.newest_crl(connection)
            if not self._lags(newest):
                return
            entries = [_entry(row) for row in await self._store.revoked(connection)]
            now = self._clock.now().replace(microsecond=0)
            end = now + _PERIOD
            if newest.number:
                # A list never ends before the one that it replaces, even where the business clock was set back: unless
                # that one ends later than any list of today's should.
                end = max(end, min(newest.next_update, self._wall.now().replace(microsecond=0) + _PERIOD))
            number = (newest.number or 0) + 1
            crl = await self._pool.run(self._authority.make_crl, number, now, end, entries)
            await self._store.add_crl(
                connection,
                {
                    "number": number,
                    "this_update": now,
                    "next_update": end,
                    "revoked": len(entries),
                    "der": crl.der,
                },
            )


def _entry(row: Row) -> RevokedEntry:
    # Signatures carry whole seconds, cut off: of the second in which the end fell, the uses before it stay valid.
    end = row.revoke_time.replace(microsecond=0) + timedelta(seconds=1)
    reason = RevocationReason[row.revocation_reason]
    return RevokedEntry(int(row.serial_number, 16), end, reason, row.invalidity_time)
