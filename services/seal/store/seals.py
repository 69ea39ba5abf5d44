"""Reads and writes seals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.seal.domain.sealings import SealingState
from services.seal.domain.seals import SealState
from services.seal.tables import SEAL_CODES, SEALING_NUMBERS, certificates, sealings, seals
from services.seal.tables import sealing_outcomes as outcomes

_LISTED = [column for column in seals.c if column.name not in ("structure", "svg")]
_OPENED = (
    sa.select(
        seals.c.id,
        seals.c.structure,
        certificates.c.der,
        certificates.c.key_name,
        certificates.c.key_version,
        certificates.c.id.label("certificate"),
    )
    .join(certificates, certificates.c.id == seals.c.certificate)
    .where(seals.c.id == sa.bindparam(rows.KEY))
)
_NUMBERS = (
    sa.select(sa.func.array_agg(sa.func.nextval(SEALING_NUMBERS), type_=ARRAY(sa.BigInteger)))
    .select_from(sa.func.generate_series(1, sa.bindparam("count", type_=sa.Integer)).alias())
    .scalar_subquery()
)
_FOR_USE = (
    sa.select(
        seals.c.version,
        seals.c.state,
        seals.c.valid_from_time,
        seals.c.valid_until_time,
        seals.c.certified_until_time,
        seals.c.users,
        seals.c.kept_by,
        seals.c.kept_human,
        certificates.c.revoke_time,
        certificates.c.not_before_time,
        certificates.c.not_after_time,
        _NUMBERS.label("numbers"),
    )
    .join(certificates, certificates.c.id == seals.c.certificate)
    .where(seals.c.id == sa.bindparam(rows.KEY))
)
_IS_RECORDED = (
    sa.select(sa.literal(1))
    .select_from(sealings.join(outcomes, outcomes.c.batch == sealings.c.batch))
    .where(
        sealings.c.digest == sa.bindparam("digest", type_=sa.LargeBinary),
        sealings.c.seal == seals.c.id,
        outcomes.c.state == SealingState.SIGNED.value,
        outcomes.c.signatures[sealings.c.place] == sa.bindparam("value", type_=sa.LargeBinary),
    )
    .exists()
)
_REGISTERED = sa.select(
    seals.c.structure, seals.c.state, seals.c.make_time, seals.c.revoke_time, _IS_RECORDED.label("is_recorded")
).where(seals.c.seal_id == sa.bindparam("seal_id"))
_BY_CODE = sa.select(seals.c.id).where(seals.c.seal_code == sa.bindparam("code"))
_NEXT_CODE = sa.select(sa.func.nextval(SEAL_CODES))
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_STATE = sa.case(
    (
        sa.and_(
            seals.c.state.in_([SealState.ACTIVE, SealState.FROZEN]),
            sa.func.least(seals.c.valid_until_time, seals.c.certified_until_time) < _NOW,
        ),
        SealState.EXPIRED,
    ),
    else_=seals.c.state,
)
_HANGING = (
    sa.select(seals.c.id, seals.c.owner, seals.c.certificate)
    .where(
        sa.or_(
            *(
                column == sa.bindparam("certificate", type_=sa.Uuid(as_uuid=False))
                for column in (seals.c.certificate, seals.c.maker_certificate)
            )
        ),
        sa.or_(_STATE == SealState.ACTIVE, _STATE == SealState.FROZEN),
    )
    .order_by(seals.c.id)
    .with_for_update()
)
_FILTERS = {
    "owner": seals.c.owner == sa.bindparam("owner"),
    "state": sa.bindparam("state") == _STATE,
    "kind": seals.c.kind == sa.bindparam("kind"),
    "seal_code": seals.c.seal_code == sa.bindparam("seal_code"),
    "before": seals.c.id < sa.bindparam("before", type_=sa.Uuid(as_uuid=False)),
}


@cache
def _listing(filters: frozenset[str]) -> sa.Select[*tuple[Any, ...]]:
    """Returns the query for one combination of filters, so that each uses the index that serves it."""
    query = sa.select(*_LISTED).where(*(_FILTERS[name] for name in sorted(filters)))
    return query.order_by(seals.c.id.desc()).limit(sa.bindparam("size", type_=sa.Integer))


class SealStore:
    """Seals in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seal(self, identifier: str) -> Row:
        """Reads a seal; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, rows.by_id(seals), identifier)

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a seal and keeps others from using or changing it; raises NotFound."""
        return await _one(connection, rows.by_id(seals, lock=True), identifier)

    async def hanging(self, connection: AsyncConnection, certificate: str, now: datetime) -> Sequence[Row]:
        """Reads and locks the seals in force that this certificate signs with, or whose maker it certifies."""
        return (await connection.execute(_HANGING, {"certificate": certificate, "now": now})).all()

    async def opened(self, identifier: str) -> Row:
        """Reads what of a seal never changes: structure, certificate and key; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, _OPENED, identifier)

    async def for_use(self, identifier: str, count: int) -> Row:
        """Reads what decides on a use, and draws ``count`` numbers; raises NotFound."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(_FOR_USE, {rows.KEY: identifier, "count": count})).first()
        if row is None:
            raise not_found(f"seals/{identifier}")
        return row

    async def registered(self, seal_id: str, digest: bytes, value: bytes) -> Row | None:
        """Reads structure, state, making and end of the seal with this esID; None where it isn't ours.

        Beside them, whether a use of it is on record whose TBS_Sign has this SM3 digest and that was signed with this value.
        """
        parameters = {"seal_id": seal_id, "digest": digest, "value": value}
        async with self._database.read() as connection:
            return (await connection.execute(_REGISTERED, parameters)).first()

    async def has_code(self, code: str) -> bool:
        """Tells whether a seal bears this code."""
        async with self._database.read() as connection:
            return (await connection.execute(_BY_CODE, {"code": code})).first() is not None

    async def next_code_number(self) -> int:
        """Draws the next sequence number of a seal code."""
        async with self._database.read() as connection:
            return int((await connection.execute(_NEXT_CODE)).scalar_one())

    async def page(self, filters: Mapping[str, str], size: int, now: datetime) -> Sequence[Row]:
        """Reads at most ``size`` seals, newest first.

        Args:
            filters: values of `owner`, `state`, `kind`, `seal_code`, and `before`, the id at which the page before ended.
            size: how many.
            now: the time as of which a seal counts as expired.
        """
        given = {name: value for name, value in filters.items() if value}
        parameters = {**given, "size": size} | ({"now": now} if "state" in given else {})
        async with self._database.read() as connection:
            return (await connection.execute(_listing(frozenset(given)), parameters)).all()


async def _one(connection: AsyncConnection, query: sa.Select[Any], identifier: str) -> Row:
    row: Row | None = (await connection.execute(query, {rows.KEY: identifier})).first()
    if row is None:
        raise not_found(f"seals/{identifier}")
    return row
