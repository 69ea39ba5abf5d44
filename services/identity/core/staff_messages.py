"""Staff and their posts as messages."""

from collections.abc import Iterable, Sequence

from libs.crypto.envelope import Column, FieldCipher
from libs.db.etag import etag_of
from libs.rpc.messages import Names, date_message, timestamp
from services.identity.core.duties import Assignment, Duty
from services.identity.core.staff import GivenPost, StaffMember, held, waiting
from tongban.identity.v1 import resources_pb2 as pb

STAFF_NAME = Column("staff", "full_name")
STAFF_STATES = Names(pb.StaffState)
_DUTIES = Names(pb.Duty)


def duties_of(values: Iterable[pb.Duty.ValueType]) -> tuple[Duty, ...]:
    """Returns what the rules call duties."""
    return tuple(Duty(_DUTIES.name(value)) for value in values)


def duty_values(duties: Iterable[Duty]) -> list[pb.Duty.ValueType]:
    """Returns what the contract calls duties."""
    return [_DUTIES.number(duty.value) for duty in duties]


def assignment_message(assignment: Assignment, approvals: int = 0) -> pb.Assignment:
    """Builds an assignment's message; ``approvals`` is how many stand behind one that waits."""
    return pb.Assignment(
        post=assignment.post,
        duties=duty_values(sorted(assignment.duties, key=list(Duty).index)),
        start_time=timestamp(assignment.begin),
        end_time=timestamp(assignment.expire),
        approvals=approvals,
    )


def certification_message(row: StaffMember) -> pb.StaffCertification | None:
    """Builds what is told of a member's certificate; None where none was entered."""
    if row.certificate_expire_date is None:
        return None
    return pb.StaffCertification(number=row.certificate_number, expire_date=date_message(row.certificate_expire_date))


def staff_message(row: StaffMember, given: Sequence[GivenPost], cipher: FieldCipher) -> pb.Staff:
    """Builds a staff member's message with the posts that they hold or will hold, and those that wait for approval."""
    return pb.Staff(
        name=row.name,
        full_name=cipher.decrypt_text(STAFF_NAME, row.id, row.full_name),
        staff_number=row.staff_number,
        department=f"departments/{row.department}",
        person=f"persons/{row.person}",
        assignments=[assignment_message(each.assignment()) for each in held(given)],
        pending_assignments=[assignment_message(each.assignment(), len(each.backers)) for each in waiting(given)],
        state=STAFF_STATES.number(row.state),
        certification=certification_message(row),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
