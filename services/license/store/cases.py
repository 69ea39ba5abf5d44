"""What the cases service told of the cases that departments work on."""

from collections.abc import Iterable
from typing import Any

from libs.db.engine import Database
from libs.db.statement import Statement
from libs.ids import names
from services.license.domain.reader import HandledCase
from tongban.cases.v1 import events_pb2 as cases
from tongban.cases.v1 import resources_pb2 as case_resources

_OPEN = frozenset(
    {
        case_resources.CASE_STATE_SUBMITTED,
        case_resources.CASE_STATE_CORRECTION_REQUESTED,
        case_resources.CASE_STATE_ACCEPTED,
        case_resources.CASE_STATE_UNDER_REVIEW,
        case_resources.CASE_STATE_SUSPENDED,
    }
)
# A case's events come in order, but one may come twice, or again after a stream was restored.
_TOLD = Statement("""
INSERT INTO handled_cases AS known
  (name, sequence, open, department, parties, type_codes, legal_basis, handlers, materials)
VALUES (:name, :sequence, :open, :department, CAST(:parties AS text[]), CAST(:type_codes AS text[]), :legal_basis,
  CAST(:handlers AS text[]), CAST(:materials AS text[]))
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence, open = excluded.open,
  materials = CASE WHEN excluded.materials = '{}' THEN known.materials ELSE excluded.materials END
WHERE known.sequence < excluded.sequence
""")
_KNOWN = Statement("""
SELECT department, parties, type_codes, legal_basis, handlers, materials FROM handled_cases WHERE name = :name AND open
""")


class CaseStore:
    """The projection of cases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def told(self, case: cases.CaseSummary, taken_in_by: str = "", materials: Iterable[str] = ()) -> None:
        """Keeps what an event says of a case; an older one, and a repeat, change nothing.

        ``taken_in_by``: the department at whose window it was taken in. ``materials``: all files that the case refers to now,
        where the event tells them.
        """
        machine = case.actor if case.actor.startswith("clients/") else ""
        await self._keep(
            {
                "name": case.name,
                "sequence": case.sequence,
                "open": case.state in _OPEN,
                "department": case.department,
                "parties": _named(case.applicant, case.agent),
                "type_codes": list(case.license_type_codes),
                "legal_basis": case.legal_basis,
                "handlers": _named(case.department, taken_in_by, machine),
                "materials": list(materials),
            }
        )

    async def sent(self, application: cases.SentApplication, home: str) -> None:
        """Keeps which window of this region sent a case to another: its licence and its files are read for it there.

        It has no end here: the window hands out the licence when the case is over.
        """
        if not application.case_name:
            return
        parties = [
            str(names.parse(name, "sent").relative_to(home))
            for name in _named(application.applicant, application.agent)
        ]
        await self._keep(
            {
                "name": application.case_name,
                "sequence": 0,
                "open": True,
                "department": application.department,
                "parties": parties,
                "type_codes": [],
                "legal_basis": "",
                "handlers": [application.department],
                "materials": [],
            }
        )

    async def _keep(self, values: dict[str, Any]) -> None:
        async with self._database.read() as connection:
            await _TOLD.execute(connection, values)

    async def handled(self, name: str) -> HandledCase | None:
        """Returns a case that is worked on now, or None: there is none of that name, or it is decided or over."""
        async with self._database.read() as connection:
            row = await _KNOWN.first(connection, {"name": name})
        if row is None:
            return None
        return HandledCase(row[0], frozenset(row[1]), frozenset(row[2]), row[3], frozenset(row[4]), frozenset(row[5]))


def _named(*names_given: str) -> list[str]:
    return [name for name in names_given if name]
