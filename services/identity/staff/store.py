"""What is written and listed of staff."""

from libs.db.change import Addition
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core.staff import StaffMember, staff
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.staff_service_pb2 import ListStaffRequest

_HOLDS = """
id IN (SELECT staff FROM assignments WHERE post = {value} AND state = 'HELD'
  AND begin_time <= CAST(:now AS timestamptz) AND (expire_time IS NULL OR expire_time > CAST(:now AS timestamptz)))
""".strip()
ADD = Addition(StaffMember)
LISTED = FilteredList(
    StaffMember,
    ListStaffRequest,
    staff,
    {
        "staff_number": fields.text("staff_number"),
        "department": fields.named("department", "departments"),
        "person": fields.named("person", "persons"),
        "assignments.post": fields.elsewhere("post", fields.named("post", "departments/*/posts"), _HOLDS),
        "state": fields.choice("state", pb.StaffState),
        "certification.expire_date": fields.day("certificate_expire_date", nullable=True),
        "create_time": fields.moment("create_time"),
    },
    {
        "staff_number": Order(
            ("staff_number", "id"),
            (
                Path(),
                Path(("department",)),
                Path(("department", "staff_number"), few=True),
                Path(("post",), few=True, by=("id",)),
            ),
        )
    },
    "staff_number",
)
