"""Consents as messages, and back."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.consents.rules import Consent
from tongban.identity.v1 import resources_pb2 as pb

_METHODS, _STATES = Names(pb.ConsentMethod), Names(pb.ConsentState)


def new_consent(draft: pb.Consent, recipient: str, case: str, granter: str, witness: str, now: datetime) -> Consent:
    """Returns the consent that a request describes; by which mandate it is given is not known yet."""
    return Consent(
        id=uuid7(),
        subject=draft.subject,
        recipient=recipient,
        purpose_code=draft.purpose_code,
        purpose=draft.purpose,
        case_name=case,
        resources=tuple(draft.resources),
        begin_time=moment_of(draft.start_time, "consent.start_time") if draft.HasField("start_time") else now,
        expire_time=moment_of(draft.end_time, "consent.end_time"),
        method=_METHODS.name(draft.method),
        evidence=draft.evidence.encode() or None,
        granter=granter,
        mandate="",
        witness=witness,
        create_time=now,
        update_time=now,
    )


def consent_message(row: Consent, now: datetime) -> pb.Consent:
    """Builds a consent's message with the state that it has at ``now``."""
    return pb.Consent(
        name=row.name,
        subject=row.subject,
        recipient=row.recipient,
        purpose_code=row.purpose_code,
        purpose=row.purpose,
        case=row.case_name,
        resources=row.resources,
        start_time=timestamp(row.begin_time),
        end_time=timestamp(row.expire_time),
        method=_METHODS.number(row.method),
        evidence=(row.evidence or b"").decode(),
        granter=row.granter,
        mandate=row.mandate,
        witness=row.witness,
        state=_STATES.number(row.state_at(now).value),
        withdraw_time=timestamp(row.withdraw_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
