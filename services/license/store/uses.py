"""Writes and reads uses of licences. A use, its audit record and its event are one statement: one round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.audit.log import Entry
from libs.db.engine import Database, Row
from services.license.tables import license_uses, licenses
from tongban.common.v1 import common_pb2

_RECORD = """
WITH recorded AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash)
  VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq
), pending AS (
  INSERT INTO audit_pending (seq) SELECT seq FROM recorded
), used AS (
  INSERT INTO license_uses (id, license_id, license_identifier, issuer_department, action, basis, presentation, purpose,
    case_name, legal_basis, department, operator, transaction_id, actor, region_code, copy_digest, copy_media_type,
    copy_size, copy_expire_time, use_time, record)
  SELECT u.id, u.license_id, u.identifier, u.issuer, $7, u.basis, $8, $9, $10, $11, $12, $13, $3, $14, $15, $16, $17,
    $18, $19, $2, $20
  FROM unnest($21::text[]::uuid[], $22::text[]::uuid[], $23::text[], $24::text[], $25::text[])
    AS u (id, license_id, identifier, issuer, basis)
)
INSERT INTO outbox (id, type, subject, traceparent, time, data)
SELECT e.id, 'cn.tongban.license.used.v1', e.subject, $26, $2, e.data
FROM unnest($27::text[], $28::text[], $29::bytea[]) WITH ORDINALITY AS e (id, subject, data, n) ORDER BY n
"""
_C = license_uses.c


@dataclass(frozen=True, slots=True)
class Copy:
    """An annotated copy that is handed out."""

    digest: str
    media_type: str
    size: int
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Use:
    """One licence in a use: its row, the basis, the id of the use, and the event to tell it by."""

    id: str
    row: Row
    basis: str
    event_id: str
    event: bytes


@dataclass(frozen=True, slots=True)
class UseRecord:
    """What all licences of one use share."""

    entry: Entry
    action: str
    presentation: str
    context: common_pb2.UseContext
    actor: str
    region_code: str
    traceparent: str
    record: str
    copy: Copy | None = None


@cache
def _page(filters: frozenset[str]) -> sa.Select[Any]:
    query = sa.select(license_uses).order_by(_C.id.desc()).limit(sa.bindparam("size"))
    held = sa.select(licenses.c.id).where(licenses.c.holders.overlap(sa.bindparam("holders", type_=ARRAY(sa.Text))))
    conditions = {
        "license": _C.license_id == sa.bindparam("license"),
        "holders": _C.license_id.in_(held),
        "case_name": sa.and_(_C.case_name == sa.bindparam("case_name"), _C.case_name != ""),
        "action": _C.action == sa.bindparam("action"),
        "issuer": _C.issuer_department == sa.bindparam("issuer"),
        "before": _C.id < sa.bindparam("before"),
    }
    return query.where(*(conditions[name] for name in sorted(filters)))


class UseStore:
    """Uses in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, shared: UseRecord, uses: Sequence[Use]) -> None:
        """Writes audit record, uses and events: all or none."""
        entry, context, copy = shared.entry, shared.context, shared.copy
        async with self._database.driver() as connection:
            await connection.execute(
                _RECORD,
                entry.id,
                entry.record_time,
                entry.transaction_id,
                entry.object,
                entry.canonical,
                entry.leaf_hash,
                shared.action,
                shared.presentation,
                context.purpose,
                context.case_name,
                context.legal_basis,
                context.department,
                context.operator,
                shared.actor,
                shared.region_code,
                copy.digest if copy else None,
                copy.media_type if copy else None,
                copy.size if copy else None,
                copy.expire_time if copy else None,
                shared.record,
                [use.id for use in uses],
                [use.row.id for use in uses],
                [use.row.identifier for use in uses],
                [use.row.issuer_department for use in uses],
                [use.basis for use in uses],
                shared.traceparent,
                [use.event_id for use in uses],
                [f"licenses/{use.row.id}" for use in uses],
                [use.event for use in uses],
            )

    async def page(self, size: int, filters: Mapping[str, Any]) -> list[Row]:
        """Lists uses, newest first.

        Filters: ``license`` (an id), ``holders`` (accounts, one of whom holds it), ``case_name``, ``action``,
        ``issuer`` (the department that issued it), ``before`` (an id).
        """
        async with self._database.read() as connection:
            return list((await connection.execute(_page(frozenset(filters)), {"size": size, **filters})).all())
