"""The authority's revocation list: published when a certificate is revoked and before the last one runs out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from libs.clock import Clock
from libs.crypto.x509 import Crl, RevocationReason, RevokedEntry
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import turn
from libs.db.query import Query, joined, of
from libs.db.schema import EVIDENCE
from libs.errors import TongbanError
from libs.observability.logs import logger
from libs.workers import ThreadPool
from services.seal.core import schema
from services.seal.core.authority import SealAuthority
from services.seal.core.certificates import certificates

_log = logger(__name__)
_PERIOD = timedelta(days=7)
_AHEAD = timedelta(days=1)
_RENEW_BEFORE = timedelta(days=1)
_TURN = "seal:crl"

crls = sa.Table(
    "crls",
    schema.METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    columns.moment("this_update", nullable=False),
    columns.moment("next_update", nullable=False),
    sa.Column("revoked", sa.Integer, nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    info=EVIDENCE,
    comment="Published revocation lists; revoked counts their entries.",
)


@of(crls)
@dataclass(frozen=True, slots=True)
class PublishedList:
    """A list that was published; ``revoked`` counts its entries."""

    number: int
    this_update: datetime
    next_update: datetime
    revoked: int
    der: bytes


@of(
    joined(
        wanted=sa.Column(type_=sa.Integer, nullable=False),
        number=sa.Column(type_=sa.BigInteger),
        this_update=sa.Column(type_=sa.DateTime(timezone=True)),
        next_update=sa.Column(type_=sa.DateTime(timezone=True)),
        revoked=sa.Column(type_=sa.Integer),
    )
)
@dataclass(frozen=True, slots=True)
class _NewestList:
    """The newest list, all None where there is none, and how many entries it should have."""

    wanted: int
    number: int | None
    this_update: datetime | None
    next_update: datetime | None
    revoked: int | None


@of(certificates)
@dataclass(frozen=True, slots=True)
class _RevokedCertificate:
    serial_number: str
    revoke_time: datetime | None
    revocation_reason: str | None
    invalidity_time: datetime | None


_NEWEST = Query(
    _NewestList,
    """
SELECT {columns} FROM (
  SELECT (SELECT count(*) FROM certificates WHERE revoke_time IS NOT NULL) AS wanted,
    number, this_update, next_update, revoked
  FROM (SELECT 1) AS one LEFT JOIN crls ON true ORDER BY number DESC NULLS LAST LIMIT 1
) AS newest
""",
)
_LIST = Query(PublishedList, "SELECT {columns} FROM crls WHERE number = :number")
_REVOKED = Query(_RevokedCertificate, "SELECT {columns} FROM certificates WHERE revoke_time IS NOT NULL")
_ADD = Addition(PublishedList)


class Revocation:
    """Publishes and reads the list. It heals itself: whoever reads a list that lags behind publishes the next one."""

    def __init__(
        self, database: Database, authority: SealAuthority, pool: ThreadPool, clock: Clock, wall: Clock
    ) -> None:
        self._database = database
        self._authority = authority
        self._pool = pool
        self._clock = clock
        self._wall = wall
        self._known: Crl | None = None

    async def current(self) -> Crl:
        """Returns the newest list, published now if need be; raises KEY_UNAVAILABLE or DEPENDENCY_UNAVAILABLE."""
        newest = await self._newest()
        if self._lags(newest):
            await self._publish()
            newest = await self._newest()
        if self._known is None or self._known.number != newest.number:
            self._known = await self._pool.run(Crl.parse, await self._der(newest))
        return self._known

    async def publish_soon(self) -> None:
        """Publishes the list after a revocation was committed; what fails is made up for by the next reader."""
        try:
            await self.current()
        except TongbanError as error:
            _log.warning("the CRL is not published yet", reason=error.reason)

    async def _newest(self) -> _NewestList:
        async with self._database.read() as connection:
            return await _NEWEST.one(connection)

    async def _der(self, newest: _NewestList) -> bytes:
        async with self._database.read() as connection:
            return (await _LIST.one(connection, number=newest.number)).der

    def _lags(self, newest: _NewestList) -> bool:
        if newest.this_update is None or newest.next_update is None or newest.revoked != newest.wanted:
            return True
        now = self._clock.now()
        # A list of a day to come was made while a clock was ahead: nobody can use it, and it would last till then.
        return newest.next_update - _RENEW_BEFORE <= now or newest.this_update > now + _AHEAD

    async def _publish(self) -> None:
        async with self._database.transaction() as connection:
            await turn(connection, _TURN)
            newest = await _NEWEST.one(connection)
            if self._lags(newest):
                await _ADD.add(connection, await self._next(connection, newest))

    async def _next(self, connection: DatabaseConnection, newest: _NewestList) -> PublishedList:
        entries = [_entry(each) for each in await _REVOKED.all(connection)]
        now, number = self._clock.now().replace(microsecond=0), (newest.number or 0) + 1
        end = self._end(newest, now + _PERIOD)
        crl = await self._pool.run(self._authority.make_crl, number, now, end, entries)
        return PublishedList(number, now, end, len(entries), crl.der)

    def _end(self, newest: _NewestList, usual: datetime) -> datetime:
        """A list never ends before the one that it replaces, even where the business clock was set back.

        Unless that one ends later than any list of today's should.
        """
        if newest.next_update is None:
            return usual
        return max(usual, min(newest.next_update, self._wall.now().replace(microsecond=0) + _PERIOD))


def _entry(revoked: _RevokedCertificate) -> RevokedEntry:
    assert revoked.revoke_time is not None
    assert revoked.revocation_reason is not None
    # Signatures carry whole seconds, cut off: of the second in which the end fell, the uses before it stay valid.
    end = revoked.revoke_time.replace(microsecond=0) + timedelta(seconds=1)
    reason = RevocationReason[revoked.revocation_reason]
    return RevokedEntry(int(revoked.serial_number, 16), end, reason, revoked.invalidity_time)
