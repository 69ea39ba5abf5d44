"""Licences in PostgreSQL: the table, its record, and what several features read of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from services.license.core import schema
from services.license.core.lifecycle import LicenseStanding, LicenseState, standing
from services.license.core.reading import LicenseFacts
from services.license.core.validity import LicenseTerm
from tongban.license.v1 import resources_pb2 as pb

CONTENT = Column("licenses", "content")
OFD, PDF = "application/ofd", "application/pdf"

licenses = sa.Table(
    "licenses",
    schema.METADATA,
    columns.record_id(),
    sa.Column("identifier", sa.Text, nullable=False, unique=True),
    sa.Column("number_index", sa.LargeBinary, nullable=False),
    sa.Column("license_type", sa.Uuid(as_uuid=False), sa.ForeignKey("license_types.id"), nullable=False),
    sa.Column("type_code", sa.Text, nullable=False),
    sa.Column("type_display_name", sa.Text, nullable=False),
    sa.Column("license_version", sa.SmallInteger, nullable=False),
    sa.Column("issuer_department", sa.Text, nullable=False),
    sa.Column("issuer_name", sa.Text, nullable=False),
    sa.Column("issuer_code", sa.Text, nullable=False),
    columns.texts("holders"),
    columns.texts("organization_names"),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("issue_date", sa.Date, nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_until", sa.Date),
    columns.text("item_code"),
    columns.text("case_name"),
    columns.text("receiving_region"),
    sa.Column("face_check", sa.Text, nullable=False),
    sa.Column("qr_content", sa.Text, nullable=False),
    sa.Column("page_digest", sa.Text, nullable=False),
    sa.Column("ofd_digest", sa.Text),
    sa.Column("ofd_size", sa.Integer),
    sa.Column("pdf_digest", sa.Text),
    sa.Column("pdf_size", sa.Integer),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Column("seal_id", sa.Text, nullable=False),
    sa.Column("seal_diameter", sa.SmallInteger, nullable=False),
    sa.Column("seal_attempt", sa.SmallInteger, nullable=False, server_default="1"),
    columns.text("sealing"),
    columns.text("previous_identifier"),
    columns.text("associated_identifier"),
    columns.text("next_identifier"),
    sa.Column("state", sa.Text, nullable=False),
    columns.text("state_reason"),
    columns.text("state_legal_basis"),
    columns.moment("state_time"),
    columns.moment("issue_time"),
    columns.moment("suspend_time"),
    columns.moment("resume_time"),
    columns.moment("revoke_time"),
    columns.moment("withdraw_time"),
    columns.moment("cancel_time"),
    columns.moment("expire_time"),
    columns.moment("transfer_time"),
    columns.moment("void_time"),
    *columns.life(),
    # Voided ones count too: a number that was taken once is never given again.
    sa.Index("licenses_number", "license_type", "number_index", unique=True),
    sa.Index(
        "licenses_case",
        "case_name",
        "license_type",
        unique=True,
        postgresql_where=sa.text("case_name <> '' AND state <> 'VOIDED'"),
    ),
    sa.Index(
        "licenses_voided_case",
        "case_name",
        "license_type",
        "id",
        postgresql_where=sa.text("case_name <> '' AND state = 'VOIDED'"),
    ),
    sa.Index("licenses_holders", "holders", postgresql_using="gin"),
    sa.Index("licenses_of_issuer", "issuer_department", "create_time", "id"),
    sa.Index("licenses_ofd", "ofd_digest", postgresql_where=sa.text("ofd_digest IS NOT NULL")),
    sa.Index("licenses_pdf", "pdf_digest", postgresql_where=sa.text("pdf_digest IS NOT NULL")),
    sa.Index("licenses_drafts", "id", postgresql_where=sa.text("state = 'DRAFT'")),
    comment="Licences, one row a version. A draft is the committed intent of a signing.",
)


@of(licenses)
@dataclass(frozen=True, slots=True)
class License:
    """A licence, one version of it. What it says of people lies encrypted in ``content`` (:func:`opened`)."""

    id: str
    identifier: str
    number_index: bytes
    license_type: str
    type_code: str
    type_display_name: str
    issuer_department: str
    issuer_name: str
    issuer_code: str
    holders: tuple[str, ...]
    organization_names: tuple[str, ...]
    content: bytes
    issue_date: date
    valid_from: date
    valid_until: date | None
    item_code: str
    case_name: str
    receiving_region: str
    face_check: str
    qr_content: str
    seal: str
    seal_id: str
    seal_diameter: int
    create_time: datetime
    update_time: datetime
    license_version: int = 1
    page_digest: str = ""
    ofd_digest: str | None = None
    ofd_size: int | None = None
    pdf_digest: str | None = None
    pdf_size: int | None = None
    seal_attempt: int = 1
    sealing: str = ""
    previous_identifier: str = ""
    associated_identifier: str = ""
    next_identifier: str = ""
    state: LicenseState = LicenseState.DRAFT
    state_reason: str = ""
    state_legal_basis: str = ""
    state_time: datetime | None = None
    issue_time: datetime | None = None
    suspend_time: datetime | None = None
    resume_time: datetime | None = None
    revoke_time: datetime | None = None
    withdraw_time: datetime | None = None
    cancel_time: datetime | None = None
    expire_time: datetime | None = None
    transfer_time: datetime | None = None
    void_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"licenses/{self.id}"

    def facts(self, home: str) -> LicenseFacts:
        """Returns what decides about its use."""
        return LicenseFacts(
            self.name,
            home,
            frozenset(self.holders),
            self.issuer_department,
            self.case_name,
            self.receiving_region,
            self.type_code,
        )

    def standing_on(self, day: date) -> LicenseStanding:
        """Returns what it is worth on a day."""
        return standing(self.state, LicenseTerm(self.valid_from, self.valid_until), day)


@of(licenses)
@dataclass(frozen=True, slots=True)
class KnownLicense:
    """A licence that is there, whatever it is."""

    id: str

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"licenses/{self.id}"


def opened(license_id: str, content: bytes, cipher: FieldCipher) -> pb.License:
    """Decrypts what a licence says of people: a message with number, holders and face only."""
    return pb.License.FromString(cipher.decrypt(CONTENT, license_id, content))


def license_id(name: str) -> str:
    """Returns the id in the name of a licence of this region."""
    return name.removeprefix("licenses/")


_BY_ID = Query(License, "SELECT {columns} FROM licenses WHERE id = CAST(:id AS uuid)")
_LOCK = Query(License, "SELECT {columns} FROM licenses WHERE id = CAST(:id AS uuid) FOR UPDATE")
_SEVERAL = Query(License, "SELECT {columns} FROM licenses WHERE id = ANY(CAST(:ids AS uuid[]))")


class LicenseStore:
    """Reads licences."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> License:
        """Reads a licence by its name; raises NotFound."""
        async with self._database.read() as connection:
            found = await _BY_ID.first(connection, id=license_id(name))
        return _found(found, name)

    async def several(self, names: Sequence[str]) -> list[License]:
        """Reads licences by their names, in that order; raises NotFound for the first that is not there."""
        async with self._database.read() as connection:
            found = {each.name: each for each in await _SEVERAL.all(connection, ids=[license_id(n) for n in names])}
        return [_found(found.get(name), name) for name in names]


async def lock(connection: DatabaseConnection, name: str) -> License:
    """Reads a licence and keeps others from changing it; raises NotFound."""
    return _found(await _LOCK.first(connection, id=license_id(name)), name)


def _found(found: License | None, name: str) -> License:
    if found is None:
        raise not_found(name)
    return found
