"""What issuing reads and writes of licences."""

from libs.db.change import Addition
from libs.db.engine import Database
from libs.db.query import Query, Update
from services.license.core.licenses import KnownLicense, License
from services.license.integrations.seal import SealToUse

DRAFTS = """
SELECT id AS key, issuer_department AS party FROM licenses
WHERE state = 'DRAFT' AND (id < CAST(:before AS uuid) OR id > CAST(:after AS uuid))
"""
"""The drafts begun before a moment of the machine's time, which their ids carry, as a sweep looks for them; and those that
were begun while it was ahead."""
ADD = Addition(License)
FROM_DRAFT = Update(License, when="state = 'DRAFT'")
"""Changes a draft; gives None where it is no draft any more."""
_OF_CASE = "case_name = :case_name AND license_type = CAST(:license_type AS uuid) AND case_name <> ''"
_YIELDED = Query(KnownLicense, f"SELECT {{columns}} FROM licenses WHERE {_OF_CASE} AND state <> 'VOIDED'")  # noqa: S608 - texts of our own
# Two selects, so that each has its partial index. What is not voided comes first.
_LAST = Query(
    KnownLicense,
    f"""
(SELECT {{columns}} FROM licenses WHERE {_OF_CASE} AND state <> 'VOIDED') UNION ALL
(SELECT {{columns}} FROM licenses WHERE {_OF_CASE} AND state = 'VOIDED' ORDER BY id DESC LIMIT 1) LIMIT 1
""",  # noqa: S608 - as above
)
_RESEAL = Query(
    License,
    """
UPDATE licenses SET seal = :seal, seal_id = :seal_id, seal_diameter = :seal_diameter, page_digest = :page_digest,
  seal_attempt = seal_attempt + 1
WHERE id = CAST(:id AS uuid) AND seal = :ended AND state = 'DRAFT' RETURNING {columns}
""",
)
_NEXT_ATTEMPT = Query(
    KnownLicense,
    """
UPDATE licenses SET seal_attempt = seal_attempt + 1
WHERE id = CAST(:id AS uuid) AND seal_attempt = :attempt AND state = 'DRAFT' RETURNING {columns}
""",
)


class IssuingStore:
    """Licences as they come to be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_case(self, case_name: str, license_type: str) -> KnownLicense | None:
        """Returns the licence of this type that a case has yielded, or None."""
        return await self._one(_YIELDED, case_name, license_type)

    async def last_of_case(self, case_name: str, license_type: str) -> KnownLicense | None:
        """Returns the licence of this type that a case yields, or its last voided draft, or None."""
        return await self._one(_LAST, case_name, license_type)

    async def _one(self, query: Query[KnownLicense], case_name: str, license_type: str) -> KnownLicense | None:
        type_id = license_type.removeprefix("licenseTypes/")
        async with self._database.read() as connection:
            return await query.first(connection, case_name=case_name, license_type=type_id)

    async def reseal(self, draft: License, seal: SealToUse, page_digest: str) -> License | None:
        """Gives a draft another seal and the page that goes with it; None where it is no draft of this seal any more."""
        async with self._database.read() as connection:
            return await _RESEAL.first(
                connection,
                id=draft.id,
                ended=draft.seal,
                seal=seal.name,
                seal_id=seal.seal_id,
                seal_diameter=seal.diameter_mm,
                page_digest=page_digest,
            )

    async def next_attempt(self, draft: License) -> None:
        """Counts the sealing attempt of a draft up, if it still stands where ``draft`` does."""
        async with self._database.read() as connection:
            await _NEXT_ATTEMPT.first(connection, id=draft.id, attempt=draft.seal_attempt)
