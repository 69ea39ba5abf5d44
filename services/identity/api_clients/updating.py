"""What UpdateClient writes: what is narrowed is so at once, what a channel gets more of waits for two people."""

from typing import Any

from libs.access.actor import Actor
from libs.errors import invalid_field
from libs.rpc.patches import Patch
from services.identity.api_clients.convert import terms_of
from services.identity.api_clients.terms import changed_terms
from services.identity.core.approval import asked_by
from services.identity.core.client_rules import Client, ClientKind, ClientState, check_credentials, check_signing
from services.identity.core.client_terms import ClientTerms, allows, in_common
from services.identity.core.scopes import check_covered
from tongban.identity.v1 import resources_pb2 as resources

_TERMS = ("scopes", "assertion_right", "ip_ranges", "expire_time", "sender_constraint", "signed_requests", "sign_in")


def wanted_client(row: Client, stands: resources.Client, patch: Patch[resources.Client]) -> resources.Client:
    """Returns the client as it is to be; raises InvalidArgument FIELD_INVALID where that is none, or another method's."""
    wanted = patch.over(stands)
    if wanted.HasField("jwks") and wanted.jwks != stands.jwks:
        raise invalid_field("client.jwks", "client.rotate", "is changed by RotateClientKey")
    if [each.certificate for each in wanted.certificates] != [each.certificate for each in stands.certificates]:
        raise invalid_field("client.certificates", "client.rotate", "is changed by RotateClientKey")
    if patch.changes("assertion_right"):
        has_right = wanted.HasField("assertion_right")
        has = {"has_keys": bool(row.jwks), "has_certificates": bool(row.certificates)}
        check_credentials(row.kind, row.auth_method, **has, has_assertion_right=has_right)
    check_signing(row.auth_method, signs=wanted.signed_requests == resources.SIGNED_REQUESTS_REQUIRED)
    return wanted


def client_change(
    row: Client, wanted: resources.Client, patch: Patch[resources.Client], actor: Actor
) -> dict[str, Any]:
    """Returns the columns to write; raises PermissionDenied SCOPE_NOT_GRANTED where the caller widens beyond what they hold."""
    quota = {"quota_per_second": wanted.quota.per_second, "quota_per_day": wanted.quota.per_day}
    logout = {
        "backchannel_logout_uri": wanted.backchannel_logout_uri,
        "backchannel_logout_session_required": wanted.backchannel_logout_session_required,
    }
    told = {"display_name": wanted.display_name, **quota, **logout}
    terms = terms_of(wanted)
    if not any(map(patch.changes, _TERMS)):
        return told
    widens = not allows(row.terms, terms)
    if widens:
        check_covered(actor.scopes, terms.scopes)
    if row.kind is not ClientKind.CHANNEL:
        return {**told, **changed_terms(row, terms)}
    return {**told, **_of_channel(row, terms, actor.human, widens=widens)}


def _of_channel(row: Client, terms: ClientTerms, human: str, *, widens: bool) -> dict[str, Any]:
    """What is written of a channel. Whoever stood behind other terms than these stands behind nothing any more."""
    if row.state is ClientState.REQUESTED:
        return {**changed_terms(row, terms), "backers": asked_by(human)}
    if row.state is ClientState.ACTIVE and widens:
        # One thing waits at a time: nobody who approves stands behind what another asked for before.
        waits = {"pending_terms": terms, "pending": None, "backers": asked_by(human)}
        return {**changed_terms(row, in_common(row.terms, terms)), **waits}
    gone = {"pending_terms": None, "backers": ()} if row.pending_terms is not None else {}
    return {**changed_terms(row, terms), **gone}
