"""Reads and writes licences."""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.license.tables import licenses

_C = licenses.c


@dataclass(frozen=True, slots=True)
class VerifiedRow:
    """What public verification may come to tell of a licence; ``content`` only where the asker brought something."""

    id: str
    identifier: str
    type_display_name: str
    issuer_name: str
    license_version: int
    issue_date: date
    valid_from: date
    valid_until: date | None
    state: str
    state_time: datetime
    organization_names: Sequence[str]
    face_check: str
    content: bytes
    seal_id: str
    ofd_digest: str | None
    copy_expire_time: datetime | None = None

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Returns the columns of the licence, in the order of the fields."""
        return tuple(each.name for each in fields(cls))[:-1]


_SEVERAL = sa.select(licenses).where(_C.id == sa.any_(sa.bindparam(rows.KEY, type_=ARRAY(_C.id.type))))
_ISSUED = sa.select(_C.id).where(
    _C.id == sa.any_(sa.bindparam(rows.KEY, type_=ARRAY(_C.id.type))), _C.ofd_digest.is_not(None)
)
_OF_CASE = sa.select(licenses).where(
    _C.case_name == sa.bindparam("case_name"),
    _C.license_type == sa.bindparam("license_type"),
    _C.case_name != "",
    _C.state != "VOIDED",
)
# Two selects, so that each has its partial index. What is not voided comes first.
_LAST_OF_CASE = (
    sa.select(licenses.c.id)
    .where(
        _C.case_name == sa.bindparam("case_name"),
        _C.license_type == sa.bindparam("license_type"),
        _C.case_name != "",
        _C.state != "VOIDED",
    )
    .union_all(
        sa.select(licenses.c.id)
        .where(
            _C.case_name == sa.bindparam("case_name"),
            _C.license_type == sa.bindparam("license_type"),
            _C.case_name != "",
            _C.state == "VOIDED",
        )
        .order_by(_C.id.desc())
        .limit(1)
    )
    .limit(1)
)
DRAFTS = """
SELECT id AS key, issuer_department AS party FROM licenses
WHERE state = 'DRAFT' AND (id < CAST(:before AS uuid) OR id > CAST(:after AS uuid))
"""
"""The drafts begun before a moment of the machine's time, which their ids carry, as a sweep looks for them; and those that
were begun while it was ahead."""
# The hottest reads go to the driver itself. Its records become rows of the same attributes.
_COLUMNS = ", ".join(f"{each.name}::text" if isinstance(each.type, sa.Uuid) else each.name for each in _C)
_HOT_BY_ID = f"SELECT {_COLUMNS} FROM licenses WHERE id = $1"  # noqa: S608 - names of our own columns
_HOT_BY_IDENTIFIER = f"SELECT {_COLUMNS} FROM licenses WHERE identifier = $1"  # noqa: S608 - as above
_LicenseRow: Any = namedtuple("LicenseRow", [each.name for each in _C])  # type: ignore[misc]  # noqa: PYI024 - the fields are the table's

_PUBLIC = ", ".join(f"l.{each}" if each != "id" else "l.id::text" for each in VerifiedRow.columns())
_VERIFY_IDENTIFIER = f"SELECT {_PUBLIC} FROM licenses AS l WHERE l.identifier = $1"  # noqa: S608 - as above
_VERIFY_FILE = f"SELECT {_PUBLIC} FROM licenses AS l WHERE l.ofd_digest = $1 OR l.pdf_digest = $1"  # noqa: S608 - as above
_VERIFY_COPY = f"""
SELECT {_PUBLIC}, u.copy_expire_time FROM licenses AS l JOIN license_uses AS u ON u.license_id = l.id
WHERE u.copy_digest = $1 ORDER BY u.copy_expire_time DESC LIMIT 1
"""  # noqa: S608 - as above
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
_RESEAL = (
    sa.update(licenses)
    .where(_C.id == sa.bindparam(rows.KEY), _C.seal == sa.bindparam("ended"), _C.state == "DRAFT")
    .values(seal_attempt=_C.seal_attempt + 1)
    .returning(licenses)
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
        return await self._one(_HOT_BY_ID, identifier, f"licenses/{identifier}")

    async def by_identifier(self, identifier: str) -> Row:
        """Reads a licence by its identifier of GB/T 36904; raises NotFound."""
        return await self._one(_HOT_BY_IDENTIFIER, identifier, "licenses")

    async def _one(self, query: str, key: str, name: str) -> Row:
        async with self._database.driver() as connection:
            record = await connection.fetchrow(query, key)
        if record is None:
            raise not_found(name)
        return cast("Row", _LicenseRow._make(record))

    async def several(self, names: Sequence[str]) -> list[Row]:
        """Reads licences by their names, in that order; raises NotFound for the first that is not there."""
        keys = [name.removeprefix("licenses/") for name in names]
        async with self._database.read() as connection:
            found = {row.id: row for row in await connection.execute(_SEVERAL, {rows.KEY: keys})}
        for key in keys:
            if key not in found:
                raise not_found(f"licenses/{key}")
        return [found[key] for key in keys]

    async def issued(self, names: Sequence[str]) -> frozenset[str]:
        """Returns which of some licences were ever issued, whatever became of them."""
        keys = [name.removeprefix("licenses/") for name in names]
        async with self._database.read() as connection:
            found = (await connection.execute(_ISSUED, {rows.KEY: keys})).scalars()
            return frozenset(f"licenses/{key}" for key in found)

    async def of_case(self, case_name: str, license_type: str) -> Row | None:
        """Reads the licence of this type that the case has yielded, or None."""
        async with self._database.read() as connection:
            values = {"case_name": case_name, "license_type": license_type}
            row: Row | None = (await connection.execute(_OF_CASE, values)).first()
            return row

    async def last_of_case(self, case_name: str, license_type: str) -> str | None:
        """Returns the id of the licence of this type that a case yields, or of its last voided draft, or None."""
        async with self._database.read() as connection:
            values = {"case_name": case_name, "license_type": license_type}
            return (await connection.execute(_LAST_OF_CASE, values)).scalar()

    async def verified(self, identifier: str) -> VerifiedRow | None:
        """Reads what a verification by identifier needs, or None."""
        return await self._verified(_VERIFY_IDENTIFIER, identifier)

    async def verified_file(self, digest: str) -> VerifiedRow | None:
        """Reads what a verification needs of the licence whose original file has this digest, or None."""
        return await self._verified(_VERIFY_FILE, digest)

    async def verified_copy(self, digest: str) -> VerifiedRow | None:
        """Reads the same by the digest of an annotated copy that was handed out, with its ``copy_expire_time``."""
        return await self._verified(_VERIFY_COPY, digest)

    async def _verified(self, query: str, key: str) -> VerifiedRow | None:
        async with self._database.driver() as connection:
            record = await connection.fetchrow(query, key)
        return VerifiedRow(*record) if record is not None else None

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

    async def reseal(self, row: Row, columns: Mapping[str, Any]) -> Row | None:
        """Gives a draft another seal and the page that goes with it; None where it is no draft of this seal any more."""
        async with self._database.transaction() as connection:
            given = {**columns, rows.KEY: row.id, "ended": row.seal}
            changed: Row | None = (await connection.execute(_RESEAL, given)).first()
        return changed

    async def next_attempt(self, identifier: str, attempt: int) -> None:
        """Counts the sealing attempt of a draft up, if it still stands at ``attempt``."""
        async with self._database.transaction() as connection:
            await connection.execute(_NEXT_ATTEMPT, {rows.KEY: identifier, "attempt": attempt})
