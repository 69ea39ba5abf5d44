"""What regions tell one another of who their people are: with each assertion, and believed until the next."""

import json
from dataclasses import replace

import sqlalchemy as sa

from libs.clock import Clock
from libs.crypto.envelope import Column, FieldCipher
from libs.db.engine import Database, Row
from libs.ids.documents import CREDIT_CODE
from services.identity.convert.accounts import DOCUMENT_NUMBER, FULL_NAME
from services.identity.domain.claims import Claims, Stated
from services.identity.store.accounts import AccountStore
from services.identity.tables import asserted_identities

_SEALED = Column("asserted_identities", "sealed")
_KNOWN = sa.select(asserted_identities.c.sealed).where(asserted_identities.c.subject == sa.bindparam("subject"))
_BELIEVE = sa.text("""
INSERT INTO asserted_identities (subject, region, sealed, assert_time) VALUES (:subject, :region, :sealed, :now)
ON CONFLICT (subject) DO UPDATE SET sealed = excluded.sealed, assert_time = excluded.assert_time
""").bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True)))


class Vouching:
    """Vouches for this region's people to others, and keeps what others vouched for."""

    def __init__(self, database: Database, store: AccountStore, cipher: FieldCipher, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._cipher = cipher
        self._clock = clock

    async def speak(self, made: Claims, subject: Claims) -> Claims:
        """Returns an assertion with who its subject is, and for whom they act, as the accounts have it."""
        names = [subject.sub, subject.authority.principal if subject.authority else ""]
        home = made.sub.removesuffix(subject.sub)
        found = [await self.stated(name) for name in names if name.startswith(("persons/", "organizations/"))]
        return replace(made, stated=tuple(replace(each, sub=home + each.sub) for each in found))

    async def stated(self, name: str) -> Stated:
        """Returns who an account or a department of this region is; raises NotFound."""
        if name.startswith("organizations/"):
            row = await self._store.organization(name)
            return Stated(name, row.display_name, CREDIT_CODE, row.uscc)
        if name.startswith("departments/"):
            row = await self._store.department(name)
            return Stated(name, row.display_name, CREDIT_CODE, row.uscc)
        return self._person(name, await self._store.person(name))

    def _person(self, name: str, row: Row) -> Stated:
        decrypt = self._cipher.decrypt_text
        full_name = decrypt(FULL_NAME, row.id, row.full_name)
        return Stated(name, full_name, row.document_type, decrypt(DOCUMENT_NUMBER, row.id, row.document_number))

    async def believe(self, claims: Claims, region: str) -> None:
        """Keeps what a checked assertion says of its subject, and of whom they act for."""
        about = {claims.sub, claims.authority.principal if claims.authority else ""}
        async with self._database.read() as connection:
            for each in claims.stated:
                if each.sub in about:
                    sealed = self._cipher.encrypt(
                        _SEALED, each.sub, json.dumps([each.name, each.document, each.number]).encode()
                    )
                    values = {"subject": each.sub, "region": region, "sealed": sealed, "now": self._clock.now()}
                    await connection.execute(_BELIEVE, values)

    async def believed(self, name: str) -> Stated | None:
        """Returns what the home region last said of somebody, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(_KNOWN, {"subject": name})).first()
        if row is None:
            return None
        return Stated(name, *json.loads(self._cipher.decrypt(_SEALED, name, row.sealed)))
