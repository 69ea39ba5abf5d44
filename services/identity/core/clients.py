"""Clients in PostgreSQL."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import not_found
from services.identity.core import schema
from services.identity.core.client_rules import Client

clients = sa.Table(
    "clients",
    schema.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("auth_method", sa.Text, nullable=False),
    sa.Column("jwks", JSONB),
    sa.Column("old_jwks", JSONB),
    sa.Column("secret_mac", sa.LargeBinary),
    sa.Column("old_secret_mac", sa.LargeBinary),
    columns.moment("overlap_expire_time"),
    columns.texts("scopes"),
    columns.texts("assertable"),
    sa.Column("max_assurance", sa.SmallInteger, nullable=False),
    sa.Column("quota_per_second", sa.Integer, nullable=False),
    sa.Column("quota_per_day", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.text("suspend_reason"),
    schema.backers(),
    sa.Column("pending", JSONB),
    columns.texts("redirect_uris", empty=True),
    columns.texts("post_logout_redirect_uris", empty=True),
    sa.Column("environment", sa.Text, nullable=False, server_default="PRODUCTION"),
    columns.texts("ip_ranges", empty=True),
    columns.moment("expire_time"),
    sa.Column("expiry_notice", sa.SmallInteger),
    columns.moment("rotate_time"),
    sa.Column("pending_terms", JSONB),
    *map(columns.text, ("request_note", "applicant", "refuse_reason", "backchannel_logout_uri", "sender_constraint")),
    *map(columns.no, ("backchannel_logout_session_required", "device_sign_in", "signs")),
    columns.texts("assurance_names", empty=True),
    columns.counted("suspensions"),
    *map(columns.none_yet, ("certificates", "old_certificates")),
    *columns.life(),
    sa.Index("clients_of_owner", "owner", "id"),
    sa.Index("clients_expiring", "expire_time", postgresql_where=sa.text("expire_time IS NOT NULL")),
    comment="Machines that call the API; a secret is stored as HMAC-SM3 under a key of the key store.",
)
of(clients)(Client)

_BY_ID = Query(Client, "SELECT {columns} FROM clients WHERE id = :id")


async def find_client(connection: DatabaseConnection, client_id: str) -> Client | None:
    """Reads the client with this OAuth client_id, or None."""
    return await _BY_ID.first(connection, id=client_id)


async def client(connection: DatabaseConnection, name: str) -> Client:
    """Reads a client by its name; raises NotFound."""
    found = await find_client(connection, name.removeprefix("clients/"))
    if found is None:
        raise not_found(name)
    return found
