"""Reads clients."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Row
from services.identity.store.reading import LIMIT, first, keyed, many
from services.identity.tables import clients


def _text(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=sa.Text)


_LIST = (
    sa.select(clients)
    .where(
        clients.c.id > _text("after"),
        (_text("kind") == "") | (clients.c.kind == _text("kind")),
        (_text("state") == "") | (clients.c.state == _text("state")),
    )
    .order_by(clients.c.id)
    .limit(sa.bindparam(LIMIT, type_=sa.Integer))
)


_FOUNDING = sa.text("SELECT pg_advisory_xact_lock(hashtext('identity:founding'))")
_CHANNEL = sa.select(clients.c.id).where(clients.c.kind == "CHANNEL").limit(1)


async def first_channel(connection: AsyncConnection) -> bool:
    """Says whether the region has no channel yet; of two that ask at once the second waits for the first."""
    await connection.execute(_FOUNDING)
    return await first(connection, _CHANNEL) is None


async def client(connection: AsyncConnection, name: str, *, lock: bool = False) -> Row:
    """Reads a client, locked for change if wished; raises NotFound."""
    return await keyed(connection, clients, name.removeprefix("clients/"), name, lock=lock)


async def list_clients(connection: AsyncConnection, *, kind: str, state: str, after: str, limit: int) -> Sequence[Row]:
    """Lists clients by name; empty filters take all."""
    return await many(connection, _LIST, kind=kind, state=state, after=after, **{LIMIT: limit})
