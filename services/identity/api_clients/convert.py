"""Clients as messages, and back. A secret never passes here."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.identity.core.client_rules import Client, ClientAuthMethod, ClientKind, ClientState
from services.identity.core.jwk import checked_keys, jwks_message
from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

KINDS, STATES = Names(pb.ClientKind), Names(pb.ClientState)
_AUTH_METHODS, _ACTOR_KINDS = Names(pb.ClientAuthMethod), Names(options_pb2.ActorKind)


def new_client(asked: pb.Client, client_id: str, now: datetime) -> Client:
    """Returns the client that a request describes, without a secret, and as if it waited for nobody."""
    right = asked.assertion_right
    return Client(
        id=client_id,
        display_name=asked.display_name,
        kind=ClientKind(KINDS.name(asked.kind)),
        owner=asked.owner,
        auth_method=ClientAuthMethod(_AUTH_METHODS.name(asked.auth_method)),
        scopes=tuple(asked.scopes),
        assertable=tuple(_ACTOR_KINDS.name(kind) for kind in right.actor_kinds),
        max_assurance=right.max_assurance,
        quota_per_second=asked.quota.per_second,
        quota_per_day=asked.quota.per_day,
        state=ClientState.ACTIVE,
        create_time=now,
        update_time=now,
        jwks=checked_keys(asked.jwks, "client.jwks") if asked.HasField("jwks") else None,
        redirect_uris=tuple(asked.sign_in.redirect_uris),
        post_logout_redirect_uris=tuple(asked.sign_in.post_logout_redirect_uris),
    )


def client_message(row: Client) -> pb.Client:
    """Builds a client's message, without its secret."""
    right = pb.AssertionRight(actor_kinds=map(_ACTOR_KINDS.number, row.assertable), max_assurance=row.max_assurance)
    sign_in = pb.ClientSignIn(redirect_uris=row.redirect_uris, post_logout_redirect_uris=row.post_logout_redirect_uris)
    return pb.Client(
        name=row.name,
        display_name=row.display_name,
        kind=KINDS.number(row.kind.value),
        owner=row.owner,
        auth_method=_AUTH_METHODS.number(row.auth_method.value),
        jwks=jwks_message(row.jwks) if row.jwks else None,
        scopes=row.scopes,
        assertion_right=right if row.assertable else None,
        quota=pb.ClientQuota(per_second=row.quota_per_second, per_day=row.quota_per_day),
        pending_jwks=jwks_message(row.pending.jwks) if row.pending else None,
        approvals=len(row.backers),
        state=STATES.number(row.state.value),
        suspend_reason=row.suspend_reason,
        overlap_expire_time=timestamp(row.overlap_expire_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
        sign_in=sign_in if row.redirect_uris else None,
    )
