"""What can be asked for from outside of the administration, and for whom (申请接入)."""

from libs.access.actor import Actor
from libs.errors import invalid_field, reasons
from services.identity.api_clients.owning import firm_of
from services.identity.core.client_rules import Client, ClientAuthMethod, ClientKind
from tongban.identity.v1 import resources_pb2 as resources

MOST_WAITING = 10
"""Requests of one firm that wait at the same time."""


def firm_asked(actor: Actor, asked: resources.Client) -> str:
    """Returns the firm that is to answer for it; raises PermissionDenied NOT_OWNER, MANDATE_OUT_OF_SCOPE."""
    firm = firm_of(actor)
    if asked.owner not in ("", firm):
        raise reasons.not_owner("the caller acts for another firm")
    return firm


def check_from_outside(draft: Client) -> None:
    """Raises InvalidArgument FIELD_INVALID where this can't be asked for from outside."""
    if draft.kind is ClientKind.SYSTEM:
        raise invalid_field("client.kind", "client.outside", "is the region's own")
    if draft.auth_method is ClientAuthMethod.CLIENT_SECRET:
        raise invalid_field(
            "client.auth_method", "client.outside", "a partner has a key or a certificate of its own: no secret travels"
        )
    if not draft.request_note:
        raise invalid_field("client.request_note", "required", "say what it is for")
