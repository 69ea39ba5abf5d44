"""Who follows what changes of licences: the department that issued, and the machine that applied for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from libs.access.actor import Actor, Standing
from libs.db.engine import Database
from libs.db.statement import Statement
from libs.events.change_api import Followed

_OF = Statement("""
SELECT l.id::text AS id FROM licenses AS l LEFT JOIN handled_cases AS h ON h.name = l.case_name
WHERE l.id = ANY(CAST(:ids AS uuid[])) AND
  (l.issuer_department = CAST(:department AS text) OR h.handlers @> ARRAY[CAST(:client AS text)])
""")


@dataclass(frozen=True, slots=True)
class FollowedLicenses:
    """Tells which licences a caller may follow."""

    database: Database

    def rule(self) -> Followed:
        """Returns the rule as a service lists it."""
        return Followed("license.licenses.get", self.sees)

    async def sees(self, actor: Actor, names: Sequence[str]) -> Collection[str]:
        """Returns the licences of these names that the caller's department issued, or that the caller applied for."""
        client = actor.subject if actor.standing is Standing.CLIENT else ""
        if not (actor.office or client):
            return ()
        ids = [name.rpartition("/")[2] for name in names]
        # No department is nobody's.
        values = {"ids": ids, "department": actor.office or None, "client": client or None}
        async with self.database.read() as connection:
            return {f"licenses/{row['id']}" for row in await _OF.all(connection, values)}
