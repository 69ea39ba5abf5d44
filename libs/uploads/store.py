"""Uploads and their parts in PostgreSQL. Times are the database's own: replicas may differ by a minute."""

from dataclasses import dataclass

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.db.schema import upload_parts, uploads
from libs.db.statement import Statement
from libs.uploads.rules import Upload, UploadQuota

of(uploads)(Upload)
of(joined(count=sa.Column(type_=sa.Integer, nullable=False), size=sa.Column(type_=sa.BigInteger, nullable=False)))(
    UploadQuota
)


@of(upload_parts)
@dataclass(frozen=True, slots=True)
class UploadPart:
    """A part of an upload: the object of this id holds ``size`` bytes; 0 where it was not written to its end."""

    id: str
    upload_id: str
    number: int
    size: int


ADD = Query(
    Upload,
    """
INSERT INTO uploads (id, owner, media_type, size, digest, state, create_time, update_time, expire_time)
VALUES (CAST(:id AS uuid), :owner, :media_type, :size, :digest, 'OPEN', now(), now(), now() + CAST(:lifetime AS interval))
RETURNING {columns}
""",
)
# What is deleted and not erased yet takes room, too.
HELD = Query(
    UploadQuota,
    """
SELECT {columns} FROM (
  SELECT CAST(count(*) AS integer) AS count, CAST(coalesce(sum(size), 0) AS bigint) AS size FROM uploads WHERE owner = :owner
) AS held
""",
)
COMPLETE = Query(
    Upload,
    """
UPDATE uploads SET state = 'COMPLETE', digest = :digest, version = version + 1, update_time = now(),
  expire_time = now() + CAST(:lifetime AS interval)
WHERE id = CAST(:id AS uuid) AND state = 'OPEN' AND received = size RETURNING {columns}
""",
)
DELETE = Query(
    Upload,
    """
UPDATE uploads SET state = 'DELETED', version = version + 1, update_time = now()
WHERE id = CAST(:id AS uuid) AND state <> 'DELETED' RETURNING {columns}
""",
)
# A part is on record before a byte of it lies anywhere, so that whatever stops in between is erased with the upload.
BEGIN_PART = Query(
    UploadPart,
    """
INSERT INTO upload_parts (id, upload_id, number)
SELECT CAST(:part AS uuid), id, CAST(:number AS integer) FROM uploads
WHERE id = CAST(:id AS uuid) AND state = 'OPEN' AND received = :start RETURNING {columns}
""",
)
# Of two who add to the same place one gets on; the other's part stays on record with no size.
KEEP_PART = Query(
    Upload,
    """
WITH moved AS (
  UPDATE uploads SET received = :upto, version = version + 1, update_time = now()
  WHERE id = CAST(:id AS uuid) AND state = 'OPEN' AND received = :start RETURNING *
), kept AS (
  UPDATE upload_parts SET size = CAST(:size AS integer) WHERE id = CAST(:part AS uuid) AND EXISTS (SELECT 1 FROM moved)
)
SELECT {columns} FROM moved
""",
)
# Of a part that grew the longest is the one that counts.
PARTS = Query(
    UploadPart,
    """
SELECT {columns} FROM (
  SELECT DISTINCT ON (number) * FROM upload_parts WHERE upload_id = CAST(:id AS uuid) AND size > 0
    AND number BETWEEN CAST(:first AS integer) AND CAST(:last AS integer) ORDER BY number, size DESC
) AS parts ORDER BY number
""",
)
SHORTER_PARTS = Query(
    UploadPart,
    "SELECT {columns} FROM upload_parts WHERE upload_id = CAST(:id AS uuid) AND number = CAST(:number AS integer) AND size > 0 "
    "AND size < CAST(:size AS integer)",
)
ALL_PARTS = Query(UploadPart, "SELECT {columns} FROM upload_parts WHERE upload_id = CAST(:id AS uuid)")
FORGET_PART = Statement("DELETE FROM upload_parts WHERE id = CAST(:id AS uuid)")
FORGET = Statement("DELETE FROM uploads WHERE id = CAST(:id AS uuid) AND state = 'DELETED'")
BY_ID = Query(Upload, "SELECT {columns} FROM uploads WHERE id = CAST(:id AS uuid)")


async def find(database: Database, key: str) -> Upload | None:
    """Reads an upload by its id."""
    async with database.read() as connection:
        return await BY_ID.first(connection, id=key)
