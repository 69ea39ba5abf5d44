"""SealingService: sealing documents and digests, and reading the uses of seals."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

from libs.crypto.provider import Signer
from libs.crypto.sm3 import sm3
from libs.db.command import command_of
from libs.errors import reasons
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.seal.core.keys import sign
from services.seal.core.parts import Parts
from services.seal.core.ses import build_many_tbs, build_signature
from services.seal.sealing import uses
from services.seal.sealing.convert import SEALING_STATES, digest_text, sealing_message
from services.seal.sealing.ofd import Placement, PreparedSeal, finish, prepare
from services.seal.sealing.opened import OpenedSeal, OpenedSeals
from services.seal.sealing.plans import SealingIntent, SealingItem, SealingPlan, SealingProduct
from services.seal.sealing.rules import SealingKind, SealingState
from services.seal.sealing.steps import SealingSteps
from services.seal.sealing.store import SealingStore
from services.seal.sealing.uses import SealingView
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import sealing_service_pb2 as pb

_LEAST_CHUNK = 20


class SealingApi:
    """Uses seals."""

    def __init__(self, parts: Parts, store: SealingStore, steps: SealingSteps, opened: OpenedSeals) -> None:
        self._parts = parts
        self._store = store
        self._steps = steps
        self._opened = opened

    async def seal_document(self, request: pb.SealDocumentRequest, call: Call) -> pb.SealDocumentResponse:
        """Seals an OFD document.

        The answer is stored without the document: whoever repeats the call brings it, and it is made again from that
        and the signature value. So no document stays here.
        """
        signing = self._parts.signing
        seal, at = await self._opened.open(request.seal), self._whole_second()
        plan, prepared = await signing.run(_plan_document, request, seal, at)
        sealed: dict[str, bytes] = {}

        async def produce(intent: SealingIntent) -> SealingProduct[pb.SealDocumentResponse]:
            signature, document, result = await signing.run(_sign_document, self._signer(seal), prepared)
            sealed[digest_text(result)] = document
            return SealingProduct([signature], lambda now: _answer(plan, intent, result, now), result)

        answer = await self._steps.take(call.actor, command_of(request, call=call), plan, produce)
        fresh = sealed.get(answer.sealing.result_digest)
        answer.document = fresh or await self._made_again(request, seal, answer.sealing)
        return answer

    async def _made_again(self, request: pb.SealDocumentRequest, seal: OpenedSeal, sealing: resources.Sealing) -> bytes:
        signed = await self._store.signed(sealing.name)
        signing, value = self._parts.signing, signed.signatures[0]
        document = await signing.run(_pack_again, request, seal, signed.signing_time, value)
        if digest_text(sm3(document)) != sealing.result_digest:
            raise reasons.internal(f"the document of {sealing.name} can't be made again byte for byte")
        return document

    async def seal_digests(self, request: pb.SealDigestsRequest, call: Call) -> pb.SealDigestsResponse:
        """Seals digests. The answer is stored with the bare signature values: all else of it is made again from them."""
        signing = self._parts.signing
        seal, at = await self._opened.open(request.seal), self._whole_second()
        items = await signing.run(_digest_items, request, seal, at)

        async def produce(intent: SealingIntent) -> SealingProduct[pb.SealDigestsResponse]:
            values = await self._sign_all(self._signer(seal), [item.tbs for item in items])
            return SealingProduct(values, lambda _: _sealed_digests(intent, values, at))

        plan = SealingPlan(seal, SealingKind.DIGEST, at, items)
        answer = await self._steps.take(call.actor, command_of(request, call=call), plan, produce)
        signed_at = answer.sign_time.ToDatetime(UTC)
        if signed_at != at:
            items = await signing.run(_digest_items, request, seal, signed_at)
        for signature, item in zip(answer.signatures, items, strict=True):
            signature.signed_value = build_signature(item.tbs, seal.certificate, signature.signed_value)
        return answer

    async def get_sealing(self, request: pb.GetSealingRequest, call: Call) -> resources.Sealing:
        """Gets one use of a seal."""
        return sealing_message(await uses.read(self._parts.database, request.name))

    async def list_sealings(self, request: pb.ListSealingsRequest, call: Call) -> pb.ListSealingsResponse:
        """Lists uses of seals, newest first."""
        parts = self._parts
        before = parts.pages.after(request)

        async def page(size: int) -> list[SealingView]:
            return await uses.page(
                parts.database,
                size,
                seal=request.seal.removeprefix("seals/"),
                state=SEALING_STATES.name(request.state),
                case_name=request.case_name,
                number=request.number,
                before=before,
            )

        shown, token = await parts.pages.cut(request, page, lambda use: (use.id,))
        return pb.ListSealingsResponse(sealings=[sealing_message(use) for use in shown], next_page_token=token)

    def _whole_second(self) -> datetime:
        return self._parts.clock.now().replace(microsecond=0)

    def _signer(self, seal: OpenedSeal) -> Signer:
        return self._parts.keys.signer(seal.key_name, seal.key_version)

    async def _sign_all(self, signer: Signer, messages: Sequence[bytes]) -> list[bytes]:
        """Signs in all threads of the pool at once."""
        pool = self._parts.signing
        chunk = max(_LEAST_CHUNK, -(-len(messages) // pool.workers))
        parts = [messages[start : start + chunk] for start in range(0, len(messages), chunk)]
        return list(chain(*await asyncio.gather(*(pool.run(_sign_each, signer, part) for part in parts))))


def _plan_document(request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime) -> tuple[SealingPlan, PreparedSeal]:
    places = [Placement(place.page, place.center_x_mm, place.center_y_mm) for place in request.placements]
    prepared = prepare(request.document, seal.structure, seal.certificate, places, at)
    item = SealingItem(prepared.tbs, sm3(prepared.tbs), prepared.data_hash, prepared.property_info)
    return SealingPlan(seal, SealingKind.DOCUMENT, at, [item], sm3(request.document)), prepared


def _sign_document(signer: Signer, prepared: PreparedSeal) -> tuple[bytes, bytes, bytes]:
    signature = sign(signer, prepared.tbs)
    document = finish(prepared, signature)
    return signature, document, sm3(document)


def _pack_again(request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime, signature: bytes) -> bytes:
    return finish(_plan_document(request, seal, at)[1], signature)


def _digest_items(request: pb.SealDigestsRequest, seal: OpenedSeal, at: datetime) -> list[SealingItem]:
    protected = [(each.data_hash, each.property_info) for each in request.digests]
    made = build_many_tbs(seal.structure, at, protected)
    return [SealingItem(tbs, digest, *each) for (tbs, digest), each in zip(made, protected, strict=True)]


def _sign_each(signer: Signer, messages: Sequence[bytes]) -> list[bytes]:
    return [sign(signer, message) for message in messages]


def _sealed_digests(intent: SealingIntent, values: Sequence[bytes], at: datetime) -> pb.SealDigestsResponse:
    signatures = [
        pb.SealedDigest(sealing=name, number=number, signed_value=value)
        for name, number, value in zip(intent.names, intent.numbers, values, strict=True)
    ]
    return pb.SealDigestsResponse(signatures=signatures, sign_time=timestamp(at), receipt=intent.receipt)


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
