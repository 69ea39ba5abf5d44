"""What is written and listed of clients."""

from dataclasses import dataclass

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.etag import check_etag
from libs.db.leader import turn
from libs.db.query import Insert, Page, Query, Update, of
from libs.errors import not_found
from services.identity.core.client_rules import Client
from services.identity.core.clients import clients

ADD, UPDATE = Insert(Client), Update(Client)


@of(clients)
@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client that is there, whatever it is."""

    id: str


_LOCK = Query(Client, "SELECT {columns} FROM clients WHERE id = :id FOR UPDATE")
_CHANNEL = Query(KnownClient, "SELECT {columns} FROM clients WHERE kind = 'CHANNEL' LIMIT 1")
_LISTED = Page(
    Client, "{columns} FROM clients", "id", {"kind": "kind = :kind", "state": "state = :state", "after": "id > :after"}
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


async def page(database: Database, size: int, **filters: str | int | None) -> list[Client]:
    """Lists clients by name. Filters: ``kind``, ``state``, ``after`` (an id)."""
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, **filters)
