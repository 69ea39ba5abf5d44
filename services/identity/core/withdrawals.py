"""What no longer stands behind tokens: written with the change itself, and told to the services of the region."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from libs.access.actor import Actor
from libs.clock import Clock
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.db.uow import Transaction
from libs.errors import reasons
from libs.rpc.messages import timestamp
from libs.rpc.withdrawals import told
from libs.security.withdrawals import Withdrawals, WithdrawnParties, party_of_assertion, party_of_assertions
from services.identity.core import schema
from tongban.identity.v1 import token_service_pb2 as pb

_COUNTS_FOR = timedelta(minutes=12)
"""No access token lives longer, the skew of clocks and a request that is under way included."""
_KEPT_FOR = timedelta(hours=1)
_FORGOTTEN_AT_ONCE = 100
MOST_LEARNT = 10_000
"""So much is kept of what one other region tells: it must not fill the memory of every process here."""

withdrawals = sa.Table(
    "withdrawals",
    schema.METADATA,
    sa.Column("party", sa.Text, primary_key=True),
    sa.Column("change_time", sa.DateTime(timezone=True), nullable=False),
    columns.moment("restore_time"),
    sa.Index("withdrawals_change", "change_time"),
    comment="What no longer stands behind tokens; kept for as long as a token could outlive it.",
)


@of(withdrawals)
@dataclass(frozen=True, slots=True)
class WithdrawnParty:
    """What no longer stands behind tokens; from ``restore_time`` on it does for new ones."""

    party: str
    change_time: datetime
    restore_time: datetime | None


@of(joined(amount=sa.Column(type_=sa.BigInteger(), nullable=False)))
@dataclass(frozen=True, slots=True)
class _Counted:
    """How many there are."""

    amount: int


_FORGET = Query(
    WithdrawnParty,
    """DELETE FROM withdrawals WHERE party IN (
      SELECT party FROM withdrawals WHERE change_time < :before LIMIT 100 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)
# One party a statement: a list would lock its rows in an order of PostgreSQL's own.
_WITHDRAW = Query(
    WithdrawnParty,
    """INSERT INTO withdrawals (party, change_time) VALUES (:party, :now)
    ON CONFLICT (party) DO UPDATE SET change_time = excluded.change_time, restore_time = NULL
    RETURNING {columns}""",
)
_RESTORE = Query(
    WithdrawnParty,
    """UPDATE withdrawals SET change_time = CAST(:now AS timestamptz), restore_time = CAST(:now AS timestamptz)
    WHERE party = :party AND restore_time IS NULL RETURNING {columns}""",
)
# What is learnt is written by whoever has the turn of asking: nobody else locks those rows.
_LEARN = Query(
    WithdrawnParty,
    """INSERT INTO withdrawals (party, change_time)
    SELECT party, CAST(:now AS timestamptz) FROM unnest(CAST(:parties AS text[])) AS learnt (party)
    ON CONFLICT (party) DO NOTHING RETURNING {columns}""",
)
_KNOWN = Query(WithdrawnParty, "SELECT {columns} FROM withdrawals WHERE party = ANY(CAST(:parties AS text[]))")
_LEARNT = Query(
    _Counted,
    "SELECT {columns} FROM (SELECT count(*) AS amount FROM withdrawals WHERE starts_with(party, :prefix)) AS counted",
)
_SINCE = Query(WithdrawnParty, "SELECT {columns} FROM withdrawals WHERE change_time >= :since")


class TokenWithdrawals:
    """Writes and tells withdrawals. Tokens live by the machine's clock (``wall``), and so does this.

    ``memory`` is what this process itself judges by.
    """

    def __init__(self, database: Database, wall: Clock, memory: Withdrawals | None = None) -> None:
        self._memory = memory
        self._database = database
        self._wall = wall
        self._narrowed = wall.now()

    async def withdraw(self, tx: Transaction, *parties: str) -> None:
        """Refuses tokens that rest on ``parties``, from when the transaction is committed on."""
        await self._withdraw(tx.connection, parties)

    async def _withdraw(self, connection: DatabaseConnection, parties: Collection[str]) -> None:
        now = self._wall.now()
        await _FORGET.all(connection, before=now - _KEPT_FOR)
        for party in sorted(parties):
            await _WITHDRAW.one(connection, party=party, now=now)
            if self._memory is not None:
                self._memory.withdrawn(party)

    async def learn(self, connection: DatabaseConnection, region: str, transactions: Collection[str]) -> None:
        """Refuses tokens that rest on assertions of another region, which says that these no longer stand; to learn twice is to learn once.

        Where it says so of too many, all tokens on its assertions that were made before now are refused instead.
        """
        told = {party_of_assertion(region, each) for each in transactions}
        fresh = (
            sorted(told - {each.party for each in await _KNOWN.all(connection, parties=sorted(told))}) if told else []
        )
        if not fresh:
            return
        now, whole = self._wall.now(), party_of_assertions(region)
        for _ in range(len(fresh) // _FORGOTTEN_AT_ONCE + 1):
            await _FORGET.all(connection, before=now - _KEPT_FOR)
        kept = (await _LEARNT.one(connection, prefix=f"{whole}/")).amount
        if kept + len(fresh) <= MOST_LEARNT:
            await _LEARN.all(connection, parties=fresh, now=now)
        else:
            await self._withdraw(connection, [whole])
            await self._restore(connection, now, [whole])

    async def check_assertion(self, region: str, transaction: str) -> None:
        """Raises Unauthenticated TOKEN_INVALID (rule `withdrawn`) where another region's assertion is known not to stand."""
        async with self._database.read() as connection:
            found = await _KNOWN.all(connection, parties=[party_of_assertion(region, transaction)])
        if found:
            raise reasons.token_invalid("the assertion rests on what was withdrawn", rule="withdrawn")

    async def renew(self, tx: Transaction, *parties: str) -> None:
        """Refuses tokens that were made before now and rest on ``parties``, and takes those made from now on."""
        await self.withdraw(tx, *parties)
        await self._restore(tx.connection, self._wall.now(), parties)

    async def narrow(self, tx: Transaction, *parties: str) -> None:
        """Refuses tokens that were made in this second or before, and rest on ``parties``; takes those made from the next on.

        What was narrowed must hold for a token of this very second too: it can't be told from one that was made after.
        Whoever gets a token before the second is over gets another one; who narrowed waits until it is (``settled``).
        """
        await self.withdraw(tx, *parties)
        self._narrowed = self._wall.now() + timedelta(seconds=1)
        await self._restore(tx.connection, self._narrowed, parties)

    async def settled(self) -> None:
        """Waits until a token that is made next is taken, whatever was narrowed here: less than a second.

        Called before a call that narrowed is answered, so that whoever did it finds what they did.
        """
        left = self._narrowed.replace(microsecond=0) - self._wall.now()
        if left > timedelta():
            # A clock that was put back in between is not waited for.
            await asyncio.sleep(min(1.0, left.total_seconds()))

    async def restore(self, tx: Transaction, *parties: str) -> None:
        """Takes tokens again that are made from now on; those made before stay refused."""
        await self._restore(tx.connection, self._wall.now(), parties, stood_withdrawn=True)

    async def _restore(
        self, connection: DatabaseConnection, now: datetime, parties: Collection[str], *, stood_withdrawn: bool = False
    ) -> None:
        for party in sorted(parties):
            row = await _RESTORE.first(connection, party=party, now=now)
            if self._memory is not None:
                before = stood_withdrawn and row is not None
                self._memory.restored(party, now.timestamp(), stood_withdrawn=before)

    async def check(self, actor: Actor) -> None:
        """Refuses a token that is shown to be exchanged as one that is shown to act: what was restored since bears it no more.

        Raises:
            Unauthenticated: TOKEN_INVALID with rule `withdrawn`.
            Unavailable: it can't be told.
        """
        if self._memory is None:
            return
        await self._memory.be_ready()
        self._memory.check(actor)

    async def changed(self, since: datetime | None) -> pb.ReadWithdrawalsResponse:
        """Tells what changed since a time, of what still counts."""
        now = self._wall.now()
        least = now - _COUNTS_FOR
        async with self._database.read() as connection:
            found = await _SINCE.all(connection, since=max(least, since) if since else least)
        return pb.ReadWithdrawalsResponse(
            read_time=timestamp(now),
            withdrawals=[pb.Withdrawal(party=each.party, restore_time=timestamp(each.restore_time)) for each in found],
        )

    async def ask(self, since: float) -> WithdrawnParties:
        """Tells identity's own verifier, as the other services are told."""
        return told(await self.changed(datetime.fromtimestamp(since, UTC) if since > 0 else None))
