"""Reads and writes licences."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import unix_ms
from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from services.license.tables import license_uses, licenses

_C = licenses.c
_BY_IDENTIFIER = sa.select(licenses).where(_C.identifier == sa.bindparam(rows.KEY))
_SEVERAL = sa.select(licenses).where(_C.id == sa.any_(sa.bindparam(rows.KEY, type_=ARRAY(_C.id.type))))
_OF_CASE = sa.select(licenses).where(
    _C.case_name == sa.bindparam("case_name"), _C.license_type == sa.bindparam("license_type"),
    _C.case_name != "", _C.state != "VOIDED",
)  # fmt: skip
_DRAFTS = sa.select(licenses).where(_C.state == "DRAFT", _C.id < sa.bindparam("before")).order_by(_C.id).limit(50)
# What public verification may come to tell; the number and the holders only where the asker brought something.
_PUBLIC = (
    _C.id, _C.identifier, _C.type_display_name, _C.issuer_name, _C.license_version, _C.issue_date, _C.valid_from,
    _C.valid_until, _C.state, _C.state_time, _C.organization_names, _C.face_check, _C.content, _C.seal_id,
    _C.ofd_digest,
)  # fmt: skip
_VERIFY_IDENTIFIER = sa.select(*_PUBLIC).where(_C.identifier == sa.bindparam(rows.KEY))
_VERIFY_DIGEST = sa.select(*_PUBLIC).where(
    sa.or_(_C.ofd_digest == sa.bindparam(rows.KEY), _C.pdf_digest == sa.bindparam(rows.KEY))
)
_VERIFY_COPY = (
    sa.select(*_PUBLIC, license_uses.c.copy_expire_time)
    .join(license_uses, license_uses.c.license_id == _C.id)
    .where(license_uses.c.copy_digest == sa.bindparam(rows.KEY))
    .order_by(license_uses.c.copy_expire_time.desc())
    .limit(1)
)
_FROM_DRAFT = (
    sa.update(licenses)
    .where(_C.id == sa.bindparam(rows.KEY), _C.state == "DRAFT")
    .values(version=_C.version + 1)
    .returning(licenses)
)
# Two first downloads may draw the same twin; whichever comes second finds it there.
_PDF = (
    sa.update(licenses)
    .where(_C.id == sa.bindparam(rows.KEY), _C.pdf_digest.is_(None))
    .values(pdf_digest=sa.bindparam("digest"), pdf_size=sa.bindparam("size"))
)
_NEXT_ATTEMPT = (
    sa.update(licenses)
    .where(_C.id == sa.bindparam(rows.KEY), _C.seal_attempt == sa.bindparam("attempt"), _C.state == "DRAFT")
    .values(seal_attempt=_C.seal_attempt + 1)
)
HIDDEN = ("DRAFT", "VOIDED")
"""States that only the issuer sees."""


@cache
def _page(filters: frozenset[str]) -> sa.Select[Any]:
    query = sa.select(licenses).order_by(_C.id.desc()).limit(sa.bindparam("size"))
    conditions = {
        "holder": _C.holders.contains(sa.bindparam("holder", type_=_C.holders.type)),
        "case_name": sa.and_(_C.case_name == sa.bindparam("case_name"), _C.case_name != "", _C.state != "VOIDED"),
        "issuer": _C.issuer_department == sa.bindparam("issuer"),
        "license_type": _C.license_type == sa.bindparam("license_type"),
        "state": _C.state == sa.bindparam("state"),
        "before": _C.id < sa.bindparam("before"),
        # For everybody but the issuer: an unfinished licence does not exist.
        "shown": _C.state.not_in(HIDDEN),
    }
    return query.where(*(conditions[name] for name in sorted(filters)))


class LicenseStore:
    """Licences in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, identifier: str) -> Row:
        """Reads a licence by its id; raises NotFound."""
        row = await self._first(rows.by_id(licenses), identifier)
        if row is None:
            raise not_found(f"licenses/{identifier}")
        return row

    async def by_identifier(self, identifier: str) -> Row:
        """Reads a licence by its identifier of GB/T 36904; raises NotFound."""
        row = await self._first(_BY_IDENTIFIER, identifier)
        if row is None:
            raise not_found("licenses")
        return row

    async def several(self, names: Sequence[str]) -> list[Row]:
        """Reads licences by their names, in that order; raises NotFound for the first that is not there."""
        keys = [name.removeprefix("licenses/") for name in names]
        async with self._database.read() as connection:
            found = {row.id: row for row in await connection.execute(_SEVERAL, {rows.KEY: keys})}
        for key in keys:
            if key not in found:
                raise not_found(f"licenses/{key}")
        return [found[key] for key in keys]

    async def of_case(self, case_name: str, license_type: str) -> Row | None:
        """Reads the licence of this type that the case has yielded, or None."""
        async with self._database.read() as connection:
            values = {"case_name": case_name, "license_type": license_type}
            row: Row | None = (await connection.execute(_OF_CASE, values)).first()
            return row

    async def drafts(self, before: datetime) -> list[Row]:
        """Lists drafts made before a moment of the machine's time, which their ids carry; at most 50."""
        async with self._database.read() as connection:
            return list((await connection.execute(_DRAFTS, {"before": uuid7(unix_ms(before))})).all())

    async def verified(self, identifier: str) -> Row | None:
        """Reads what a verification by identifier needs, or None."""
        return await self._first(_VERIFY_IDENTIFIER, identifier)

    async def verified_file(self, digest: str) -> Row | None:
        """Reads what a verification needs of the licence whose original file has this digest, or None."""
        return await self._first(_VERIFY_DIGEST, digest)

    async def verified_copy(self, digest: str) -> Row | None:
        """Reads the same by the digest of an annotated copy that was handed out, with its ``copy_expire_time``."""
        return await self._first(_VERIFY_COPY, digest)

    async def _first(self, query: sa.Select[Any], key: str) -> Row | None:
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(query, {rows.KEY: key})).first()
            return row

    async def page(self, size: int, filters: Mapping[str, Any]) -> list[Row]:
        """Lists licences, newest first.

        Filters: ``holder`` (a list of one account), ``case_name``, ``issuer``, ``license_type``, ``state``, ``before``
        (an id), ``shown`` (leaves out what only the issuer sees; its value is not used).
        """
        values = {name: value for name, value in filters.items() if name != "shown"}
        async with self._database.read() as connection:
            return list((await connection.execute(_page(frozenset(filters)), {"size": size, **values})).all())

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a licence and keeps others from changing it; raises NotFound."""
        row: Row | None = (await connection.execute(rows.by_id(licenses, lock=True), {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"licenses/{identifier}")
        return row

    async def leave_draft(self, connection: AsyncConnection, identifier: str, values: Mapping[str, Any]) -> Row | None:
        """Changes a draft in one statement; None where it is no draft any more."""
        row: Row | None = (await connection.execute(_FROM_DRAFT, {rows.KEY: identifier, **values})).first()
        return row

    async def keep_pdf(self, identifier: str, digest: str, size: int) -> None:
        """Notes the PDF twin, the first time."""
        async with self._database.transaction() as connection:
            await connection.execute(_PDF, {rows.KEY: identifier, "digest": digest, "size": size})

    async def next_attempt(self, identifier: str, attempt: int) -> None:
        """Counts the sealing attempt of a draft up, if it still stands at ``attempt``."""
        async with self._database.transaction() as connection:
            await connection.execute(_NEXT_ATTEMPT, {rows.KEY: identifier, "attempt": attempt})
