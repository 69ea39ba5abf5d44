"""Whose account somebody may change, and how well they must be known: people their own alone, and of others they are told nothing."""

from libs.access import owners
from libs.access.actor import Actor
from libs.errors import not_found
from services.identity.core import assurance

_KNOWN_BY_NAME = 2


def hide_others_account(actor: Actor, name: str) -> None:
    """Raises NotFound RESOURCE_NOT_FOUND where people ask for another's account, also for that of whom they act for."""
    if owners.whose(actor) not in (None, name):
        raise not_found(name)


def require_known_as(actor: Actor, account: int) -> None:
    """Asks a person by themselves for level 2 where their account has it.

    So who signed in weakly ends or diverts no account of somebody whose name is known; other accounts are asked for nothing.

    Args:
        actor: who calls; officials are not asked.
        account: the assurance of the account.

    Raises:
        PermissionDenied: ASSURANCE_TOO_LOW.
    """
    if actor.person and account >= _KNOWN_BY_NAME:
        assurance.require(actor.assurance, _KNOWN_BY_NAME)
