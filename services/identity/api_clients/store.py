"""What is written and listed of clients."""

from dataclasses import dataclass
from datetime import datetime

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.leader import turn
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
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
_WAITING = Query(
    KnownClient,
    """SELECT {columns} FROM clients WHERE owner = :owner AND applicant <> '' AND (state = 'REQUESTED'
    OR (state = 'ACTIVE' AND environment = 'SANDBOX' AND expire_time > CAST(:now AS timestamptz))) LIMIT :most""",
)
_EXPIRING = Query(
    Client,
    """SELECT {columns} FROM clients WHERE expire_time IS NOT NULL AND state = 'ACTIVE'
    AND expire_time > CAST(:now AS timestamptz) AND expire_time <= CAST(:until AS timestamptz)
    AND (expiry_notice IS NULL OR expiry_notice > 1) ORDER BY expire_time""",
)
NOTED = Query(KnownClient, "UPDATE clients SET expiry_notice = :days WHERE id = :id RETURNING {columns}")
"""Notes of which end it was told. Nobody reads that of a client: its etag stays."""
_CERTIFIED = Query(
    Client, "SELECT {columns} FROM clients WHERE auth_method = 'TLS_CLIENT_AUTH' AND state = 'ACTIVE' ORDER BY id"
)
TOLD = Query(
    KnownClient,
    "UPDATE clients SET certificates = CAST(CAST(:certificates AS text) AS jsonb) WHERE id = :id RETURNING {columns}",
)
"""Notes of which ends of certificates it was told; the etag stays here too."""
_CHANNEL = Query(KnownClient, "SELECT {columns} FROM clients WHERE kind = 'CHANNEL' LIMIT 1")
_STATE = """
CASE WHEN state = 'ACTIVE' AND expire_time <= CAST(:now AS timestamptz) THEN 'EXPIRED' ELSE state END
""".strip()
LISTED = FilteredList(
    Client,
    ListClientsRequest,
    clients,
    {
        "kind": fields.choice("kind", pb.ClientKind),
        "state": fields.choice(_STATE, pb.ClientState),
        "owner": fields.text("owner"),
        "environment": fields.choice("environment", pb.ClientEnvironment),
        "applicant": fields.text("applicant"),
        "auth_method": fields.choice("auth_method", pb.ClientAuthMethod),
        "scopes": fields.texts("scopes"),
        "overlap_expire_time": fields.moment("overlap_expire_time", nullable=True),
        "expire_time": fields.moment("expire_time", nullable=True),
        "rotate_time": fields.moment("COALESCE(rotate_time, create_time)"),
        "create_time": fields.moment("create_time"),
        "update_time": fields.moment("update_time"),
    },
    {"name": Order(("id",), (Path(()), Path(("owner",))))},
    "name",
)


async def lock(connection: DatabaseConnection, name: str, etag: str) -> Client:
    """Reads a client and keeps others from changing it; raises NotFound, ETAG_MISMATCH."""
    found = await _LOCK.first(connection, id=name.removeprefix("clients/"))
    if found is None:
        raise not_found(name)
    check_etag(name, found.version, etag)
    return found


async def asked_for(connection: DatabaseConnection, owner: str, now: datetime, most: int) -> int:
    """Counts what was asked for from outside for an owner and waits, or in a sandbox holds, up to ``most``.

    Of two that ask at once one waits.
    """
    await turn(connection, f"identity:requests:{owner}")
    return len(await _WAITING.all(connection, owner=owner, now=now, most=most))


async def expiring(connection: DatabaseConnection, now: datetime, until: datetime) -> list[Client]:
    """Reads the clients that end in this time, the first first, of which it was not told for the last time yet."""
    return await _EXPIRING.all(connection, now=now, until=until)


async def certified(connection: DatabaseConnection) -> list[Client]:
    """Reads the clients that prove who they are by certificates."""
    return await _CERTIFIED.all(connection)


async def first_channel(connection: DatabaseConnection) -> bool:
    """Says whether the region has no channel yet; of two that ask at once the second waits for the first."""
    await turn(connection, "identity:founding")
    return await _CHANNEL.first(connection) is None
