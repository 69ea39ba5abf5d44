"""Whose a client is, to people outside of the administration: those who act for the firm that answers for it."""

from libs.access.actor import Actor
from libs.errors import PermissionDenied, reasons
from services.identity.core.client_rules import Client

_ALL_ITEMS = "*"


def firm_of(actor: Actor) -> str:
    """Returns the firm of this region that a person acts for in all its affairs, `organizations/<uuid>`.

    Raises:
        PermissionDenied: NOT_OWNER where they act for none; MANDATE_OUT_OF_SCOPE where their mandate is for some items alone.
    """
    firm = actor.organization
    if not actor.person or not firm.startswith("organizations/"):
        raise reasons.not_owner("the caller acts for no firm of this region")
    if actor.mandate and _ALL_ITEMS not in actor.claims.get("mandate_items", ()):
        raise reasons.mandate_out_of_scope("the mandate is for some items alone", mandate=actor.mandate)
    return firm


def answers_for(actor: Actor, row: Client) -> bool:
    """Says whether a person acts for the firm that answers for the client."""
    try:
        return firm_of(actor) == row.owner
    except PermissionDenied:
        return False
