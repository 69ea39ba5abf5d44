"""Whose account somebody may change: people their own alone, and of others they are told nothing."""

from libs.access import owners
from libs.access.actor import Actor
from libs.errors import not_found


def hide_others_account(actor: Actor, name: str) -> None:
    """Raises NotFound RESOURCE_NOT_FOUND where people ask for another's account, also for that of whom they act for."""
    if owners.whose(actor) not in (None, name):
        raise not_found(name)
