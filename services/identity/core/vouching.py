"""What regions tell one another of who their people are: with each assertion, and believed until the next."""

import json
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from libs.clock import Clock
from libs.crypto.envelope import Column, FieldCipher
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.ids.documents import CREDIT_CODE
from services.identity.core import schema
from services.identity.core.accounts import Organization, Person, organization, person
from services.identity.core.claims import Claims, IdentityClaim
from services.identity.core.staff import Department, department

_SEALED = Column("asserted_identities", "sealed")

asserted_identities = sa.Table(
    "asserted_identities",
    schema.METADATA,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("assert_time", sa.DateTime(timezone=True), nullable=False),
    comment="Who other regions last said that their people and organisations are; sealed holds name and document.",
)


@of(asserted_identities)
@dataclass(frozen=True, slots=True)
class AssertedIdentity:
    """Who another region last said that somebody is; ``sealed`` holds name and document, encrypted."""

    subject: str
    region: str
    sealed: bytes
    assert_time: datetime


_KNOWN = Query(AssertedIdentity, "SELECT {columns} FROM asserted_identities WHERE subject = :subject")
_BELIEVE = Query(
    AssertedIdentity,
    """INSERT INTO asserted_identities (subject, region, sealed, assert_time)
    VALUES (:subject, :region, :sealed, :now)
    ON CONFLICT (subject) DO UPDATE SET sealed = excluded.sealed, assert_time = excluded.assert_time
    RETURNING {columns}""",
)


@dataclass(frozen=True, slots=True)
class Vouching:
    """Vouches for this region's people to others, and keeps what others vouched for."""

    database: Database
    cipher: FieldCipher
    clock: Clock

    async def vouch_for(self, made: Claims, subject: Claims) -> Claims:
        """Returns an assertion with who its subject is, and for whom they act, as the accounts have it."""
        names = [subject.sub, subject.authority.principal if subject.authority else ""]
        home = made.sub.removesuffix(subject.sub)
        async with self.database.read() as connection:
            found = [
                await self.stated(connection, name) for name in names if name.startswith(("persons/", "organizations/"))
            ]
        return replace(made, stated=tuple(replace(each, sub=home + each.sub) for each in found))

    async def stated(self, connection: DatabaseConnection, name: str) -> IdentityClaim:
        """Returns who an account or a department of this region is; raises NotFound."""
        if name.startswith("organizations/"):
            return of_body(await organization(connection, name))
        if name.startswith("departments/"):
            return of_body(await department(connection, name))
        return self.of_person(await person(connection, name))

    def of_person(self, row: Person) -> IdentityClaim:
        """Returns who a person is."""
        return IdentityClaim(row.name, row.clear_name(self.cipher), row.document_type, row.clear_number(self.cipher))

    async def believe(self, claims: Claims, region: str) -> None:
        """Keeps what a checked assertion says of its subject, and of whom they act for."""
        authority = claims.authority
        # What was begun under a name of before accounts were merged names them so.
        about = {claims.sub: claims.former} | ({authority.principal: authority.former} if authority else {})
        async with self.database.read() as connection:
            for each in claims.stated:
                for name in (each.sub, *about[each.sub]) if each.sub in about else ():
                    content = json.dumps([each.name, each.document, each.number]).encode()
                    sealed = self.cipher.encrypt(_SEALED, name, content)
                    await _BELIEVE.one(connection, subject=name, region=region, sealed=sealed, now=self.clock.now())

    async def believed(self, name: str) -> IdentityClaim | None:
        """Returns what the home region last said of somebody, or None."""
        async with self.database.read() as connection:
            row = await _KNOWN.first(connection, subject=name)
        if row is None:
            return None
        return IdentityClaim(name, *json.loads(self.cipher.decrypt(_SEALED, name, row.sealed)))


def of_body(row: Organization | Department) -> IdentityClaim:
    """Returns who an organisation or a department is."""
    return IdentityClaim(row.name, row.display_name, CREDIT_CODE, row.uscc)
