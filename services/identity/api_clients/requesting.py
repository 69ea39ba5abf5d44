"""What can be asked for from outside of the administration, and for whom (申请接入)."""

from dataclasses import replace
from datetime import datetime, timedelta

from libs.access.actor import Actor
from libs.errors import invalid_field, reasons
from services.identity.api_clients.owning import firm_of
from services.identity.core.client_rules import Client, ClientAuthMethod, ClientEnvironment, ClientKind, ClientState
from services.identity.core.scopes import covers
from tongban.identity.v1 import resources_pb2 as resources

MOST_WAITING = 10
"""Requests of one firm that wait at the same time; in a sandbox also clients that it was given at once and that still hold."""
AT_ONCE = (
    "audit.auditRecords.prove",
    "identity.clients.get",
    "identity.clients.rotateKey",
    "identity.departments.get",
    "identity.departments.list",
    "identity.regions.get",
    "identity.regions.list",
    "license.licenseTypes.get",
    "license.licenseTypes.list",
    "license.licenses.verify",
    "seal.certificates.get",
    "sharing.dataResources.get",
    "sharing.dataResources.list",
)
"""What a partner's system is given at once in a sandbox: itself, and what tells of nobody. All else is looked at by somebody."""
TRIAL_DAYS = 90
_TRIAL_PER_SECOND, _TRIAL_PER_DAY = 10, 10_000


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


def begun(asked: Client, region: ClientEnvironment, wall: datetime) -> Client:
    """Returns what was asked for in its first state: it waits, or in a sandbox it is there at once, within a trial's limits.

    Args:
        asked: what was asked for.
        region: what the region is for.
        wall: the time by the machine's clock.
    """
    if region is not ClientEnvironment.SANDBOX or not _touches_nobody(asked):
        return replace(asked, state=ClientState.REQUESTED)
    end = wall + timedelta(days=TRIAL_DAYS)
    return replace(
        asked,
        state=ClientState.ACTIVE,
        quota_per_second=_at_most(asked.quota_per_second, _TRIAL_PER_SECOND),
        quota_per_day=_at_most(asked.quota_per_day, _TRIAL_PER_DAY),
        expire_time=min(asked.expire_time or end, end),
    )


def _at_most(asked: int, limit: int) -> int:
    """A limit of calls, where 0 asks for none."""
    return min(asked or limit, limit)


def _touches_nobody(asked: Client) -> bool:
    """Whether it is a partner's system that nobody signs in to, that is told of nobody, and that we call nowhere."""
    alone = not asked.signs_people_in and not asked.backchannel_logout_uri
    return asked.kind is ClientKind.PARTNER and alone and all(covers(AT_ONCE, scope) for scope in asked.scopes)
