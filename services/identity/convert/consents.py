"""Consents between rows, the domain and messages."""

from datetime import datetime

from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.identity.domain.consents import Consent, State
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as pb


def consent_of(row: Row) -> Consent:
    """Reads a consent from its row."""
    return Consent(
        name=f"consents/{row.id}",
        subject=row.subject,
        recipient=row.recipient,
        resources=frozenset(row.resources),
        begin=row.begin_time,
        expire=row.expire_time,
        case_name=row.case_name,
        stored_state=State(row.state),
        withdraw_time=row.withdraw_time,
    )


def consent_message(row: Row, now: datetime) -> pb.Consent:
    """Builds a consent's message with the state that it has at ``now``."""
    evidence = common_pb2.DocumentRef.FromString(row.evidence) if row.evidence else None
    return pb.Consent(
        name=f"consents/{row.id}",
        subject=row.subject,
        recipient=row.recipient,
        purpose=row.purpose,
        case_name=row.case_name,
        resources=row.resources,
        begin_time=timestamp(row.begin_time),
        expire_time=timestamp(row.expire_time),
        method=pb.ConsentMethod.Value(f"CONSENT_METHOD_{row.method}"),
        evidence=evidence,
        granter=row.granter,
        mandate=row.mandate,
        witness=row.witness,
        state=pb.ConsentState.Value(f"CONSENT_STATE_{consent_of(row).state_at(now)}"),
        withdraw_time=timestamp(row.withdraw_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
