"""Uses of seals as messages."""

from libs.rpc.messages import Names, timestamp
from services.seal.sealing.rules import SealingState
from services.seal.sealing.uses import SealingView
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import resources_pb2 as pb

SEALING_STATES, SEALING_KINDS = Names(pb.SealingState), Names(pb.SealingKind)


def digest_text(digest: bytes | None) -> str:
    """Writes an SM3 digest as ``sm3:<hex>``; None is the empty string."""
    return "" if digest is None else f"sm3:{digest.hex()}"


def sealing_message(view: SealingView) -> pb.Sealing:
    """Builds the message of a use of a seal."""
    is_signed = view.state is SealingState.SIGNED
    return pb.Sealing(
        name=f"sealings/{view.id}",
        number=view.number,
        seal=f"seals/{view.seal}",
        certificate=f"certificates/{view.certificate}",
        kind=SEALING_KINDS.number(view.kind),
        digest=digest_text(view.digest),
        data_digest=digest_text(view.data_digest),
        source_digest=digest_text(view.source_digest),
        result_digest=digest_text(view.result_digest),
        state=SEALING_STATES.number(view.state),
        use_context=common_pb2.UseContext.FromString(view.use_context),
        user=view.user_name,
        approvals=[pb.SealingApproval(approver=view.approver)] if view.approver else [],
        create_time=timestamp(view.create_time),
        sign_time=timestamp(view.outcome_time if is_signed else None),
        void_time=timestamp(None if is_signed else view.outcome_time),
        void_reason=view.void_reason,
    )
