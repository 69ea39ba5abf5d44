"""One document on its way under a seal: everything but the signature value is fixed, then the key is used, then it is packed."""

from dataclasses import dataclass, field
from datetime import datetime

from libs.access.actor import Actor
from libs.crypto.provider import Signer
from libs.crypto.sm3 import sm3
from libs.errors import state_conflict
from services.seal.core import keys
from services.seal.core.parts import Parts
from services.seal.sealing.convert import digest_text, sealing_message
from services.seal.sealing.ofd import Placement, PreparedSeal, finish, prepare
from services.seal.sealing.opened import OpenedSeal
from services.seal.sealing.plans import SealingIntent, SealingItem, SealingPlan, SealingProduct
from services.seal.sealing.rules import SealingKind, SealingState
from services.seal.sealing.store import SignedSealing
from services.seal.sealing.uses import SealingView
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import sealing_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class DocumentSealing:
    """What a call of SealDocument has to do with the key.

    Attributes:
        parts: the threads and the keys.
        plan: the one signature.
        prepared: the document with everything in place but that.
        sealed: what came of it, by its digest.
    """

    parts: Parts
    plan: SealingPlan
    prepared: PreparedSeal
    sealed: dict[str, bytes] = field(default_factory=dict)

    async def product(self, intent: SealingIntent) -> SealingProduct[pb.SealDocumentResponse]:
        """Signs and packs."""
        signer = self.parts.keys.signer(self.plan.seal.key_name, self.plan.seal.key_version)
        signature, document, result = await self.parts.signing.run(_sign, signer, self.prepared)
        self.sealed[digest_text(result)] = document
        return SealingProduct([signature], lambda now: _answer(self.plan, intent, result, now), result)


LARGEST = 10 * 1024 * 1024
"""Bytes of a document that is brought as an upload."""
GROWTH = 1024 * 1024
"""By how many bytes a document grows at most by being sealed: the seal, its picture and the signature."""


async def brought(parts: Parts, request: pb.SealDocumentRequest, actor: Actor) -> pb.SealDocumentRequest:
    """Returns the request with the document itself, where it names an upload; raises what taking an upload refuses with."""
    if not request.upload:
        return request
    whole = pb.SealDocumentRequest()
    whole.CopyFrom(request)
    whole.content = await parts.uploads.source(request, actor, LARGEST)
    return whole


async def planned(parts: Parts, request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime) -> DocumentSealing:
    """Fixes what the key will sign; raises SEAL_DOCUMENT_INVALID, SEAL_PLACEMENT_INVALID or SEAL_DOCUMENT_LOCKED."""
    return DocumentSealing(parts, *await parts.signing.run(_plan, request, seal, at))


async def made_again(
    parts: Parts, request: pb.SealDocumentRequest, seal: OpenedSeal, signed: SignedSealing, sealing: resources.Sealing
) -> bytes:
    """Makes the document that was sealed once, of what the caller brought again and the signature value that is kept.

    Raises STATE_CONFLICT where a later release packs it otherwise: what was answered can't be given again, byte for byte.
    """
    value = signed.signatures[0]
    document = await parts.signing.run(_pack, request, seal, signed.signing_time, value)
    if digest_text(sm3(document)) != sealing.result_digest:
        raise state_conflict(sealing.name, SealingState.SIGNED.value, SealingState.COMMITTED.value)
    return document


def _plan(request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime) -> tuple[SealingPlan, PreparedSeal]:
    places = [Placement(at.page, at.center_x_mm, at.center_y_mm) for at in (each.point for each in request.placements)]
    prepared = prepare(request.content, seal.structure, seal.certificate, places, at)
    item = SealingItem(prepared.tbs, sm3(prepared.tbs), prepared.data_hash, prepared.property_info)
    return SealingPlan(seal, SealingKind.DOCUMENT, at, [item], sm3(request.content)), prepared


def _sign(signer: Signer, prepared: PreparedSeal) -> tuple[bytes, bytes, bytes]:
    signature = keys.sign(signer, prepared.tbs)
    document = finish(prepared, signature)
    return signature, document, sm3(document)


def _pack(request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime, signature: bytes) -> bytes:
    return finish(_plan(request, seal, at)[1], signature)


def _answer(plan: SealingPlan, intent: SealingIntent, result: bytes, now: datetime) -> pb.SealDocumentResponse:
    (item,) = plan.items
    view = SealingView(
        id=intent.ids[0],
        number=intent.numbers[0],
        seal=plan.seal.id,
        digest=item.digest,
        data_digest=item.data_hash,
        certificate=plan.seal.certificate_id,
        kind=plan.kind,
        source_digest=plan.source_digest,
        use_context=intent.use.SerializeToString(),
        user_name=intent.user,
        approver="",
        create_time=intent.commit_time,
        state=SealingState.SIGNED,
        result_digest=result,
        outcome_time=now,
        void_reason="",
    )
    return pb.SealDocumentResponse(sealing=sealing_message(view), receipt=intent.receipt)
