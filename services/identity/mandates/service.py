"""What other features ask of mandates: that all of an account end."""

from libs.db.uow import Transaction
from libs.rpc.messages import timestamp
from services.identity.core.mandate_rules import Mandate
from services.identity.mandates import store
from tongban.identity.v1 import events_pb2 as events


async def end_all(tx: Transaction, account: str, reason: str) -> list[str]:
    """Ends whatever mandates an account gave or holds, and tells of it; returns their names, by which tokens are withdrawn."""
    ended = await store.end_all(tx.connection, account, reason, tx.now)
    for each in ended:
        tell_revoked(tx, each)
    return [each.name for each in ended]


def tell_revoked(tx: Transaction, row: Mandate) -> None:
    """Tells that a mandate was ended before its time."""
    tx.emit(
        row.name,
        events.MandateRevoked(
            mandate=row.name, principal=row.principal, agent=row.agent, revoke_time=timestamp(row.revoke_time)
        ),
    )
