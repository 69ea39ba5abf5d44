"""What is noted of a licence's files."""

from libs.db.engine import Database
from libs.db.query import Query
from services.license.core.licenses import License

# Two first downloads may draw the same twin; whichever comes second finds it there.
_KEEP_PDF = Query(
    License,
    """
UPDATE licenses SET pdf_digest = coalesce(pdf_digest, :digest), pdf_size = coalesce(pdf_size, :size)
WHERE id = CAST(:id AS uuid) RETURNING {columns}
""",
)


async def keep_pdf(database: Database, row: License, digest: str, size: int) -> License:
    """Notes the PDF twin, the first time; returns the licence as it stands."""
    async with database.read() as connection:
        return await _KEEP_PDF.one(connection, id=row.id, digest=digest, size=size)
