"""What a service recorded, as its own operator could read it: the records, and the salts that only receipts carry."""

import sqlalchemy as sa

from libs.audit.digests import opens
from libs.audit.records import Record, parse_canonical
from libs.db.schema import audit_records
from libs.process import Process
from tests.support import sql


async def records_of(process: Process, action: str) -> list[Record]:
    """The records of what was done by an RPC, or under another name that ends so; oldest first."""
    async with process.database.read() as connection:
        found = await sql.scalars(connection, sa.select(audit_records.c.canonical).order_by(audit_records.c.seq))
    return [each for each in map(parse_canonical, found) if each.action.endswith(action)]


def is_of(process: Process, record: Record, asked: bytes) -> bool:
    """Whether a record is of exactly these bytes of a request."""
    return opens(process.log.salt(record.name.rpartition("/")[2]), asked, record.request_hash)
