"""Substitutions as messages, and back."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.core.names import id_of
from services.identity.core.substitution_rules import Substitution, SubstitutionState
from tongban.identity.v1 import resources_pb2 as pb

_STATES = Names(pb.SubstitutionState)


def new_substitution(asked: pb.Substitution, department: str, now: datetime) -> Substitution:
    """Returns the substitution that a request describes, in a department (an id); it never begins before ``now``."""
    start = moment_of(asked.start_time, "substitution.start_time") if asked.HasField("start_time") else now
    return Substitution(
        id=uuid7(),
        represented=id_of(asked.represented),
        substitute=id_of(asked.substitute),
        department=department,
        posts=tuple(sorted(id_of(post) for post in asked.posts)),
        begin_time=max(start, now),
        expire_time=moment_of(asked.end_time, "substitution.end_time"),
        state=SubstitutionState.ACTIVE,
        backers=(),
        create_time=now,
        update_time=now,
    )


def substitution_message(row: Substitution, now: datetime) -> pb.Substitution:
    """Builds a substitution's message."""
    state = row.state_at(now)
    return pb.Substitution(
        name=row.name,
        represented=row.represented_name,
        substitute=f"staff/{row.substitute}",
        posts=row.post_names,
        start_time=timestamp(row.begin_time),
        end_time=timestamp(row.expire_time),
        state=_STATES.number(state.value),
        approvals=len(row.backers) if state is SubstitutionState.REQUESTED else 0,
        revoke_time=timestamp(row.revoke_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
