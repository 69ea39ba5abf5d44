"""AccountService about how people are reached: their contact points, and the codes that show them."""

import hmac
from datetime import datetime
from typing import Any

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.leader import turn
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.identity.contacts import rules, store
from services.identity.contacts.convert import digits, new_code
from services.identity.contacts.rules import CodeState
from services.identity.contacts.store import ContactCode
from services.identity.contacts.worker import CodeSender
from services.identity.core import assurance
from services.identity.core.accounts import Person, active_person
from services.identity.core.assurance import VerificationMethod
from services.identity.core.contact_points import (
    ContactKind,
    ReachablePoint,
    check_unlike_points,
    points_of,
    value_index,
)
from services.identity.core.own_account import hide_others_account, require_known_as
from services.identity.core.parts import Parts
from services.identity.core.person_messages import new_points, person_message, said
from services.identity.core.whole_person import whole
from services.identity.verifications.service import NameCheck, keep, raised
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_VERIFIER = "verifiers/code"
"""Who vouches for a phone: the code that came from there."""


class ContactApi:
    """Keeps how people are reached."""

    def __init__(self, parts: Parts, sender: CodeSender) -> None:
        self._parts = parts
        self._sender = sender

    async def set_contact_points(self, request: pb.SetContactPointsRequest, call: Call) -> resources.Person:
        """Sets how a person is reached; what stays keeps when it was shown."""
        call.actor.require_impartial(request.name)

        async def work(tx: Transaction) -> resources.Person:
            hide_others_account(call.actor, request.name)
            person = await active_person(tx.connection, request.name, lock=True)
            require_known_as(call.actor, person.assurance)
            check_etag(request.name, person.version, request.etag)
            wanted = new_points(person.id, request.contact_points, self._parts.cipher, tx.now)
            check_unlike_points([each.value_index for each in wanted], "contact_points")
            known = {each.value_index: each for each in await self._stored(tx, person)}
            await self._leave(tx, person, known, wanted)
            for each in wanted:
                await _keep_or_add(tx, known.get(each.value_index), each)
            return await self._changed(tx, person, {})

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def start_contact_verification(
        self, request: pb.StartContactVerificationRequest, call: Call
    ) -> pb.StartContactVerificationResponse:
        """Makes a code; it is sent once that is committed."""
        call.actor.require_impartial(request.name)
        cipher, (kind, value) = self._parts.cipher, said(request.contact_point)

        async def work(tx: Transaction) -> pb.StartContactVerificationResponse:
            hide_others_account(call.actor, request.name)
            person = await active_person(tx.connection, request.name, lock=True)
            index, now = value_index(cipher, kind, value), self._parts.wall.now()
            if index not in {each.value_index for each in await points_of(tx.connection, person, cipher)}:
                raise invalid_field("contact_point", "contact_point.unknown", "is no contact point of the account")
            self._require_sendable(kind)
            await self._check_pace(tx, person, index, now)
            await store.replace(tx.connection, person.id, [index], now)
            made = await store.ADD_CODE.add(tx.connection, new_code(person.id, kind, value, cipher, now))
            tx.about = person.name
            tx.committed.append(self._sender.wake)
            return pb.StartContactVerificationResponse(expire_time=timestamp(made.expire_time))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def confirm_contact_verification(
        self, request: pb.ConfirmContactVerificationRequest, call: Call
    ) -> pb.ConfirmContactVerificationResponse:
        """Compares a code with the one that was sent; a wrong one counts, and is an answer."""
        call.actor.require_impartial(request.name)
        cipher, (kind, value) = self._parts.cipher, said(request.contact_point)

        async def work(tx: Transaction) -> pb.ConfirmContactVerificationResponse:
            hide_others_account(call.actor, request.name)
            person = await active_person(tx.connection, request.name, lock=True)
            tx.about = person.name
            index, now = value_index(cipher, kind, value), self._parts.wall.now()
            code = await store.open_code(tx.connection, person.id, index, now)
            if code is None:
                return pb.ConfirmContactVerificationResponse(person=await self._message(tx, person))
            after = rules.tried(code.tries, right=hmac.compare_digest(digits(code, cipher), request.code))
            await store.UPDATE_CODE.one(tx.connection, code.id, state=after.state, tries=after.tries, update_time=now)
            confirmed = after.state is CodeState.CONFIRMED
            shown = await self._shown(tx, person, code) if confirmed else await self._message(tx, person)
            return pb.ConfirmContactVerificationResponse(
                confirmed=confirmed, remaining_tries=after.remaining, person=shown
            )

        return await self._parts.uow.run(command_of(request, call=call), work)

    def _require_sendable(self, kind: ContactKind) -> None:
        if kind not in self._sender.kinds:
            raise reasons.dependency_unavailable(
                "this region sends nothing of this kind", retry_after=60.0, dependency="notifier"
            )

    async def _check_pace(self, tx: Transaction, person: Person, index: bytes, now: datetime) -> None:
        """Raises RATE_LIMITED where another code must wait; of two accounts with one phone the second asks after the first."""
        await turn(tx.connection, f"identity:contact:{index.hex()}")
        since = now - rules.WITHIN
        to_point = await store.sent_to(tx.connection, index, since)
        rules.check_pace(to_point, await store.sent_of(tx.connection, person.id, since), now)

    async def _shown(self, tx: Transaction, person: Person, code: ContactCode) -> resources.Person:
        """Notes that a person is reached by a contact point; a phone raises the level."""
        for each in await self._stored(tx, person):
            if each.value_index == code.value_index:
                await store.UPDATE_POINT.one(tx.connection, each.id, verify_time=tx.now, update_time=tx.now)
        if code.kind is not ContactKind.PHONE:
            return await self._changed(tx, person, {})
        check = NameCheck(VerificationMethod.PHONE, passed=True, verifier=_VERIFIER)
        await keep(tx, person, check)
        level = assurance.after(person.assurance, check.method, passed=True)
        return await self._changed(tx, person, raised(person, level, tx.now))

    async def _stored(self, tx: Transaction, person: Person) -> list[ReachablePoint]:
        """Returns how a person is reached, each as a row; a phone that stands in the account's own row becomes one."""
        points = await points_of(tx.connection, person, self._parts.cipher)
        if person.phone:
            for each in points:
                await store.ADD_POINT.add(tx.connection, each)
        return points

    async def _leave(
        self, tx: Transaction, person: Person, known: dict[bytes, ReachablePoint], wanted: list[ReachablePoint]
    ) -> None:
        """Takes away what is wanted no more; a code that was sent there shows nothing."""
        left = {index: each for index, each in known.items() if index not in {one.value_index for one in wanted}}
        for each in left.values():
            await store.DELETE_POINT.gone(tx.connection, each.id)
        await store.replace(tx.connection, person.id, list(left), self._parts.wall.now())

    async def _message(self, tx: Transaction, person: Person) -> resources.Person:
        return person_message(await whole(tx.connection, person, self._parts.cipher), self._parts.cipher)

    async def _changed(self, tx: Transaction, person: Person, changes: dict[str, Any]) -> resources.Person:
        """Changes the account, tells of it, and how it stands then."""
        row = await store.UPDATE_PERSON.one(tx.connection, person.id, **changes, phone=None, update_time=tx.now)
        tx.emit(person.name, events.PersonContactPointsChanged(person=person.name))
        return await self._message(tx, row)


async def _keep_or_add(tx: Transaction, known: ReachablePoint | None, wanted: ReachablePoint) -> None:
    """Puts a contact point into its place; one that is known keeps when it was shown, and is written as it is known."""
    if known is None:
        await store.ADD_POINT.add(tx.connection, wanted)
    elif known.place != wanted.place:
        await store.UPDATE_POINT.one(tx.connection, known.id, place=wanted.place, update_time=tx.now)
