"""What validation asks this region's records: the registered seal, and whether a use of it is on record."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Query, joined, of
from services.seal.core.seal_rules import SealState
from services.seal.core.seals import seals


@of(
    joined(
        structure=seals.c.structure,
        state=seals.c.state,
        make_time=seals.c.make_time,
        revoke_time=seals.c.revoke_time,
        is_recorded=sa.Column(type_=sa.Boolean, nullable=False),
    )
)
@dataclass(frozen=True, slots=True)
class SealOnRecord:
    """A seal of this region as it was made, its end, and whether the use that was asked for is on record."""

    structure: bytes
    state: SealState
    make_time: datetime
    revoke_time: datetime | None
    is_recorded: bool


_REGISTERED = Query(
    SealOnRecord,
    """
SELECT {columns} FROM (
  SELECT s.structure, s.state, s.make_time, s.revoke_time, EXISTS (
    SELECT FROM sealings AS u JOIN sealing_outcomes AS o ON o.batch = u.batch
    WHERE u.digest = :digest AND u.seal = s.id AND o.state = 'SIGNED' AND o.signatures[u.place] = :value
  ) AS is_recorded
  FROM seals AS s WHERE s.seal_id = :seal_id
) AS registered
""",
)


class SealRegister:
    """The seals of this region and their uses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, seal_id: str, digest: bytes, value: bytes) -> SealOnRecord | None:
        """Reads structure, state, making and end of the seal with this esID; None where it isn't ours.

        Beside them, whether a use of it is on record whose TBS_Sign has this SM3 digest and that was signed with this value.
        """
        async with self._database.read() as connection:
            return await _REGISTERED.first(connection, seal_id=seal_id, digest=digest, value=value)
