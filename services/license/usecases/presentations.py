"""Presentations: a holder hands licences to a verifier, who redeems them by code or, for a named case, by name."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from libs.access.actor import Actor
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.crypto.sm3 import sm3
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.license.clients.identity import IdentityClient
from services.license.convert import (
    CODE,
    license_message,
    open_content,
    presentation_message,
    presentation_rules_of,
    standing_of,
)
from services.license.domain import presentation as rules
from services.license.domain.access import Basis
from services.license.domain.lifecycle import check_in_force
from services.license.domain.validity import civil_date
from services.license.store.licenses import LicenseStore
from services.license.store.presentations import PresentationStore
from services.license.tables import presentations
from services.license.usecases.abroad import Abroad
from services.license.usecases.asking import Asking, asking, subjects_of
from services.license.usecases.case_door import CaseDoor
from services.license.usecases.recording import Recording
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import presentation_service_pb2 as pb
from tongban.license.v1 import recognition_service_pb2 as recognition


class Presentations:
    """Use cases of PresentationService."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: PresentationStore,
        licenses: LicenseStore,
        identity: IdentityClient,
        recording: Recording,
        abroad: Abroad,
        door: CaseDoor,
        cipher: FieldCipher,
        clock: Clock,
        home: str,
    ) -> None:
        self._uow = uow
        self._store = store
        self._licenses = licenses
        self._identity = identity
        self._recording = recording
        self._abroad = abroad
        self._door = door
        self._cipher = cipher
        self._clock = clock
        self._home = home

    async def create(self, command: Command, request: pb.CreatePresentationRequest) -> pb.CreatePresentationResponse:
        """Makes a presentation and gives out its code; a repeat brings both again."""
        command = replace(command, response_type=pb.Presentation)
        stored = await self._uow.stored(command)
        if stored is not None:
            assert isinstance(stored, pb.Presentation)
            return await self._with_code(stored)
        actor = current_call().actor
        asked = asking(actor, request.context, self._home)
        holder = _holder(request, actor)
        actor.require_impartial(holder)
        await self._check_power(request, actor, holder)
        await self._check_licenses(request, holder)
        wanted = request.expire_time.ToDatetime(UTC) if request.HasField("expire_time") else None
        code = rules.code_text(self._home, os.urandom(rules.CODE_ENTROPY_BYTES))

        async def work(tx: Transaction) -> pb.Presentation:
            values = self._values(request, asked, holder, code, tx.now, rules.expiry(tx.now, wanted))
            row = await rows.insert(tx.connection, presentations, values)
            tx.emit(
                f"presentations/{row.id}",
                events.PresentationCreated(
                    presentation=f"presentations/{row.id}",
                    holder=holder,
                    licenses=request.licenses,
                    verifier=request.verifier,
                    case_name=row.case_name,
                    expire_time=timestamp(row.expire_time),
                ),
            )
            return presentation_message(row, row.state)

        # The stored answer is the presentation alone: a code is never kept in clear.
        return await self._with_code(await self._uow.run(command, work))

    async def _with_code(self, answer: pb.Presentation) -> pb.CreatePresentationResponse:
        key = answer.name.removeprefix("presentations/")
        code = self._cipher.decrypt_text(CODE, key, (await self._store.get(key)).code)
        return pb.CreatePresentationResponse(presentation=answer, code=code)

    async def _check_power(self, request: pb.CreatePresentationRequest, actor: Actor, holder: str) -> None:
        rules.check_consent(holder, subjects_of(actor), request.consent)
        context = request.context
        if request.consent:
            await self._identity.check_consent(
                request.consent, holder, request.verifier, request.licenses, context.case_name
            )
        elif actor.mandate and holder == actor.organization:
            await self._identity.check_mandate(actor.subject, holder, actor.mandate, request.item_code)

    async def _check_licenses(self, request: pb.CreatePresentationRequest, holder: str) -> None:
        today = civil_date(self._clock.now())
        for row in await self._licenses.several(request.licenses):
            name = f"licenses/{row.id}"
            rules.check_held(holder, name, frozenset(row.holders))
            check_in_force(name, standing_of(row, today))

    def _values(
        self, request: pb.CreatePresentationRequest, asked: Asking, holder: str, code: str, now: datetime, end: datetime
    ) -> dict[str, Any]:
        key, context = uuid7(), asked.context
        return {
            "id": key,
            "holder": holder,
            "licenses": list(request.licenses),
            "verifier": request.verifier,
            "item_code": request.item_code,
            "purpose": context.purpose,
            "case_name": context.case_name,
            "legal_basis": context.legal_basis,
            "department": context.department,
            "operator": context.operator,
            "transaction_id": context.transaction_id,
            "consent": request.consent,
            "single_use": request.single_use,
            "state": rules.PresentationState.ACTIVE.value,
            "code": self._cipher.encrypt_text(CODE, key, code),
            "code_digest": sm3(code.encode()),
            "expire_time": end,
            "create_time": now,
            "update_time": now,
        }

    async def redeem(self, command: Command, request: pb.RedeemPresentationRequest) -> pb.RedeemPresentationResponse:
        """Redeems a presentation of this or of another region."""
        if request.WhichOneof("handle") == "name":
            name = names.parse(request.name, "name", "presentations")
            region, local = (name.region, name.local) if name.is_foreign(self._home) else (self._home, name.local)
        else:
            region, local = rules.region_of_code(request.code), ""
        if region == self._home:
            return await self._redeem(command, request, local)
        if local and not await self._door.is_of(asking(current_call().actor, request.context, self._home)):
            # The other region takes our word for whose case it is.
            raise rules.bound_elsewhere(request.name, "case")
        return await self._abroad.redeem(region, request, local)

    async def redeem_for_region(
        self, command: Command, request: recognition.ListRemoteLicensesRequest
    ) -> pb.RedeemPresentationResponse:
        """Redeems a presentation for another region."""
        await self._abroad.check_inbound(current_call().actor)
        return await self._redeem(command, request, request.name)

    async def _redeem(
        self, command: Command, request: pb.RedeemPresentationRequest | recognition.ListRemoteLicensesRequest, name: str
    ) -> pb.RedeemPresentationResponse:
        asked = asking(current_call().actor, request.context, self._home)
        works_on = bool(name) and (asked.abroad or await self._door.is_of(asked))

        async def work(tx: Transaction) -> pb.Presentation:
            row = await self._locked(tx, request.code, name)
            if name:
                rules.check_by_name(presentation_rules_of(row), asked.reader, works_on=works_on)
            return await self._bind(tx, row, asked)

        # The faces are never kept with the answer: a repeat reads them again, and is recorded again.
        answer = await self._uow.run(replace(command, response_type=pb.Presentation), work)
        return await self._hand_over(command, asked, answer)

    async def _locked(self, tx: Transaction, code: str, name: str) -> Row:
        if name:
            return await self._store.lock(tx.connection, name.removeprefix("presentations/"))
        return await self._store.lock_by_code(tx.connection, sm3(code.encode()))

    async def _bind(self, tx: Transaction, row: Row, asked: Asking) -> pb.Presentation:
        before = presentation_rules_of(row)
        after = rules.redeem(before, asked.reader, asked.purpose.case_name, tx.now)
        row = await rows.update(
            tx.connection,
            presentations,
            row.id,
            {
                "state": after.state.value,
                "redeem_count": after.redeem_count,
                "redeemer": after.redeemer,
                "case_name": after.case_name,
                "redeem_time": tx.now,
                "update_time": tx.now,
            },
        )
        tx.emit(
            before.name,
            events.PresentationRedeemed(
                presentation=before.name,
                holder=row.holder,
                redeemer=after.redeemer,
                case_name=after.case_name,
                redeem_time=timestamp(tx.now),
            ),
        )
        return presentation_message(row, row.state, self._home if asked.abroad else "")

    async def _hand_over(
        self, command: Command, asked: Asking, answer: pb.Presentation
    ) -> pb.RedeemPresentationResponse:
        local = names.parse(answer.name, "name", "presentations").local
        kept = await self._store.get(local.removeprefix("presentations/"))
        found = await self._licenses.several(kept.licenses)
        for row in found:
            # A repeat comes here without having redeemed anything: what allowed it must still hold.
            rules.check_read(
                presentation_rules_of(kept),
                f"licenses/{row.id}",
                asked.reader,
                asked.purpose.case_name,
                self._clock.now(),
            )
        receipt, _ = await self._recording.record(
            command, asked, [(row, Basis.PRESENTATION) for row in found], "REDEEM", obj=local, presentation=local
        )
        messages = [
            license_message(row, open_content(row, self._cipher), self._home, abroad=asked.abroad) for row in found
        ]
        return pb.RedeemPresentationResponse(presentation=answer, licenses=messages, receipt=receipt)


def _holder(request: pb.CreatePresentationRequest, actor: Actor) -> str:
    """Returns who presents: as the request says, or whom the token speaks for."""
    own = actor.organization or actor.person
    holder = request.holder or own
    if not holder:
        raise invalid_field("holder", "holder.required", "staff must say whose licences they are")
    return holder
