"""The cases that departments work on, and those that windows sent abroad, as the cases service's events tell of them.

Uses by law and reads of a case's files name one of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.events.cloud_event import Event
from libs.ids import names
from libs.process.app import Handle
from libs.timed_cache import TimedCache
from services.license.core import schema
from services.license.core.reading import HandledCase
from tongban.cases.v1 import events_pb2 as cases
from tongban.cases.v1 import resources_pb2 as case_resources

handled_cases = sa.Table(
    "handled_cases",
    schema.METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    columns.texts("parties"),
    columns.texts("type_codes"),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("handlers", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("materials", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("item", sa.Text, nullable=False, server_default=""),
    comment="What the cases service told of cases: who may read what of whom for them.",
)
of(handled_cases)(HandledCase)

# A case's events come in order, but one may come twice, or again after a stream was restored.
_TOLD = Query(
    HandledCase,
    """
INSERT INTO handled_cases AS known
  (name, sequence, open, department, parties, type_codes, legal_basis, handlers, materials, item)
VALUES (:name, :sequence, :open, :department, CAST(:parties AS text[]), CAST(:type_codes AS text[]), :legal_basis,
  CAST(:handlers AS text[]), CAST(:materials AS text[]), :item)
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence, open = excluded.open,
  materials = CASE WHEN excluded.materials = '{}' THEN known.materials ELSE excluded.materials END
WHERE known.sequence < excluded.sequence
RETURNING {columns:known}
""",
)
_OPEN = Query(HandledCase, "SELECT {columns} FROM handled_cases WHERE name = :name AND open")
_KNOWN = Query(HandledCase, "SELECT {columns} FROM handled_cases WHERE name = :name")
_KEEP_ITEMS_SECONDS = 600.0
_UNTOLD: Mapping[str, Any] = MappingProxyType({"type_codes": [], "legal_basis": "", "materials": [], "item": ""})
_AT_WORK = frozenset(
    {
        case_resources.CASE_STATE_SUBMITTED,
        case_resources.CASE_STATE_CORRECTION_REQUESTED,
        case_resources.CASE_STATE_ACCEPTED,
        case_resources.CASE_STATE_UNDER_REVIEW,
        case_resources.CASE_STATE_SUSPENDED,
    }
)


class _NotTold(Exception):
    """The case is not known yet; it may be told of in a moment, so nothing is kept."""


@dataclass(frozen=True, slots=True)
class HandledCases:
    """Keeps the cases, and reads them.

    Attributes:
        database: where they are kept.
        home: this region's id.
    """

    database: Database
    home: str
    _items: TimedCache[str] = field(default_factory=lambda: TimedCache(_KEEP_ITEMS_SECONDS))

    def events(self) -> dict[type[Message], Handle]:
        """Returns what handles which event."""
        return {
            cases.CaseSubmitted: self.submitted,
            cases.CaseCorrected: self.corrected,
            # Who was never told of a submission, its stream being lost, hears of the case here.
            cases.CaseAccepted: self.moved,
            cases.CaseDeclined: self.moved,
            cases.CaseDecided: self.moved,
            cases.CaseWithdrawn: self.moved,
            cases.CaseTerminated: self.moved,
            cases.CaseTransferAcknowledged: self.sent,
            cases.CaseTransferProgressed: self.sent,
        }

    async def submitted(self, event: Event, told: cases.CaseSubmitted) -> None:  # noqa: ARG002 - every handler gets it
        """Keeps a case that came in, and the department at whose window it was taken in."""
        await self._told(told.case, told.receiving_department, told.materials)

    async def corrected(self, event: Event, told: cases.CaseCorrected) -> None:  # noqa: ARG002 - as above
        """Keeps which files a case refers to now."""
        await self._told(told.case, materials=told.materials)

    async def moved(self, event: Event, told: Any) -> None:  # noqa: ARG002 - as above
        """Keeps whether a case is still worked on."""
        await self._told(told.case)

    async def sent(self, event: Event, told: Any) -> None:  # noqa: ARG002 - as above
        """Keeps which window of this region sent a case to another: its licence and its files are read for it there.

        It has no end here: the window hands out the licence when the case is over.
        """
        sent: cases.SentApplication = told.sent
        if sent.case:
            parties = _named(sent.applicant, sent.agent)
            await self._keep(
                name=sent.case,
                sequence=0,
                open=True,
                department=sent.department,
                parties=[str(names.parse(party, "sent").relative_to(self.home)) for party in parties],
                handlers=[sent.department],
            )

    async def _told(self, case: cases.CaseSummary, taken_in_by: str = "", materials: Iterable[str] = ()) -> None:
        machine = case.actor if case.actor.startswith("clients/") else ""
        await self._keep(
            name=case.name,
            sequence=case.sequence,
            open=case.state in _AT_WORK,
            department=case.department,
            parties=_named(case.applicant, case.agent),
            type_codes=list(case.license_type_codes),
            legal_basis=case.legal_basis,
            item=case.item,
            handlers=_named(case.department, taken_in_by, machine),
            materials=list(materials),
        )

    async def _keep(self, **values: Any) -> None:
        async with self.database.read() as connection:
            await _TOLD.first(connection, **{**_UNTOLD, **values})

    async def at_work(self, name: str) -> HandledCase | None:
        """Returns a case that is worked on now, or None: there is none of that name, or it is decided or over."""
        async with self.database.read() as connection:
            return await _OPEN.first(connection, name=name)

    async def item_of(self, name: str) -> str:
        """Returns the service item of a case that this region handles or handled; empty where it is not known here."""
        known = name if name.startswith("cases/") else ""
        try:
            return await self._items.get(known, partial(self._item, known)) if known else ""
        except _NotTold:
            return ""

    async def _item(self, name: str) -> str:
        async with self.database.read() as connection:
            found = await _KNOWN.first(connection, name=name)
        if found is None:
            raise _NotTold
        return found.item


def _named(*names_given: str) -> list[str]:
    return [name for name in names_given if name]
