"""Seals as messages."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.seal.core.seal_rules import state_at
from services.seal.core.seals import Seal
from tongban.seal.v1 import resources_pb2 as pb

SEAL_STATES, SEAL_KINDS, SEAL_RANKS = Names(pb.SealState), Names(pb.SealKind), Names(pb.SealRank)


def seal_message(seal: Seal, now: datetime, structure: bytes = b"") -> pb.Seal:
    """Builds a seal's message; its state is as of ``now``."""
    return pb.Seal(
        name=seal.name,
        seal_id=seal.seal_id,
        seal_code=seal.seal_code,
        display_name=seal.display_name,
        kind=SEAL_KINDS.number(seal.kind),
        rank=SEAL_RANKS.number(seal.rank),
        owner=seal.owner,
        owner_uscc=seal.owner_uscc,
        round=pb.RoundSeal(arc_text=seal.arc_text, bottom_text=seal.bottom_text, diameter_mm=seal.diameter_mm),
        state=SEAL_STATES.number(state_at(seal.facts, now)),
        start_time=timestamp(seal.valid_from_time),
        end_time=timestamp(seal.valid_until_time),
        users=[pb.SealUser(subject=user.subject, approval_needed=user.approval_needed) for user in seal.users],
        certificate=f"certificates/{seal.certificate}",
        maker_certificate=f"certificates/{seal.maker_certificate}",
        structure=structure,
        make_time=timestamp(seal.make_time),
        revoke_time=timestamp(seal.revoke_time),
        revoke_reason=seal.revoke_reason or "",
        create_time=timestamp(seal.create_time),
        update_time=timestamp(seal.update_time),
        etag=etag_of(seal.version),
    )
