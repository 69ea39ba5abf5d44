"""What all reads have in common: names to ids, one row or NotFound, pages."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Row
from libs.db.paging import next_token, page_size, position
from libs.errors import not_found
from libs.ids.uuid7 import is_uuid7

LIMIT = "row_limit"
"""The parameter that holds how many rows a page reads: one more than it shows."""
NO_ID = "00000000-0000-0000-0000-000000000000"
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def id_of(name: str) -> str:
    """Returns the last part of a name of this region; raises NotFound where it is no id that was ever given out."""
    identifier = name.rpartition("/")[2]
    if name.startswith("//") or not is_uuid7(identifier):
        raise not_found(name)
    return identifier


async def first(connection: AsyncConnection, query: sa.Select[*tuple[Any, ...]], **parameters: Any) -> Row | None:
    """Returns the first row that ``query`` finds, or None."""
    row: Row | None = (await connection.execute(query, parameters)).first()
    return row


async def many(connection: AsyncConnection, query: sa.Select[*tuple[Any, ...]], **parameters: Any) -> Sequence[Row]:
    """Returns all rows that ``query`` finds."""
    found: Sequence[Row] = (await connection.execute(query, parameters)).all()
    return found


async def one(connection: AsyncConnection, table: sa.Table, name: str, *, lock: bool = False) -> Row:
    """Reads the row of a resource whose id is a UUIDv7, locked for change if wished; raises NotFound."""
    return await keyed(connection, table, id_of(name), name, lock=lock)


async def keyed(connection: AsyncConnection, table: sa.Table, key: str, name: str, *, lock: bool = False) -> Row:
    """Reads the row with this key, locked for change if wished; raises NotFound that says ``name``."""
    row = await first(connection, rows.by_id(table, lock=lock), **{rows.KEY: key})
    if row is None:
        raise not_found(name)
    return row


class Page:
    """One page of a list: where it begins, how long it is, and the token of the next."""

    def __init__(self, request: Any, *beginning: str) -> None:
        """Reads a list request; ``beginning`` is the sort key before all rows."""
        self._request: Message = request
        self._size = page_size(request.page_size)
        self.after = tuple(map(str, position(request, request.page_token) or beginning))
        self.limit = self._size + 1
        self.next_page_token = ""

    def cut(self, found: Sequence[Row], key: Callable[[Row], tuple[str, ...]]) -> Sequence[Row]:
        """Returns the rows of the page and sets ``next_page_token`` where more follow."""
        kept = found[: self._size]
        if len(found) > self._size:
            self.next_page_token = next_token(self._request, *key(kept[-1]))
        return kept
