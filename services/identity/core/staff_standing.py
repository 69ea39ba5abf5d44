"""What a member of staff is at a time: in office, with which posts and duties, and as which human being."""

from collections.abc import Sequence
from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.errors import reasons
from services.identity.core import issue, staff
from services.identity.core.accounts import active_person
from services.identity.core.duties import Duty


async def staff_standing(
    connection: DatabaseConnection, name: str, now: datetime, wall: datetime
) -> tuple[issue.StaffFacts, frozenset[Duty]]:
    """Returns what a token says of a member of staff, and the duties that they have now; without a post they have none.

    Args:
        connection: where from.
        name: `staff/<uuid>`.
        now: the business time, by which posts go.
        wall: the machine's, by which tokens go.

    Raises:
        NotFound: there is no such member.
        FailedPrecondition: STAFF_NOT_ACTIVE, they have left; PERSON_NOT_ACTIVE.
    """
    row = await staff.member(connection, name)
    person = await active_person(connection, f"persons/{row.person}")
    near = await staff.near(connection, person.id, now)
    given = staff.held(await staff.given_to(connection, [row.id], now))
    if row.state != staff.IN_OFFICE:
        raise reasons.staff_not_active("the member of staff has left", staff=row.name)
    posts, duties = staff.facts_of(given, now)
    department, named = f"departments/{row.department}", issue.named_near(near)
    return issue.StaffFacts(row.name, department, posts, person.name, named, _until(given, now, wall)), duties


def _until(given: Sequence[staff.GivenPost], now: datetime, wall: datetime) -> int:
    """Returns when the first of the posts that are held ends, by the clock of tokens; 0 where none does."""
    ends = [each.expire_time for each in given if each.expire_time and each.begin_time <= now]
    return int(issue.on_wall(min(ends), now, wall).timestamp()) if ends else 0
