"""SealingService: sealing documents and digests, and reading the uses of seals."""

from datetime import datetime

from libs.db.command import command_of
from libs.rpc.call import Call
from services.seal.core.parts import Parts
from services.seal.sealing import digests, documents, uses
from services.seal.sealing.convert import sealing_message
from services.seal.sealing.opened import OpenedSeals
from services.seal.sealing.steps import SealingSteps
from services.seal.sealing.store import SealingStore
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import sealing_service_pb2 as pb


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
        seal = await self._opened.open(request.seal)
        whole = await documents.brought(self._parts, request, call.actor)
        if request.upload:
            await self._parts.uploads.check_room(call.actor, len(whole.content) + documents.GROWTH)
        work = await documents.planned(self._parts, whole, seal, self._whole_second())
        answer = await self._steps.take(call.actor, command_of(request, call=call), work)
        fresh = work.sealed.get(answer.sealing.result_digest)
        if fresh is None:
            signed = await self._store.signed(answer.sealing.name)
            fresh = await documents.made_again(self._parts, whole, seal, signed, answer.sealing)
        if request.upload:
            answer.upload = await self._parts.uploads.give(fresh, request.media_type, call.actor)
        else:
            answer.document = fresh
        return answer

    async def seal_digests(self, request: pb.SealDigestsRequest, call: Call) -> pb.SealDigestsResponse:
        """Seals digests."""
        seal = await self._opened.open(request.seal)
        work = await digests.planned(self._parts, request, seal, self._whole_second())
        answer = await self._steps.take(call.actor, command_of(request, call=call), work)
        await work.complete(answer)
        return answer

    def _whole_second(self) -> datetime:
        return self._parts.clock.now().replace(microsecond=0)

    async def get_sealing(self, request: pb.GetSealingRequest, call: Call) -> resources.Sealing:
        """Gets one use of a seal."""
        return sealing_message(await uses.read(self._parts.database, request.name))

    async def list_sealings(self, request: pb.ListSealingsRequest, call: Call) -> pb.ListSealingsResponse:
        """Lists uses of seals, newest first."""
        parts = self._parts
        async with parts.database.read() as connection:
            shown, token = await uses.LISTED.page(connection, parts.pages, request)
        return pb.ListSealingsResponse(sealings=[sealing_message(use) for use in shown], next_page_token=token)
