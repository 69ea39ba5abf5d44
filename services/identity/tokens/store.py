"""What exchanges read of the trust list, and keep of what other regions assert."""

from dataclasses import asdict

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query
from services.identity.core.mandates import AssertedRight
from services.identity.core.regions import ListedRegion

_BY_ISSUER = Query(ListedRegion, "SELECT {columns} FROM regions WHERE issuer = :issuer AND state <> 'ENDED'")
_REMEMBER = Query(
    AssertedRight,
    """INSERT INTO asserted_rights (person, principal, mandate, region, item_codes, powers, expire_time, assert_time, transaction)
    VALUES (:person, :principal, :mandate, :region, :item_codes, :powers, :expire_time, :assert_time, :transaction)
    ON CONFLICT (person, principal, mandate) DO UPDATE SET region = excluded.region, item_codes = excluded.item_codes,
      powers = excluded.powers, expire_time = excluded.expire_time, assert_time = excluded.assert_time,
      transaction = excluded.transaction
    RETURNING {columns}""",
)


async def by_issuer(connection: DatabaseConnection, issuer: str) -> ListedRegion | None:
    """Reads the region whose assertions have this `iss`, or None; one whose trust has ended is not found."""
    return await _BY_ISSUER.first(connection, issuer=issuer)


async def remember(database: Database, right: AssertedRight) -> None:
    """Keeps what another region asserted now, in place of what it asserted before."""
    async with database.read() as connection:
        await _REMEMBER.one(connection, **asdict(right))
