"""What is written and listed of clients."""

from dataclasses import dataclass

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.leader import turn
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order
from services.identity.core.client_rules import Client
from services.identity.core.clients import clients
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.client_service_pb2 import ListClientsRequest

ADD, UPDATE = Addition(Client), Update(Client)


@of(clients)
@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client that is there, whatever it is."""

    id: str


_LOCK = Query(Client, "SELECT {columns} FROM clients WHERE id = :id FOR UPDATE")
_CHANNEL = Query(KnownClient, "SELECT {columns} FROM clients WHERE kind = 'CHANNEL' LIMIT 1")
LISTED = FilteredList(
    Client,
    ListClientsRequest,
    clients,
    {
        "kind": fields.choice("kind", pb.ClientKind),
        "state": fields.choice("state", pb.ClientState),
        "owner": fields.text("owner"),
        "auth_method": fields.choice("auth_method", pb.ClientAuthMethod),
        "scopes": fields.texts("scopes"),
        "overlap_expire_time": fields.moment("overlap_expire_time", nullable=True),
        "create_time": fields.moment("create_time"),
    },
    {"name": Order(("id",))},
    "name",
)


async def lock(connection: DatabaseConnection, name: str, etag: str) -> Client:
    """Reads a client and keeps others from changing it; raises NotFound, ETAG_MISMATCH."""
    found = await _LOCK.first(connection, id=name.removeprefix("clients/"))
    if found is None:
        raise not_found(name)
    check_etag(name, found.version, etag)
    return found


async def first_channel(connection: DatabaseConnection) -> bool:
    """Says whether the region has no channel yet; of two that ask at once the second waits for the first."""
    await turn(connection, "identity:founding")
    return await _CHANNEL.first(connection) is None
