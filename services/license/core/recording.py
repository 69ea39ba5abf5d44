"""Records uses of licences before anything is answered ("no record, no service").

A use, its audit record and its event are one statement: one round trip.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from libs.access.purposes import basis_of, item_of
from libs.audit.log import Log
from libs.clock import Clock
from libs.db import columns
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.evidence import Evidence, recorded
from libs.db.query import of
from libs.db.schema import EVIDENCE
from libs.errors import invalid_field
from libs.events.wire import Wire
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.license.core import schema
from services.license.core.authorization import Inquiry
from services.license.core.handled_cases import HandledCases
from services.license.core.licenses import License
from services.license.core.reading import UseBasis
from tongban.common.v1 import common_pb2
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import resources_pb2 as pb

FACE = ("number", "holders", "face_fields")
FILE = ("file",)
ACTIONS, BASES = Names(pb.UseAction), Names(pb.UseBasis)

license_uses = sa.Table(
    "license_uses",
    schema.METADATA,
    columns.record_id(),
    sa.Column("license_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("license_identifier", sa.Text, nullable=False),
    sa.Column("issuer_department", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    columns.text("presentation"),
    sa.Column("purpose_code", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    columns.text("service_item"),
    columns.text("case_name"),
    columns.text("basis_kind"),
    columns.text("named_basis"),
    columns.text("department"),
    columns.text("operator"),
    columns.text("transaction_id"),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("region_code", sa.Text, nullable=False),
    sa.Column("copy_digest", sa.Text),
    sa.Column("copy_media_type", sa.Text),
    sa.Column("copy_size", sa.Integer),
    columns.moment("copy_expire_time"),
    sa.Column("use_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Index("license_uses_of_license", "license_id", "use_time", "id"),
    sa.Index("license_uses_of_case", "case_name", "use_time", "id", postgresql_where=sa.text("case_name <> ''")),
    sa.Index("license_uses_of_item", "service_item", "use_time", "id", postgresql_where=sa.text("service_item <> ''")),
    # Rows come in the order of time: few pages hold any one period.
    sa.Index("license_uses_time", "use_time", postgresql_using="brin"),
    sa.Index("license_uses_copy", "copy_digest", postgresql_where=sa.text("copy_digest IS NOT NULL")),
    info=EVIDENCE,
    comment="Every use of a licence: who, what for, why it was allowed.",
)


@of(license_uses)
@dataclass(frozen=True, slots=True)
class LicenseUse:
    """One use of one licence; ``copy_…`` is the annotated copy that was handed out."""

    id: str
    license_id: str
    license_identifier: str
    issuer_department: str
    action: str
    basis: str
    presentation: str
    purpose_code: str
    purpose: str
    service_item: str
    case_name: str
    basis_kind: str
    named_basis: str
    department: str
    operator: str
    transaction_id: str
    actor: str
    region_code: str
    copy_digest: str | None
    copy_media_type: str | None
    copy_size: int | None
    copy_expire_time: datetime | None
    use_time: datetime
    record: str


@dataclass(frozen=True, slots=True)
class AnnotatedCopy:
    """A copy (加注件) that is handed out."""

    digest: str
    media_type: str
    size: int
    expire_time: datetime


_USED = recorded("""used AS (
  INSERT INTO license_uses (id, license_id, license_identifier, issuer_department, action, basis, presentation,
    purpose_code, purpose, service_item, case_name, basis_kind, named_basis, department, operator, transaction_id, actor, region_code, copy_digest, copy_media_type,
    copy_size, copy_expire_time, use_time, record)
  SELECT u.id, u.license_id, u.identifier, u.issuer, CAST(:action AS text), u.basis, CAST(:presentation AS text),
    CAST(:purpose_code AS text), CAST(:purpose AS text), CAST(:service_item AS text), CAST(:case_name AS text),
    CAST(:basis_kind AS text), CAST(:named_basis AS text), CAST(:department AS text),
    CAST(:operator AS text), CAST(:transaction_id AS text), CAST(:actor AS text), CAST(:region_code AS text),
    CAST(:copy_digest AS text), CAST(:copy_media_type AS text), CAST(:copy_size AS integer),
    CAST(:copy_expire_time AS timestamptz), CAST(:event_time AS timestamptz), CAST(:record AS text)
  FROM unnest(CAST(:use_ids AS uuid[]), CAST(:license_ids AS uuid[]), CAST(:identifiers AS text[]),
    CAST(:issuers AS text[]), CAST(:bases AS text[])) AS u (id, license_id, identifier, issuer, basis)
)""")
_NO_COPY = dict.fromkeys(("copy_digest", "copy_media_type", "copy_size", "copy_expire_time"))


@dataclass(frozen=True, slots=True)
class UseRecorder:
    """Writes uses of licences."""

    database: Database
    wire: Wire
    log: Log
    clock: Clock
    committed: asyncio.Event
    cases: HandledCases

    async def record(
        self,
        command: Command,
        asked: Inquiry,
        used: Sequence[tuple[License, UseBasis]],
        action: str,
        *,
        about: str = "",
        presentation: str = "",
        fields: Sequence[str] = FACE,
        copy: AnnotatedCopy | None = None,
    ) -> str:
        """Writes one audit record, and a use of each licence with its event; returns the last use's name.

        Args:
            command: the call.
            asked: who asks, and for what.
            used: the licences, each with the basis of its use.
            action: a name of UseAction without its prefix.
            about: the object of the audit record, where it is not the one licence.
            presentation: the presentation that allowed it, or an empty string.
            fields: what leaves.
            copy: the annotated copy that is handed out.

        Raises:
            InvalidArgument: FIELD_INVALID, the service item is not that of the case.
            Unavailable: AUDIT_UNAVAILABLE, nothing was recorded and nothing may be answered.
        """
        asked = await self._with_item(asked)
        command = replace(command, use=asked.use.context)
        evidence = Evidence(self.log, self.wire, command, self.clock.now())
        holders = {holder for each, _ in used for holder in each.holders}
        about = about or used[0][0].name
        receipt = evidence.record(about, fields=fields, record_count=len(used), subjects=holders)
        ids = [uuid7() for _ in used]
        for use_id, (each, basis) in zip(ids, used, strict=True):
            evidence.emit(each.name, _event(use_id, each, basis, action, asked, evidence.now))
        shared = {"action": action, "presentation": presentation, **_shared(asked, receipt), **_of_copy(copy)}
        await evidence.write(self.database, _USED, **shared, **_each(ids, used))
        self.committed.set()
        return f"licenseUses/{ids[-1]}"

    async def _with_item(self, asked: Inquiry) -> Inquiry:
        """Returns what is asked with its service item: that of the case, where it is known here, else the one that was said."""
        said = item_of(asked.use.context)
        known = await self.cases.item_of(asked.use.case_name)
        if said and known and said != known:
            raise invalid_field("use_context.service_item", "context.case", "must be the item of the case")
        context = common_pb2.UseContext()
        context.CopyFrom(asked.use.context)
        context.service_item = known or said
        return replace(asked, use=replace(asked.use, context=context))


def _event(
    use_id: str, used: License, basis: UseBasis, action: str, asked: Inquiry, now: datetime
) -> events.LicenseUsed:
    kind, named = basis_of(asked.use.context)
    return events.LicenseUsed(
        license=used.name,
        license_use=f"licenseUses/{use_id}",
        action=ACTIONS.number(action),
        basis=BASES.number(basis.value),
        region=asked.use.region,
        department=asked.use.context.department,
        case=asked.use.case_name,
        holders=used.holders,
        use_time=timestamp(now),
        purpose_code=asked.use.context.purpose_code,
        service_item=asked.use.context.service_item,
        basis_kind=kind,
        named_basis=named,
    )


def _shared(asked: Inquiry, receipt: common_pb2.Receipt) -> Mapping[str, Any]:
    context = asked.use.context
    kind, named = basis_of(context)
    return {
        "purpose_code": context.purpose_code,
        "purpose": context.purpose,
        "service_item": context.service_item,
        "basis_kind": kind,
        "named_basis": named,
        "case_name": context.case,
        "department": context.department,
        "operator": context.operator,
        "transaction_id": receipt.transaction_id,
        "actor": asked.actor.subject,
        "region_code": asked.use.region,
        "record": receipt.record,
    }


def _of_copy(copy: AnnotatedCopy | None) -> Mapping[str, Any]:
    if copy is None:
        return _NO_COPY
    return {
        "copy_digest": copy.digest,
        "copy_media_type": copy.media_type,
        "copy_size": copy.size,
        "copy_expire_time": copy.expire_time,
    }


def _each(ids: Sequence[str], used: Sequence[tuple[License, UseBasis]]) -> Mapping[str, Any]:
    return {
        "use_ids": ids,
        "license_ids": [each.id for each, _ in used],
        "identifiers": [each.identifier for each, _ in used],
        "issuers": [each.issuer_department for each, _ in used],
        "bases": [basis.value for _, basis in used],
    }
