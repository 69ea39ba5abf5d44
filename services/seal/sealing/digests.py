"""Digests on their way under a seal: many signatures of one call, made in all threads at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from libs.crypto.provider import Signer
from libs.rpc.messages import timestamp
from services.seal.core import keys
from services.seal.core.parts import Parts
from services.seal.core.ses import build_many_tbs, build_signature
from services.seal.sealing.opened import OpenedSeal
from services.seal.sealing.plans import SealingIntent, SealingItem, SealingPlan, SealingProduct
from services.seal.sealing.rules import SealingKind
from tongban.seal.v1 import sealing_service_pb2 as pb

_LEAST_CHUNK = 20


@dataclass(frozen=True, slots=True)
class DigestSealing:
    """What a call of SealDigests has to do with the key.

    Attributes:
        parts: the threads and the keys.
        request: the call.
        plan: the signatures.
    """

    parts: Parts
    request: pb.SealDigestsRequest
    plan: SealingPlan

    async def product(self, intent: SealingIntent) -> SealingProduct[pb.SealDigestsResponse]:
        """Signs. The answer is stored with the bare signature values: all else of it is made again from them."""
        signer = self.parts.keys.signer(self.plan.seal.key_name, self.plan.seal.key_version)
        values = await self._sign_all(signer, [item.tbs for item in self.plan.items])
        return SealingProduct(values, lambda _: _answer(intent, values, self.plan.at))

    async def _sign_all(self, signer: Signer, messages: Sequence[bytes]) -> list[bytes]:
        pool = self.parts.signing
        chunk = max(_LEAST_CHUNK, -(-len(messages) // pool.workers))
        pieces = [messages[start : start + chunk] for start in range(0, len(messages), chunk)]
        return list(chain(*await asyncio.gather(*(pool.run(_sign_each, signer, piece) for piece in pieces))))

    async def complete(self, answer: pb.SealDigestsResponse) -> None:
        """Puts the whole signatures into a stored answer, which may be that of an earlier call."""
        seal, items, signed_at = self.plan.seal, self.plan.items, answer.sign_time.ToDatetime(UTC)
        if signed_at != self.plan.at:
            items = await self.parts.signing.run(_items, self.request, seal, signed_at)
        for signature, item in zip(answer.signatures, items, strict=True):
            signature.signed_value = build_signature(item.tbs, seal.certificate, signature.signed_value)


async def planned(parts: Parts, request: pb.SealDigestsRequest, seal: OpenedSeal, at: datetime) -> DigestSealing:
    """Fixes what the key will sign."""
    items = await parts.signing.run(_items, request, seal, at)
    return DigestSealing(parts, request, SealingPlan(seal, SealingKind.DIGEST, at, items))


def _items(request: pb.SealDigestsRequest, seal: OpenedSeal, at: datetime) -> Sequence[SealingItem]:
    protected = [(bytes.fromhex(each.data_digest.removeprefix("sm3:")), each.property_info) for each in request.digests]
    made = build_many_tbs(seal.structure, at, protected)
    return [SealingItem(tbs, digest, *each) for (tbs, digest), each in zip(made, protected, strict=True)]


def _sign_each(signer: Signer, messages: Sequence[bytes]) -> list[bytes]:
    return [keys.sign(signer, message) for message in messages]


def _answer(intent: SealingIntent, values: Sequence[bytes], at: datetime) -> pb.SealDigestsResponse:
    signatures = [
        pb.SealedDigest(sealing=name, number=number, signed_value=value)
        for name, number, value in zip(intent.names, intent.numbers, values, strict=True)
    ]
    return pb.SealDigestsResponse(signatures=signatures, sign_time=timestamp(at), receipt=intent.receipt)
