"""Sign-ins to clients, as people list them, in PostgreSQL."""

from collections.abc import Collection
from dataclasses import dataclass

from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import sign_in_grants
from services.identity.core.clients import clients
from services.identity.core.names import id_of
from services.identity.core.sign_in_grants import SignInGrant
from tongban.identity.v1 import sign_in_service_pb2 as pb

_EXPIRE = "coalesce(expire_time, auth_time + interval '90 days')"
_STATE = f"""
CASE WHEN revoke_time IS NOT NULL THEN 'REVOKED' WHEN {_EXPIRE} <= CAST(:now AS timestamptz) THEN 'EXPIRED' ELSE 'ACTIVE' END
""".strip()
LISTED = FilteredList(
    SignInGrant,
    pb.ListSignInGrantsRequest,
    sign_in_grants.sign_in_grants,
    {
        "state": fields.choice(_STATE, pb.SignInGrantState),
        "client": fields.text("'clients/' || client"),
        "session": fields.text("'sessions/' || CAST(session AS text)"),
        "create_time": fields.moment("create_time"),
        "expire_time": fields.moment(_EXPIRE),
        "revoke_time": fields.moment("revoke_time", nullable=True),
    },
    {"create_time": Order(("create_time", "id"), (Path(("person",)),))},
    "create_time desc",
)


@of(clients)
@dataclass(frozen=True, slots=True)
class NamedClient:
    """What a client is called."""

    id: str
    display_name: str


_NAMES = Query(NamedClient, "SELECT {columns} FROM clients WHERE id = ANY(CAST(:clients AS text[]))")


async def display_names(connection: DatabaseConnection, named: Collection[str]) -> dict[str, str]:
    """Reads what clients are called, by client_id."""
    found = await _NAMES.all(connection, clients=sorted(set(named)))
    return {each.id: each.display_name for each in found}


async def owned(connection: DatabaseConnection, name: str, person: str) -> SignInGrant:
    """Reads a sign-in of a person; raises NotFound, of another's too."""
    found = await sign_in_grants.grant(connection, id_of(name))
    if found is None or found.person != person:
        raise not_found(name)
    return found
