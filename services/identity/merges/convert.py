"""Merges of accounts as messages, and back."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.identity.core.names import id_of
from services.identity.merges.rules import PersonMerge, PersonMergeState
from tongban.identity.v1 import resources_pb2 as pb

_STATES = Names(pb.PersonMergeState)


def new_merge(asked: pb.PersonMerge, backers: tuple[str, ...], now: datetime) -> PersonMerge:
    """Returns the merge that a request describes, behind which ``backers`` stand."""
    return PersonMerge(uuid7(), id_of(asked.kept), id_of(asked.merged), tuple(asked.evidence), backers, now, now)


def merge_message(row: PersonMerge) -> pb.PersonMerge:
    """Builds a merge's message."""
    return pb.PersonMerge(
        name=row.name,
        kept=row.kept_name,
        merged=row.merged_name,
        evidence=row.evidence,
        state=_STATES.number(row.state.value),
        approvals=len(row.backers) if row.state is PersonMergeState.REQUESTED else 0,
        finish_time=timestamp(row.finish_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
