"""What a verification reads: as little as it may come to tell."""

from dataclasses import dataclass
from datetime import date, datetime

from libs.db.engine import Database
from libs.db.query import Query, of
from services.license.core.licenses import licenses
from services.license.core.lifecycle import LicenseState
from services.license.core.recording import license_uses


@of(licenses)
@dataclass(frozen=True, slots=True)
class RecordedLicense:
    """What public verification may come to tell of a licence; ``content`` only where the asker brought something."""

    id: str
    identifier: str
    type_display_name: str
    issuer_name: str
    license_version: int
    issue_date: date
    valid_from: date
    valid_until: date | None
    state: LicenseState
    state_time: datetime | None
    organization_names: tuple[str, ...]
    face_check: str
    content: bytes
    seal_id: str
    ofd_digest: str | None


@of(license_uses)
@dataclass(frozen=True, slots=True)
class HandedOutCopy:
    """An annotated copy of a licence, and until when it may be used."""

    license_id: str
    copy_expire_time: datetime | None


_BY_IDENTIFIER = Query(RecordedLicense, "SELECT {columns} FROM licenses WHERE identifier = :key")
_BY_FILE = Query(RecordedLicense, "SELECT {columns} FROM licenses WHERE ofd_digest = :key OR pdf_digest = :key")
_BY_ID = Query(RecordedLicense, "SELECT {columns} FROM licenses WHERE id = CAST(:key AS uuid)")
_COPY = Query(
    HandedOutCopy,
    "SELECT {columns} FROM license_uses WHERE copy_digest = :key ORDER BY copy_expire_time DESC LIMIT 1",
)


class VerifiedLicenses:
    """Finds the licence that is asked about, or None."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_identifier(self, identifier: str) -> RecordedLicense | None:
        """Finds it by its identifier."""
        return await self._one(_BY_IDENTIFIER, identifier)

    async def by_file(self, digest: str) -> RecordedLicense | None:
        """Finds it by the digest of its original file."""
        return await self._one(_BY_FILE, digest)

    async def by_copy(self, digest: str) -> tuple[RecordedLicense | None, datetime | None]:
        """Finds it by the digest of an annotated copy that was handed out, and until when that may be used."""
        async with self._database.read() as connection:
            copy = await _COPY.first(connection, key=digest)
            if copy is None:
                return None, None
            return await _BY_ID.first(connection, key=copy.license_id), copy.copy_expire_time

    async def _one(self, query: Query[RecordedLicense], key: str) -> RecordedLicense | None:
        async with self._database.read() as connection:
            return await query.first(connection, key=key)
