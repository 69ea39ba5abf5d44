"""Reads materials."""

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.license.tables import materials


class MaterialStore:
    """Materials in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, identifier: str) -> Row:
        """Reads a material; raises NotFound."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(rows.by_id(materials), {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"materials/{identifier}")
        return row
