"""What other features ask of mandates: that all of an account end."""

from libs.db.uow import Transaction
from services.identity.mandates import store
from services.identity.mandates.ending import tell_revoked

_MERGED = "ACCOUNTS_MERGED"
"""Why a mandate ended between two accounts that became one."""


async def end_all(tx: Transaction, account: str, reason: str) -> list[str]:
    """Ends whatever mandates an account gave or holds, and tells of it; returns their names, by which tokens are withdrawn."""
    ended = await store.end_all(tx.connection, account, reason, tx.now)
    for each in ended:
        tell_revoked(tx, each)
    return [each.name for each in ended]


async def hand_over_all(tx: Transaction, old: str, new: str) -> list[str]:
    """Gives the mandates of an account, given and held, ended ones too, to the one that took it in.

    What one of the two gave to the other ends: nobody acts for themselves by a mandate. Returns the names of these, by which
    tokens are withdrawn.
    """
    ended = await store.end_between(tx.connection, old, new, _MERGED, tx.now)
    for each in ended:
        tell_revoked(tx, each)
    await store.rename_party(tx.connection, old, new, tx.now)
    return [each.name for each in ended]
