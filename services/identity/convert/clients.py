"""Clients between rows, the domain and messages. A secret never passes here."""

from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.identity.domain.clients import Client, Kind, State
from services.identity.tokens.jwk import jwks_message
from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

_ACTOR = "ACTOR_KIND_"


def actor_kinds(right: pb.AssertionRight) -> list[str]:
    """Returns the kinds of people that a channel may speak for."""
    return [options_pb2.ActorKind.Name(value).removeprefix(_ACTOR) for value in right.actor_kinds]


def client_of(row: Row) -> Client:
    """Reads what the rules need to know of a client."""
    return Client(
        name=f"clients/{row.id}",
        kind=Kind(row.kind),
        state=State(row.state),
        scopes=tuple(row.scopes),
        assertable=frozenset(row.assertable),
        max_assurance=row.max_assurance,
    )


def client_message(row: Row) -> pb.Client:
    """Builds a client's message, without its secret."""
    right = pb.AssertionRight(
        actor_kinds=[options_pb2.ActorKind.Value(f"{_ACTOR}{kind}") for kind in row.assertable],
        max_assurance=row.max_assurance,
    )
    return pb.Client(
        name=f"clients/{row.id}",
        display_name=row.display_name,
        kind=pb.ClientKind.Value(f"CLIENT_KIND_{row.kind}"),
        owner=row.owner,
        auth_method=pb.ClientAuthMethod.Value(f"CLIENT_AUTH_METHOD_{row.auth_method}"),
        jwks=jwks_message(row.jwks) if row.jwks else None,
        scopes=row.scopes,
        assertion_right=right if row.assertable else None,
        quota=pb.ClientQuota(per_second=row.quota_per_second, per_day=row.quota_per_day),
        pending_jwks=jwks_message(row.pending["jwks"]) if row.pending else None,
        approvals=len(row.backers),
        state=pb.ClientState.Value(f"CLIENT_STATE_{row.state}"),
        suspend_reason=row.suspend_reason,
        overlap_expire_time=timestamp(row.overlap_expire_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
