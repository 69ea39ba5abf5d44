"""What is written of assignments, and who can approve."""

from dataclasses import dataclass
from datetime import datetime

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.leader import turn
from libs.db.query import Query, Update, of
from libs.errors import not_found
from services.identity.core.duties import APPROVING
from services.identity.core.names import id_of
from services.identity.core.staff import KnownMember, StaffMember, assignments, staff

_APPROVERS_CHANGE = "identity:approvers"


@of(assignments)
@dataclass(frozen=True, slots=True)
class PostAssignment:
    """That a post was given to a member of staff, or waits; ``staff`` and ``post`` are ids."""

    id: str
    staff: str
    post: str
    begin_time: datetime
    expire_time: datetime | None
    state: str
    backers: tuple[str, ...]
    create_time: datetime
    update_time: datetime
    version: int = 1


@of(assignments)
@dataclass(frozen=True, slots=True)
class KnownAssignment:
    """An assignment that is there, whatever it is."""

    id: str


@of(staff)
@dataclass(frozen=True, slots=True)
class ServingPerson:
    """The human being whom a staff record is of, an id."""

    person: str


ADD, UPDATE, UPDATE_MEMBER = Addition(PostAssignment), Update(PostAssignment), Update(StaffMember)
_LOCK = Query(StaffMember, "SELECT {columns} FROM staff WHERE id = CAST(:id AS uuid) FOR UPDATE")
_SAME_PERSON = Query(KnownMember, "SELECT {columns} FROM staff WHERE person = CAST(:person AS uuid)")
_APPROVERS = Query(
    ServingPerson,
    """SELECT DISTINCT {columns} FROM staff WHERE state = 'ACTIVE' AND id IN (
      SELECT staff FROM assignments WHERE state = 'HELD' AND begin_time <= :now
        AND (expire_time IS NULL OR expire_time > :now) AND post IN (SELECT id FROM posts WHERE duties && CAST(:approving AS text[])))""",
)
_STOOD = Query(
    KnownAssignment,
    """WITH administered AS (
      SELECT a.id, s.person, a.begin_time, COALESCE(a.expire_time, 'infinity') AS expire_time
      FROM assignments a JOIN posts p ON p.id = a.post JOIN staff s ON s.id = a.staff
      WHERE a.state = 'HELD' AND 'ADMINISTRATION' = ANY(p.duties)
        AND (a.expire_time IS NULL OR a.begin_time < a.expire_time)
    )
    SELECT {columns:one} FROM administered one JOIN administered other ON one.person < other.person
    WHERE one.begin_time < other.expire_time AND other.begin_time < one.expire_time
      AND GREATEST(one.begin_time, other.begin_time) <= :now LIMIT 1""",
)


async def lock(connection: DatabaseConnection, name: str) -> StaffMember:
    """Reads a member of staff and keeps others from changing them; raises NotFound."""
    found = await _LOCK.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def records_of(connection: DatabaseConnection, person: str) -> list[str]:
    """Returns the ids of all staff records of one human being, an id too."""
    return [each.id for each in await _SAME_PERSON.all(connection, person=person)]


async def approvers(connection: DatabaseConnection, now: datetime) -> frozenset[str]:
    """Returns the human beings who hold ADMINISTRATION or SECURITY at ``now``; until the transaction ends nobody else changes them."""
    await turn(connection, _APPROVERS_CHANGE)
    return frozenset(
        f"persons/{each.person}" for each in await _APPROVERS.all(connection, now=now, approving=sorted(APPROVING))
    )


async def two_administrators_ever(connection: DatabaseConnection, now: datetime) -> bool:
    """Says whether two human beings ever held ADMINISTRATION at one time; of two that ask at once the second waits."""
    await turn(connection, _APPROVERS_CHANGE)
    return await _STOOD.first(connection, now=now) is not None
