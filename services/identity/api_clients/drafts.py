"""A client that is asked for, before it is written: by administrators, or from outside."""

import secrets

from services.identity.api_clients.convert import new_client
from services.identity.core import client_rules
from services.identity.core.client_rules import Client
from services.identity.core.parts import Parts
from tongban.identity.v1 import resources_pb2 as resources


def drafted(parts: Parts, asked: resources.Client, client_id: str = "") -> Client:
    """Returns the client that is asked for, with a fresh id where none is given; raises InvalidArgument FIELD_INVALID."""
    name = client_id or f"c-{secrets.token_hex(8)}"
    return new_client(asked, name, parts.clock.now(), parts.wall.now(), parts.environment)


def check_new(asked: resources.Client, draft: Client) -> None:
    """Raises InvalidArgument FIELD_INVALID where kind, authentication method, credentials and assertion right don't match."""
    client_rules.check_credentials(
        draft.kind,
        draft.auth_method,
        has_keys=asked.HasField("jwks"),
        has_assertion_right=asked.HasField("assertion_right"),
        has_certificates=bool(asked.certificates),
    )
    client_rules.check_signing(draft.auth_method, signs=draft.signs)
