"""What other features ask of mandates: that all of an account end."""

from libs.db.uow import Transaction
from services.identity.mandates import store
from services.identity.mandates.ending import tell_revoked


async def end_all(tx: Transaction, account: str, reason: str) -> list[str]:
    """Ends whatever mandates an account gave or holds, and tells of it; returns their names, by which tokens are withdrawn."""
    ended = await store.end_all(tx.connection, account, reason, tx.now)
    for each in ended:
        tell_revoked(tx, each)
    return [each.name for each in ended]
