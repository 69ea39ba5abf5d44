"""Sealing documents and digests, and reading the uses of seals."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

from libs.clock import Clock
from libs.crypto.provider import Signer
from libs.crypto.sm3 import sm3
from libs.db import paging
from libs.db.command import Command
from libs.errors import reasons
from libs.rpc.timestamps import timestamp
from libs.workers import Pool
from services.seal.convert import SealingView, digest_text, sealing_message
from services.seal.domain.sealings import SealingKind, SealingState
from services.seal.keys import SigningKeys, sign
from services.seal.ofd_seal import Placement, PreparedSeal, finish, prepare
from services.seal.ses import build_many_tbs, build_signature
from services.seal.store.sealings import SealingStore
from services.seal.usecases.opened_seals import OpenedSeal, OpenedSeals
from services.seal.usecases.uses import Intent, Item, Plan, Product, Uses
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import sealing_service_pb2 as pb

_LEAST_CHUNK = 20


class Sealings:
    """Use cases of SealingService."""

    def __init__(
        self, uses: Uses, opened: OpenedSeals, store: SealingStore, keys: SigningKeys, pool: Pool, clock: Clock
    ) -> None:
        self._uses = uses
        self._opened = opened
        self._store = store
        self._keys = keys
        self._pool = pool
        self._clock = clock

    async def seal_document(self, command: Command, request: pb.SealDocumentRequest) -> pb.SealDocumentResponse:
        """Seals an OFD document.

        The answer is stored without the document: whoever repeats the call brings it, and it is made again from that
        and the signature value. So no document stays here.
        """
        seal, at = await self._opened.open(request.seal), self._whole_second()
        plan, prepared = await self._pool.run(_plan_document, request, seal, at)
        sealed: dict[str, bytes] = {}

        async def produce(intent: Intent) -> Product[pb.SealDocumentResponse]:
            signature, document, result = await self._pool.run(_sign_document, self._signer(seal), prepared)
            sealed[digest_text(result)] = document

            def answer(now: datetime) -> pb.SealDocumentResponse:
                sealing = sealing_message(_view(plan, intent, result, now))
                return pb.SealDocumentResponse(sealing=sealing, receipt=intent.receipt)

            return Product([signature], answer, result)

        answer = await self._uses.run(command, plan, produce)
        fresh = sealed.get(answer.sealing.result_digest)
        answer.document = fresh or await self._made_again(request, seal, answer.sealing)
        return answer

    async def _made_again(self, request: pb.SealDocumentRequest, seal: OpenedSeal, sealing: resources.Sealing) -> bytes:
        row = await self._store.signed(sealing.name.removeprefix("sealings/"))
        document = await self._pool.run(_pack_again, request, seal, row.signing_time, row.signatures[0])
        if digest_text(sm3(document)) != sealing.result_digest:
            raise reasons.internal(f"the document of {sealing.name} can't be made again byte for byte")
        return document

    async def seal_digests(self, command: Command, request: pb.SealDigestsRequest) -> pb.SealDigestsResponse:
        """Seals digests. The answer is stored with the bare signature values: all else of it is made again from them."""
        seal, at = await self._opened.open(request.seal), self._whole_second()
        items = await self._pool.run(_digest_items, request, seal, at)

        async def produce(intent: Intent) -> Product[pb.SealDigestsResponse]:
            values = await self._sign_all(self._signer(seal), [item.tbs for item in items])

            def answer(_: datetime) -> pb.SealDigestsResponse:
                signatures = [
                    pb.SealedDigest(sealing=f"sealings/{key}", number=number, signed_value=value)
                    for key, number, value in zip(intent.ids, intent.numbers, values, strict=True)
                ]
                return pb.SealDigestsResponse(signatures=signatures, sign_time=timestamp(at), receipt=intent.receipt)

            return Product(values, answer)

        answer = await self._uses.run(command, Plan(seal, SealingKind.DIGEST, at, items), produce)
        signed_at = answer.sign_time.ToDatetime(UTC)
        if signed_at != at:
            items = await self._pool.run(_digest_items, request, seal, signed_at)
        for signature, item in zip(answer.signatures, items, strict=True):
            signature.signed_value = build_signature(item.tbs, seal.certificate, signature.signed_value)
        return answer

    async def get(self, name: str) -> resources.Sealing:
        """Reads one use of a seal."""
        return sealing_message(await self._store.sealing(name.removeprefix("sealings/")))

    async def page(self, request: pb.ListSealingsRequest) -> pb.ListSealingsResponse:
        """Lists uses of seals, newest first."""
        size = paging.page_size(request.page_size)
        after = paging.position(request, request.page_token)
        state = resources.SealingState.Name(request.state).removeprefix("SEALING_STATE_") if request.state else ""
        found = await self._store.page(
            {
                "seal": request.seal.removeprefix("seals/"),
                "state": state,
                "case_name": request.case_name,
                "number": request.number,
                "before": str(after[0]) if after else "",
            },
            size + 1,
        )
        token = paging.next_token(request, found[size - 1].id) if len(found) > size else ""
        return pb.ListSealingsResponse(sealings=[sealing_message(row) for row in found[:size]], next_page_token=token)

    def _whole_second(self) -> datetime:
        return self._clock.now().replace(microsecond=0)

    def _signer(self, seal: OpenedSeal) -> Signer:
        return self._keys.signer(seal.key_name, seal.key_version)

    async def _sign_all(self, signer: Signer, messages: Sequence[bytes]) -> list[bytes]:
        """Signs in all threads of the pool at once."""
        chunk = max(_LEAST_CHUNK, -(-len(messages) // self._pool.workers))
        parts = [messages[start : start + chunk] for start in range(0, len(messages), chunk)]
        return list(chain(*await asyncio.gather(*(self._pool.run(_sign_each, signer, part) for part in parts))))


def _plan_document(request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime) -> tuple[Plan, PreparedSeal]:
    places = [Placement(place.page, place.center_x_mm, place.center_y_mm) for place in request.placements]
    prepared = prepare(request.document, seal.structure, seal.certificate, places, at)
    item = Item(prepared.tbs, sm3(prepared.tbs), prepared.data_hash, prepared.property_info)
    return Plan(seal, SealingKind.DOCUMENT, at, [item], sm3(request.document)), prepared


def _sign_document(signer: Signer, prepared: PreparedSeal) -> tuple[bytes, bytes, bytes]:
    signature = sign(signer, prepared.tbs)
    document = finish(prepared, signature)
    return signature, document, sm3(document)


def _pack_again(request: pb.SealDocumentRequest, seal: OpenedSeal, at: datetime, signature: bytes) -> bytes:
    return finish(_plan_document(request, seal, at)[1], signature)


def _digest_items(request: pb.SealDigestsRequest, seal: OpenedSeal, at: datetime) -> list[Item]:
    protected = [(each.data_hash, each.property_info) for each in request.digests]
    made = build_many_tbs(seal.structure, at, protected)
    return [Item(tbs, digest, *each) for (tbs, digest), each in zip(made, protected, strict=True)]


def _sign_each(signer: Signer, messages: Sequence[bytes]) -> list[bytes]:
    return [sign(signer, message) for message in messages]


def _view(plan: Plan, intent: Intent, result: bytes, now: datetime) -> SealingView:
    (item,) = plan.items
    return SealingView(
        id=intent.ids[0],
        number=intent.numbers[0],
        seal=plan.seal.identifier,
        digest=item.digest,
        data_digest=item.data_hash,
        certificate=plan.seal.certificate_id,
        kind=plan.kind.value,
        source_digest=plan.source_digest,
        use_context=intent.use.SerializeToString(),
        user_name=intent.user,
        approver="",
        create_time=intent.commit_time,
        state=SealingState.SIGNED.value,
        result_digest=result,
        outcome_time=now,
        void_reason="",
    )
