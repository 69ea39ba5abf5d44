"""Ending a mandate, and with it what was passed on from it."""

from libs.db.uow import Transaction
from libs.rpc.messages import timestamp
from services.identity.core import mandate_rules
from services.identity.core.mandate_rules import Mandate
from services.identity.core.withdrawals import TokenWithdrawals
from services.identity.mandates import store
from tongban.identity.v1 import events_pb2 as events


async def end_mandate(tx: Transaction, withdrawals: TokenWithdrawals, row: Mandate, reason: str) -> Mandate:
    """Ends a mandate that is locked, and all that were passed on from it; tokens that rest on one of them are refused.

    Raises:
        FailedPrecondition: STATE_CONFLICT where it has ended.
    """
    mandate_rules.revoke(row, reason, tx.now)
    # The parent is locked: nothing is passed on from it meanwhile.
    found = [row, *await store.lock_passed_on(tx.connection, row.name)]
    ended = [await _end(tx, each, reason) for each in found if each.state_at(tx.now) in mandate_rules.OPEN]
    await withdrawals.withdraw(tx, *(each.name for each in ended))
    for each in ended:
        tell_revoked(tx, each)
    return ended[0]


async def _end(tx: Transaction, row: Mandate, reason: str) -> Mandate:
    ended = mandate_rules.revoke(row, reason, tx.now)
    return await store.UPDATE.one(
        tx.connection,
        row.id,
        state=ended.state,
        revoke_time=tx.now,
        revoke_reason=ended.revoke_reason,
        update_time=tx.now,
    )


def tell_revoked(tx: Transaction, row: Mandate) -> None:
    """Tells that a mandate was ended before its time."""
    tx.emit(
        row.name,
        events.MandateRevoked(
            mandate=row.name, principal=row.principal, agent=row.agent, revoke_time=timestamp(row.revoke_time)
        ),
    )
