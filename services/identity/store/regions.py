"""Reads the trust list."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Row
from services.identity.store.reading import LIMIT, first, keyed, many
from services.identity.tables import regions


def _text(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=sa.Text)


_LIST = (
    sa.select(regions)
    .where(regions.c.id > _text("after"), (_text("state") == "") | (regions.c.state == _text("state")))
    .order_by(regions.c.id)
    .limit(sa.bindparam(LIMIT, type_=sa.Integer))
)
_BY_ISSUER = sa.select(regions).where(regions.c.issuer == _text("issuer"), regions.c.state != "ENDED")


async def region(connection: AsyncConnection, name: str, *, lock: bool = False) -> Row:
    """Reads a region, locked for change if wished; raises NotFound."""
    return await keyed(connection, regions, name.removeprefix("regions/"), name, lock=lock)


async def find_region(connection: AsyncConnection, code: str, *, lock: bool = False) -> Row | None:
    """Reads the region with this code, or None where it never stood on the list."""
    return await first(connection, rows.by_id(regions, lock=lock), **{rows.KEY: code})


async def by_issuer(connection: AsyncConnection, issuer: str) -> Row | None:
    """Reads the region whose assertions have this `iss`, or None; one whose trust has ended is not found."""
    return await first(connection, _BY_ISSUER, issuer=issuer)


async def list_regions(connection: AsyncConnection, *, state: str, after: str, limit: int) -> Sequence[Row]:
    """Lists regions by code; an empty state takes all."""
    return await many(connection, _LIST, state=state, after=after, **{LIMIT: limit})
