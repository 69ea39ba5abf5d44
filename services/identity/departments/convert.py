"""Departments and posts as messages, and back."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.identity.core.duties import Duty
from services.identity.core.names import id_of
from services.identity.core.staff import Department, Post
from services.identity.core.staff_messages import duty_values
from tongban.identity.v1 import resources_pb2 as pb

_STATES = Names(pb.DepartmentState)


def new_department(asked: pb.Department, code: str, parent: Department | None, now: datetime) -> Department:
    """Returns the department that a request describes; ``code`` is its credit code."""
    return Department(
        id=uuid7(),
        display_name=asked.display_name,
        uscc=code,
        region_code=asked.region_code,
        parent=parent.id if parent else None,
        create_time=now,
        update_time=now,
    )


def new_post(asked: pb.Post, duties: tuple[Duty, ...], department: Department, now: datetime) -> Post:
    """Returns the post that a request describes."""
    roles = tuple(id_of(each) for each in asked.roles)
    return Post(uuid7(), department.id, asked.display_name, duties, now, now, roles=roles)


def department_message(row: Department) -> pb.Department:
    """Builds a department's message."""
    return pb.Department(
        name=row.name,
        display_name=row.display_name,
        uscc=row.uscc,
        region_code=row.region_code,
        parent=row.parent_name,
        state=_STATES.number(row.state),
        close_time=timestamp(row.close_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def post_message(row: Post) -> pb.Post:
    """Builds a post's message."""
    return pb.Post(
        name=row.name,
        display_name=row.display_name,
        duties=duty_values(row.duties),
        roles=[f"roles/{each}" for each in row.roles],
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
