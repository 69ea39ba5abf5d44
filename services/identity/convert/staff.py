"""Departments, posts and staff as messages."""

from collections.abc import Iterable, Sequence

from libs.crypto.envelope import Column, FieldCipher
from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.identity.domain.duties import Assignment, Duty
from tongban.identity.v1 import resources_pb2 as pb

STAFF_NAME = Column("staff", "full_name")
_DUTY = "DUTY_"


def duties_of(values: Iterable[pb.Duty.ValueType]) -> list[Duty]:
    """Returns the domain's words for duties."""
    return [Duty(pb.Duty.Name(value).removeprefix(_DUTY)) for value in values]


def _duty_values(duties: Iterable[str]) -> list[pb.Duty.ValueType]:
    return [pb.Duty.Value(f"{_DUTY}{duty}") for duty in duties]


def department_message(row: Row) -> pb.Department:
    """Builds a department's message."""
    return pb.Department(
        name=f"departments/{row.id}",
        display_name=row.display_name,
        uscc=row.uscc,
        region_code=row.region_code,
        parent=f"departments/{row.parent}" if row.parent else "",
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def post_message(row: Row) -> pb.Post:
    """Builds a post's message."""
    return pb.Post(
        name=f"departments/{row.department}/posts/{row.id}",
        display_name=row.display_name,
        duties=_duty_values(row.duties),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def post_name(assignment: Row) -> str:
    """Returns the name of an assignment's post."""
    return f"departments/{assignment.department}/posts/{assignment.post}"


def assignment_of(row: Row) -> Assignment:
    """Reads an assignment, joined with its post, from its row."""
    return Assignment(post_name(row), frozenset(map(Duty, row.duties)), row.begin_time, row.expire_time)


def assignment_message(held: Assignment, approvals: int = 0) -> pb.Assignment:
    """Builds an assignment's message; ``approvals`` is how many stand behind one that waits."""
    duties = sorted(held.duties, key=list(Duty).index)
    return pb.Assignment(
        post=held.post,
        duties=_duty_values(duties),
        begin_time=timestamp(held.begin),
        expire_time=timestamp(held.expire),
        approvals=approvals,
    )


def staff_message(row: Row, assignments: Sequence[Row], cipher: FieldCipher, waiting: Sequence[Row] = ()) -> pb.Staff:
    """Builds a staff member's message with the posts that they hold or will hold, and those that wait for approval."""
    return pb.Staff(
        name=f"staff/{row.id}",
        full_name=cipher.decrypt_text(STAFF_NAME, row.id, row.full_name),
        staff_number=row.staff_number,
        department=f"departments/{row.department}",
        person=f"persons/{row.person}",
        assignments=[assignment_message(assignment_of(each)) for each in assignments],
        pending_assignments=[assignment_message(assignment_of(each), len(each.backers)) for each in waiting],
        state=pb.StaffState.Value(f"STAFF_STATE_{row.state}"),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
