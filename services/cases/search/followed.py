"""Who follows what changes of cases: whom GetCase shows the case without a purpose."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from libs.access.actor import Actor
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.events.change_api import Followed
from services.cases.core.access import made_by, of_department
from services.cases.core.cases import cases, id_of


@of(cases)
@dataclass(frozen=True, slots=True)
class CaseHandlers:
    """Who has to do with a case in office, or opened it."""

    id: str
    department: str
    created_by: str
    received_by: str


_OF = Query(CaseHandlers, "SELECT {columns} FROM cases WHERE id = ANY(CAST(:ids AS uuid[]))")


@dataclass(frozen=True, slots=True)
class FollowedCases:
    """Tells which cases a caller may follow."""

    database: Database

    def rule(self) -> Followed:
        """Returns the rule as a service lists it."""
        return Followed("cases.cases.get", self.sees)

    async def sees(self, actor: Actor, names: Sequence[str]) -> Collection[str]:
        """Returns the cases of these names that the caller's department handles, or that the caller opened."""
        async with self.database.read() as connection:
            found = await _OF.all(connection, ids=[id_of(name) for name in names])
        return {f"cases/{each.id}" for each in found if of_department(actor, each) or made_by(actor, each)}
