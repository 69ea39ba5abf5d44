"""PresentationService: a holder hands licences to a verifier, who redeems them by code or, for a named case, by name."""

import os
from dataclasses import replace
from datetime import UTC, datetime

from libs.access.actor import Actor, Standing
from libs.access.context import lies_here
from libs.access.owners import OFFICIAL, listed_owners, speaks_for_nobody
from libs.audit.reading import record_read
from libs.civil.calendar import local_day
from libs.crypto.sm3 import sm3
from libs.db.command import Command, command_of
from libs.db.uow import Transaction
from libs.errors import invalid_field
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from libs.rpc.patches import standing_in
from services.license.core import leaving
from services.license.core.authorization import STATED, Inquiry, asked_by, subjects_of
from services.license.core.lifecycle import check_in_force
from services.license.core.messages import license_message
from services.license.core.parts import Parts
from services.license.core.reading import Presentation, UseBasis, bound_elsewhere
from services.license.integrations.identity import ConsentedUse
from services.license.presentations import rules, store
from services.license.presentations.convert import licenses_of, presentation_message
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import presentation_service_pb2 as pb


class PresentationApi:
    """Makes presentations and redeems them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_presentation(
        self, request: pb.CreatePresentationRequest, call: Call
    ) -> pb.CreatePresentationResponse:
        """Makes a presentation and gives out its code; a repeat brings both again."""
        # The stored answer is the presentation alone: a code is never kept in clear.
        command = replace(command_of(request, call=call), response_type=pb.Presentation)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, pb.Presentation):
            return await self._with_code(stored)
        wanted = request.presentation
        with standing_in("presentation"):
            # It says what the verifier is to do. Nothing rests on a basis here: the presentation is to be one.
            asked = asked_by(call.actor, wanted.use_context, self._parts.home, ())
        holder = _holder(wanted, call.actor)
        call.actor.require_impartial(holder)
        await self._check_power(wanted, call.actor, holder)
        await self._check_licenses(wanted, call.actor, holder)
        code = rules.code_text(self._parts.home, os.urandom(rules.CODE_ENTROPY_BYTES))

        async def work(tx: Transaction) -> pb.Presentation:
            made = await store.ADD.add(tx.connection, self._new(wanted, asked, holder, code, tx.now))
            _tell_created(tx, made)
            return presentation_message(made)

        answer = await self._parts.uow.run(command, work)
        if command.validate_only:
            return pb.CreatePresentationResponse(presentation=answer)
        return await self._with_code(answer)

    async def _with_code(self, answer: pb.Presentation) -> pb.CreatePresentationResponse:
        made = await self._parts.presentations.get(answer.name)
        code = self._parts.cipher.decrypt_text(store.CODE, made.id, made.code)
        return pb.CreatePresentationResponse(presentation=answer, code=code)

    async def _check_power(self, wanted: pb.Presentation, actor: Actor, holder: str) -> None:
        rules.check_consent(holder, subjects_of(actor), wanted.consent)
        identity = self._parts.identity
        if wanted.consent:
            use = ConsentedUse(holder, wanted.verifier, licenses_of(wanted), wanted.use_context)
            await identity.check_consent(wanted.consent, use)
        elif actor.mandate and holder in actor.known_as(actor.organization):
            await identity.check_mandate(actor.subject, holder, actor.mandate, wanted.item_code)

    async def _check_licenses(self, wanted: pb.Presentation, actor: Actor, holder: str) -> None:
        official = actor.standing in OFFICIAL
        today = local_day(self._parts.clock.now())
        for each in await self._parts.licenses.several(licenses_of(wanted)):
            rules.check_held(holder, each.name, frozenset(each.holders), official=official)
            check_in_force(each.name, each.standing_on(today))

    def _new(self, wanted: pb.Presentation, asked: Inquiry, holder: str, code: str, now: datetime) -> Presentation:
        until = wanted.expire_time.ToDatetime(UTC) if wanted.HasField("expire_time") else None
        key, context = uuid7(), asked.use.context
        return Presentation(
            id=key,
            holder=holder,
            licenses=licenses_of(wanted),
            verifier=wanted.verifier,
            item_code=wanted.item_code,
            purpose_code=context.purpose_code,
            purpose=context.purpose,
            service_item=context.service_item,
            case_name=context.case,
            department=context.department,
            operator=context.operator,
            transaction_id=context.transaction_id,
            consent=wanted.consent,
            single_use=wanted.single_use,
            code=self._parts.cipher.encrypt_text(store.CODE, key, code),
            code_digest=sm3(code.encode()),
            expire_time=rules.expiry(now, until),
            create_time=now,
            update_time=now,
        )

    async def list_presentations(
        self, request: pb.ListPresentationsRequest, call: Call
    ) -> pb.ListPresentationsResponse:
        """Lists what a holder presented."""
        parts, now = self._parts, self._parts.clock.now()
        if call.actor.standing is not Standing.PERSON:
            raise speaks_for_nobody(call.actor)
        holders = listed_owners(call.actor, request.holder)
        scopes = [Scope({"holder": each}) for each in holders]
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, scopes, now=now)
        await record_read(
            parts.audit, request, request.holder or holders[0], ("presentation",), len(shown), own=True, call=call
        )
        messages = [presentation_message(replace(each, state=each.state_at(now))) for each in shown]
        return pb.ListPresentationsResponse(presentations=messages, next_page_token=token)

    async def redeem_presentation(
        self, request: pb.RedeemPresentationRequest, call: Call
    ) -> pb.RedeemPresentationResponse:
        """Redeems a presentation of this or of another region."""
        home = self._parts.home
        if request.WhichOneof("handle") == "name":
            name = names.parse(request.name, "name", "presentations")
            region, local = name.region, name.local
        else:
            region, local = rules.region_of_code(request.code), ""
        if lies_here(call.actor, region, home):
            return await self._redeem(request, call, local)
        return await self._redeem_abroad(request, call, region, local)

    async def _redeem_abroad(
        self, request: pb.RedeemPresentationRequest, call: Call, region: str, local: str
    ) -> pb.RedeemPresentationResponse:
        """Redeems another region's presentation there; ``local`` is its name there, empty where the code is given."""
        parts = self._parts
        if local and not await parts.authorization.is_of(asked_by(call.actor, request.use_context, parts.home, STATED)):
            # The other region takes our word for whose case it is.
            raise bound_elsewhere(request.name, "case")
        context = await leaving.recorded(parts, call, request, f"//{region}/{local or 'presentations'}", region, STATED)
        wanted = pb.RedeemPresentationRequest(use_context=context, request_id=request.request_id)
        if local:
            wanted.name = local
        else:
            wanted.code = request.code
        found, receipt = await parts.regions.presented(region, wanted)
        call.pass_on(receipt)
        return found

    async def _redeem(
        self, request: pb.RedeemPresentationRequest, call: Call, name: str
    ) -> pb.RedeemPresentationResponse:
        asked = asked_by(call.actor, request.use_context, self._parts.home, STATED)
        works_on = bool(name) and (asked.abroad or await self._parts.authorization.is_of(asked))

        async def work(tx: Transaction) -> pb.Presentation:
            if name:
                shown = await store.lock(tx.connection, name)
                rules.check_by_name(shown, asked.reader, works_on=works_on)
            else:
                shown = await store.lock_by_code(tx.connection, sm3(request.code.encode()))
            bound = await _bind(tx, rules.redeem(shown, asked.reader, asked.use.case_name, tx.now))
            return presentation_message(bound, self._parts.home if asked.abroad else "")

        # The faces are never kept with the answer: a repeat reads them again, and is recorded again.
        command = command_of(request, call=call)
        answer = await self._parts.uow.run(replace(command, response_type=pb.Presentation), work)
        return await self._hand_over(command, asked, answer)

    async def _hand_over(
        self, command: Command, asked: Inquiry, answer: pb.Presentation
    ) -> pb.RedeemPresentationResponse:
        parts = self._parts
        shown = await parts.presentations.get(names.parse(answer.name, "name", "presentations").local)
        found = await parts.licenses.several(shown.licenses)
        now = parts.clock.now()
        for each in found:
            # A repeat comes here without having redeemed anything: what allowed it must still hold.
            shown.check_read(each.name, asked.reader, asked.use.case_name, now)
        used = [(each, UseBasis.PRESENTATION) for each in found]
        await parts.recorder.record(command, asked, used, "REDEEM", about=shown.name, presentation=shown.name)
        given = (license_message(each, parts.cipher, parts.home, abroad=asked.abroad) for each in found)
        return pb.RedeemPresentationResponse(
            presentation=answer, licenses=[pb.RedeemedLicense(license=each) for each in given]
        )


async def _bind(tx: Transaction, redeemed: Presentation) -> Presentation:
    bound = await store.UPDATE.one(
        tx.connection,
        redeemed.id,
        state=redeemed.state,
        redeem_count=redeemed.redeem_count,
        redeemer=redeemed.redeemer,
        case_name=redeemed.case_name,
        redeem_time=redeemed.redeem_time,
        update_time=redeemed.update_time,
    )
    tx.emit(
        bound.name,
        events.PresentationRedeemed(
            presentation=bound.name,
            holder=bound.holder,
            redeemer=bound.redeemer,
            case=bound.case_name,
            redeem_time=timestamp(bound.redeem_time),
        ),
    )
    return bound


def _tell_created(tx: Transaction, made: Presentation) -> None:
    tx.emit(
        made.name,
        events.PresentationCreated(
            presentation=made.name,
            holder=made.holder,
            licenses=made.licenses,
            verifier=made.verifier,
            case=made.case_name,
            expire_time=timestamp(made.expire_time),
        ),
    )


def _holder(wanted: pb.Presentation, actor: Actor) -> str:
    """Returns who presents: as it says, or whom the token speaks for."""
    holder = wanted.holder or actor.organization or actor.person
    if not holder:
        raise invalid_field("presentation.holder", "holder.required", "staff must say whose licences they are")
    return holder
