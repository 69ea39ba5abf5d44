"""What the cases service told of the cases that departments work on."""

from libs.db.engine import Database
from libs.db.statement import Statement
from services.license.domain.reader import HandledCase
from tongban.cases.v1 import events_pb2 as cases
from tongban.cases.v1 import resources_pb2 as case_resources

_OPEN = frozenset({
    case_resources.CASE_STATE_SUBMITTED, case_resources.CASE_STATE_CORRECTION_REQUESTED,
    case_resources.CASE_STATE_ACCEPTED, case_resources.CASE_STATE_UNDER_REVIEW, case_resources.CASE_STATE_SUSPENDED,
})  # fmt: skip
# A case's events come in order, but one may come twice, or again after a stream was restored.
_TOLD = Statement("""
INSERT INTO handled_cases AS known (name, sequence, open, department, parties, type_codes, legal_basis)
VALUES (:name, :sequence, :open, :department, CAST(:parties AS text[]), CAST(:type_codes AS text[]), :legal_basis)
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence, open = excluded.open
WHERE known.sequence < excluded.sequence
""")
_KNOWN = Statement("""
SELECT department, parties, type_codes, legal_basis FROM handled_cases WHERE name = :name AND open
""")


class CaseStore:
    """The projection of cases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def told(self, case: cases.CaseSummary) -> None:
        """Keeps what an event says of a case; an older one, and a repeat, change nothing."""
        async with self._database.read() as connection:
            await _TOLD.execute(connection, {
                "name": case.name, "sequence": case.sequence, "open": case.state in _OPEN,
                "department": case.department, "parties": [name for name in (case.applicant, case.agent) if name],
                "type_codes": list(case.license_type_codes), "legal_basis": case.legal_basis,
            })  # fmt: skip

    async def handled(self, name: str) -> HandledCase | None:
        """Returns a case that is worked on now, or None: there is none of that name, or it is decided or over."""
        async with self._database.read() as connection:
            row = await _KNOWN.first(connection, {"name": name})
        if row is None:
            return None
        return HandledCase(row[0], frozenset(row[1]), frozenset(row[2]), row[3])
