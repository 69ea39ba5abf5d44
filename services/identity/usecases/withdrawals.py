"""What no longer stands behind tokens: written with the change itself, and told to the services of the region."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from libs.clock import Clock
from libs.db.engine import Database
from libs.db.uow import Transaction
from libs.rpc.timestamps import timestamp
from libs.rpc.withdrawals import told
from libs.security.withdrawals import Told, Withdrawals
from services.identity.convert.times import moment
from services.identity.tables import withdrawals
from tongban.identity.v1 import token_service_pb2 as pb

_COUNTS_FOR = timedelta(minutes=12)
"""No access token lives longer, the skew of clocks and a request that is under way included."""
_KEPT_FOR = timedelta(hours=1)
_TIME = sa.DateTime(timezone=True)
_NEW = insert(withdrawals).values(
    party=sa.bindparam("party", type_=sa.Text), change_time=sa.bindparam("now", type_=_TIME), restore_time=None
)
_WITHDRAW = _NEW.on_conflict_do_update(
    index_elements=["party"], set_={"change_time": _NEW.excluded.change_time, "restore_time": None}
)
_RESTORE = (
    sa.update(withdrawals)
    .where(withdrawals.c.party == sa.bindparam("which", type_=sa.Text), withdrawals.c.restore_time.is_(None))
    .values(change_time=sa.bindparam("now", type_=_TIME), restore_time=sa.bindparam("now", type_=_TIME))
)
_OLD = (
    sa.select(withdrawals.c.party)
    .where(withdrawals.c.change_time < sa.bindparam("before", type_=_TIME))
    .limit(100)
    .with_for_update(skip_locked=True)
)
_FORGET = sa.delete(withdrawals).where(withdrawals.c.party.in_(_OLD))
_SINCE = sa.select(withdrawals).where(withdrawals.c.change_time >= sa.bindparam("since", type_=_TIME))


class TokenWithdrawals:
    """Writes and tells withdrawals. Tokens live by the machine's clock (``wall``), and so does this.

    ``memory`` is what this process itself judges by.
    """

    def __init__(self, database: Database, wall: Clock, memory: Withdrawals | None = None) -> None:
        self._memory = memory
        self._database = database
        self._wall = wall

    async def withdraw(self, tx: Transaction, *parties: str) -> None:
        """Refuses tokens that rest on ``parties``, from when the transaction is committed on."""
        now = self._wall.now()
        await tx.connection.execute(_FORGET, {"before": now - _KEPT_FOR})
        for party in sorted(parties):
            await tx.connection.execute(_WITHDRAW, {"party": party, "now": now})

    async def renew(self, tx: Transaction, *parties: str) -> None:
        """Refuses tokens that were made before now and rest on ``parties``, and takes those made from now on."""
        await self.withdraw(tx, *parties)
        await self.restore(tx, *parties)

    async def restore(self, tx: Transaction, *parties: str) -> None:
        """Takes tokens again that are made from now on; those made before stay refused."""
        now = self._wall.now()
        for party in sorted(parties):
            await tx.connection.execute(_RESTORE, {"which": party, "now": now})
            if self._memory is not None:
                self._memory.restored(party, now.timestamp())

    async def read(self, request: pb.ReadWithdrawalsRequest) -> pb.ReadWithdrawalsResponse:
        """Tells what changed since a time, of what still counts."""
        now = self._wall.now()
        least = now - _COUNTS_FOR
        since = max(least, moment(request.since, "since")) if request.HasField("since") else least
        async with self._database.read() as connection:
            found = (await connection.execute(_SINCE, {"since": since})).all()
        return pb.ReadWithdrawalsResponse(
            read_time=timestamp(now),
            withdrawals=[pb.Withdrawal(party=row.party, restore_time=timestamp(row.restore_time)) for row in found],
        )

    async def ask(self, since: float) -> Told:
        """Tells identity's own verifier, as ``read`` tells the other services."""
        request = pb.ReadWithdrawalsRequest()
        if since > 0:
            request.since.FromDatetime(datetime.fromtimestamp(since, UTC))
        return told(await self.read(request))
