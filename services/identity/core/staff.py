"""Departments, posts and staff in PostgreSQL: the tables, their records, and what several features read of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, joined, of
from libs.errors import not_found, reasons
from services.identity.core import schema
from services.identity.core.accounts import IN_USE
from services.identity.core.duties import Assignment, Duty
from services.identity.core.issue import MOST_NEAR
from services.identity.core.mandates import mandates
from services.identity.core.names import id_of

IN_OFFICE = "ACTIVE"
"""The state of a member of staff who has not left."""
HELD, WAITING = "HELD", "WAITING"
"""The states of an assignment: what waits for a second human being is not held."""

departments = sa.Table(
    "departments",
    schema.METADATA,
    columns.record_id(),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("uscc", sa.Text, nullable=False),
    sa.Column("region_code", sa.Text, nullable=False),
    sa.Column("parent", sa.Uuid(as_uuid=False), sa.ForeignKey("departments.id")),
    sa.Column("state", sa.Text, nullable=False, server_default="ACTIVE"),
    columns.moment("close_time"),
    *columns.life(),
    sa.Index("departments_name", "parent", "display_name", unique=True, postgresql_nulls_not_distinct=True),
    sa.Index("departments_order", "display_name", "id"),
    comment="Departments and their units.",
)

posts = sa.Table(
    "posts",
    schema.METADATA,
    columns.record_id(),
    sa.Column("department", sa.Uuid(as_uuid=False), sa.ForeignKey("departments.id"), nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    columns.texts("duties"),
    columns.texts("roles", empty=True),
    *columns.life(),
    sa.Index("posts_name", "department", "display_name", unique=True),
    sa.Index("posts_roles", "roles", postgresql_using="gin"),
    comment="Posts: bundles of duties that don't exclude one another.",
)

staff = sa.Table(
    "staff",
    schema.METADATA,
    columns.record_id(),
    sa.Column("full_name", sa.LargeBinary, nullable=False),
    sa.Column("staff_number", sa.Text, nullable=False),
    sa.Column("department", sa.Uuid(as_uuid=False), sa.ForeignKey("departments.id"), nullable=False),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.text("certificate_number"),
    sa.Column("certificate_expire_date", sa.Date),
    *columns.life(),
    sa.Index("staff_number", "department", "staff_number", unique=True),
    sa.Index("staff_order", "staff_number", "id"),
    sa.Index("staff_of_department", "department", "staff_number", "id"),
    sa.Index("staff_person", "person", "department", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="Members of departments' staff.",
)

assignments = sa.Table(
    "assignments",
    schema.METADATA,
    columns.record_id(),
    sa.Column("staff", sa.Uuid(as_uuid=False), sa.ForeignKey("staff.id"), nullable=False),
    sa.Column("post", sa.Uuid(as_uuid=False), sa.ForeignKey("posts.id"), nullable=False),
    sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
    columns.moment("expire_time"),
    sa.Column("state", sa.Text, nullable=False, server_default="HELD"),
    schema.backers(),
    *columns.life(),
    sa.Index("assignments_staff", "staff"),
    sa.Index("assignments_post", "post"),
    comment="Who held which post from when until when; taking a post away ends the row and keeps it. What is WAITING is not held.",
)


@of(departments)
@dataclass(frozen=True, slots=True)
class Department:
    """A department, or a unit of one. ``parent`` is a department's id."""

    id: str
    display_name: str
    uscc: str
    region_code: str
    parent: str | None
    create_time: datetime
    update_time: datetime
    version: int = 1
    state: str = IN_USE
    close_time: datetime | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"departments/{self.id}"

    @property
    def parent_name(self) -> str:
        """The name of the department above it; empty at the top."""
        return f"departments/{self.parent}" if self.parent else ""

    def check_in_use(self) -> None:
        """Raises FailedPrecondition DEPARTMENT_NOT_ACTIVE where it is closed."""
        if self.state != IN_USE:
            raise reasons.department_not_active("the department is closed", department=self.name)


@of(posts)
@dataclass(frozen=True, slots=True)
class Post:
    """A post in a department, whose id it names; so does it its roles."""

    id: str
    department: str
    display_name: str
    duties: tuple[Duty, ...]
    create_time: datetime
    update_time: datetime
    version: int = 1
    roles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"departments/{self.department}/posts/{self.id}"


@of(staff)
@dataclass(frozen=True, slots=True)
class StaffMember:
    """A member of a department's staff. The name is encrypted; ``person`` and ``department`` are ids."""

    id: str
    full_name: bytes
    staff_number: str
    department: str
    person: str
    create_time: datetime
    update_time: datetime
    state: str = IN_OFFICE
    version: int = 1
    certificate_number: str = ""
    certificate_expire_date: date | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"staff/{self.id}"

    def check_certified(self, today: date, *, needed: bool) -> None:
        """Raises PermissionDenied STAFF_NOT_CERTIFIED where their certificate for windows is over, or one is ``needed`` and there is none."""
        last = self.certificate_expire_date
        if (last is None and needed) or (last is not None and last < today):
            raise reasons.staff_not_certified("no certificate for windows holds", staff=self.name)


@of(
    joined(
        id=assignments.c.id,
        staff=assignments.c.staff,
        post=assignments.c.post,
        department=posts.c.department,
        duties=posts.c.duties,
        begin_time=assignments.c.begin_time,
        expire_time=assignments.c.expire_time,
        state=assignments.c.state,
        backers=assignments.c.backers,
        roles=posts.c.roles,
        permissions=posts.c.roles,
    )
)
@dataclass(frozen=True, slots=True)
class GivenPost:
    """An assignment with what its post says of itself; ``staff``, ``post``, ``department`` and ``roles`` are ids.

    ``permissions`` are what the roles name together, and limit the duties where there are roles.
    """

    id: str
    staff: str
    post: str
    department: str
    duties: tuple[Duty, ...]
    begin_time: datetime
    expire_time: datetime | None
    state: str
    backers: tuple[str, ...]
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    @property
    def role_names(self) -> list[str]:
        """The roles' resource names."""
        return [f"roles/{each}" for each in self.roles]

    @property
    def post_name(self) -> str:
        """The post's resource name."""
        return f"departments/{self.department}/posts/{self.post}"

    def assignment(self) -> Assignment:
        """Returns what decides about it."""
        return Assignment(self.post_name, frozenset(self.duties), self.begin_time, self.expire_time)


@of(joined(name=mandates.c.principal))
@dataclass(frozen=True, slots=True)
class NearParty:
    """Somebody whose affairs are also another's."""

    name: str


@of(staff)
@dataclass(frozen=True, slots=True)
class KnownMember:
    """A staff record that is there, whatever it is."""

    id: str


_DEPARTMENT = Query(Department, "SELECT {columns} FROM departments WHERE id = CAST(:id AS uuid)")
# Who puts something into a department waits for who closes it, and the other way round.
_KEEP_DEPARTMENT = Query(Department, "SELECT {columns} FROM departments WHERE id = CAST(:id AS uuid) FOR SHARE")
_LOCK_DEPARTMENT = Query(Department, "SELECT {columns} FROM departments WHERE id = CAST(:id AS uuid) FOR UPDATE")
_POST = Query(Post, "SELECT {columns} FROM posts WHERE id = CAST(:id AS uuid)")
_MEMBER = Query(StaffMember, "SELECT {columns} FROM staff WHERE id = CAST(:id AS uuid)")
_RECORDS = Query(StaffMember, "SELECT {columns} FROM staff WHERE person = CAST(:person AS uuid) ORDER BY id")
_GIVEN_TO = Query(
    GivenPost,
    """SELECT {columns} FROM (
      SELECT a.*, p.department, p.duties, p.roles, ARRAY(
        SELECT DISTINCT unnest(r.permissions) FROM roles r WHERE r.id = ANY(CAST(p.roles AS uuid[]))
      ) AS permissions FROM assignments a JOIN posts p ON p.id = a.post
    ) AS given
    WHERE staff = ANY(CAST(:staff AS uuid[])) AND (expire_time IS NULL OR expire_time > :now)
    ORDER BY begin_time, id""",
)
_NEAR = Query(
    NearParty,
    """WITH parties AS (
      SELECT 'organizations/' || id::text AS name FROM organizations
      WHERE legal_representative = CAST(:person AS uuid) AND state = 'ACTIVE'
      UNION SELECT principal FROM mandates
      WHERE agent = CAST(:name AS text) AND state IN ('PROPOSED', 'ACTIVE', 'REQUESTED') AND expire_time > :now
      UNION SELECT agent FROM mandates
      WHERE principal = CAST(:name AS text) AND state IN ('PROPOSED', 'ACTIVE', 'REQUESTED') AND expire_time > :now
      UNION SELECT CAST(:name AS text)
    ) SELECT {columns} FROM (
      SELECT name FROM parties WHERE name <> CAST(:name AS text)
      -- What is kept under the name of an account that was taken in is also theirs.
      UNION SELECT 'persons/' || unnest(former) FROM persons WHERE id IN (
        SELECT CASE WHEN name LIKE 'persons/%' THEN CAST(substr(name, 9) AS uuid) END FROM parties)
    ) AS near LIMIT :most""",
)
_ANYBODY = Query(KnownMember, "SELECT {columns} FROM staff LIMIT 1")


async def department(connection: DatabaseConnection, name: str) -> Department:
    """Reads a department; raises NotFound."""
    found = await _DEPARTMENT.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def department_in_use(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Department:
    """Reads a department that stays in use until the transaction ends; locked for change if wished.

    Raises:
        NotFound.
        FailedPrecondition: DEPARTMENT_NOT_ACTIVE.
    """
    found = await (_LOCK_DEPARTMENT if lock else _KEEP_DEPARTMENT).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    found.check_in_use()
    return found


async def post(connection: DatabaseConnection, name: str) -> Post:
    """Reads a post by its whole name; raises NotFound, also where it lies in another department."""
    found = await _POST.first(connection, id=id_of(name))
    if found is None or found.name != name:
        raise not_found(name)
    return found


async def member(connection: DatabaseConnection, name: str) -> StaffMember:
    """Reads a member of staff; raises NotFound."""
    found = await _MEMBER.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def records_of(connection: DatabaseConnection, person: str) -> list[StaffMember]:
    """Reads all staff records of one human being, an id, wherever they serve or served."""
    return await _RECORDS.all(connection, person=person)


async def given_to(connection: DatabaseConnection, staff_ids: Sequence[str], now: datetime) -> list[GivenPost]:
    """Reads the assignments, held and waiting, that hold at ``now`` or begin later."""
    return await _GIVEN_TO.all(connection, staff=list(staff_ids), now=now) if staff_ids else []


def held(given: Iterable[GivenPost]) -> list[GivenPost]:
    """Returns those that don't wait."""
    return [each for each in given if each.state == HELD]


def waiting(given: Iterable[GivenPost]) -> list[GivenPost]:
    """Returns those that wait for a second human being."""
    return [each for each in given if each.state == WAITING]


def facts_of(given: Iterable[GivenPost], now: datetime) -> tuple[tuple[str, ...], frozenset[Duty]]:
    """Returns the posts held at ``now``, and the duties that come with them."""
    current = [each for each in (one.assignment() for one in held(given)) if each.holds_at(now)]
    return tuple(each.post for each in current), frozenset(duty for each in current for duty in each.duties)


async def near(connection: DatabaseConnection, person: str, now: datetime) -> list[str]:
    """Returns whose affairs are also a person's: firms that they represent, whom they act for, who acts for them.

    A mandate counts from its proposal on. One more than ``MOST_NEAR`` is read at most. ``person`` is an id.
    """
    found = await _NEAR.all(connection, person=person, name=f"persons/{person}", now=now, most=MOST_NEAR + 1)
    return sorted({each.name for each in found})


async def anybody(connection: DatabaseConnection) -> bool:
    """Says whether the region ever had a member of staff."""
    return await _ANYBODY.first(connection) is not None
