"""VerificationService: checking real names (实名核验)."""

from datetime import datetime, timedelta
from typing import Any

from libs import names
from libs.access import owners
from libs.access.actor import Actor
from libs.audit.reading import record_read
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import Names, timestamp
from services.identity.core import assurance, staff
from services.identity.core.accounts import Person, active_person, normal_number
from services.identity.core.assurance import VerificationMethod
from services.identity.core.names import id_of
from services.identity.core.parts import Parts
from services.identity.verifications import store
from services.identity.verifications.register import Register
from services.identity.verifications.store import Verification
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import verification_service_pb2 as pb

FOUNDING = "identity.staff.create"
"""Who may enter staff vouches for the first of them, whom no colleague can have seen."""
_WITHIN = timedelta(hours=1)
_METHODS, _OUTCOMES = Names(resources.VerificationMethod), Names(resources.VerificationOutcome)


class RealNameApi:
    """Makes and records checks."""

    def __init__(self, parts: Parts, register: Register) -> None:
        self._parts = parts
        self._register = register

    async def record_verification(self, request: pb.RecordVerificationRequest, call: Call) -> resources.Verification:
        """Makes and records one check; a failed one is an answer, not an error."""
        method, command = _method(request), command_of(request, call=call)
        await self._check_verifier(method, call.actor, request.person)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, resources.Verification):
            return stored
        passed, verifier = True, call.actor.clerk or call.actor.subject
        if method is VerificationMethod.DOCUMENT_MATCH:
            passed, verifier = await self._matches(request), self._register.name

        async def work(tx: Transaction) -> resources.Verification:
            person = await active_person(tx.connection, request.person, lock=True)
            if method is VerificationMethod.DOCUMENT_MATCH:
                await _check_failures(tx.connection, person, tx.now)
            level = assurance.after(person.assurance, method, passed=passed)
            outcome = store.PASSED if passed else store.FAILED
            check = Verification(uuid7(), person.id, method, outcome, level, verifier, _details(request), tx.now)
            made = await store.ADD.add(tx.connection, check)
            await _raise_level(tx, person, level)
            _tell_verified(tx, request.person, made)
            return _message(made)

        return await self._parts.uow.run(command, work)

    async def list_verifications(
        self, request: pb.ListVerificationsRequest, call: Call
    ) -> pb.ListVerificationsResponse:
        """Lists the checks of a person: to the person; to others it is recorded."""
        parts, person = self._parts, owners.whose(call.actor)
        if person and person != request.parent:
            raise not_found(request.parent)
        scope = Scope({"person": id_of(request.parent)})
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, [scope])
        own = person is not None
        await record_read(parts.audit, request, request.parent, ("verification",), len(shown), own=own, call=call)
        return pb.ListVerificationsResponse(verifications=map(_message, shown), next_page_token=token)

    async def _check_verifier(self, method: VerificationMethod, actor: Actor, person: str) -> None:
        founding = False
        if method is VerificationMethod.IN_PERSON and not actor.clerk and actor.may(FOUNDING):
            async with self._parts.database.read() as connection:
                founding = not await staff.anybody(connection)
        assurance.check_verifier(method, affairs=actor.affairs, person=person, founding=founding, actor_kind=actor.kind)

    async def _matches(self, request: pb.RecordVerificationRequest) -> bool:
        """Compares what was stated with the account, and only what agrees with it with the register."""
        cipher, now, match = self._parts.cipher, self._parts.clock.now(), request.document_match
        async with self._parts.database.read() as connection:
            person = await active_person(connection, request.person)
            await _check_failures(connection, person, now)
        type_code, field = match.document.type_code, "document_match.document.number"
        try:
            number = normal_number(type_code, match.document.number, field, local_day(now))
        except InvalidArgument:
            return False
        name, kept = person.clear_name(cipher), person.clear_number(cipher)
        if (person.document_type, kept) != (type_code, number) or not names.same(name, match.full_name):
            return False
        # Registers write names as the glossary does; what an account was opened with may be written otherwise.
        return await self._register.matches(names.key(name), person.document_type, number)


def _method(request: pb.RecordVerificationRequest) -> VerificationMethod:
    in_person = request.WhichOneof("check") == "in_person"
    return VerificationMethod.IN_PERSON if in_person else VerificationMethod.DOCUMENT_MATCH


async def _check_failures(connection: DatabaseConnection, person: Person, now: datetime) -> None:
    failed = await store.failures(connection, person.id, now, _WITHIN)
    if len(failed) >= store.MOST_FAILURES:
        wait = (failed[0].verify_time + _WITHIN - now).total_seconds()
        raise reasons.rate_limited("too many failed checks of this person", retry_after=max(1.0, wait))


async def _raise_level(tx: Transaction, person: Person, level: int) -> None:
    if level > person.assurance:
        await store.UPDATE_PERSON.one(
            tx.connection, person.id, assurance=level, assurance_time=tx.now, update_time=tx.now
        )


def _details(request: pb.RecordVerificationRequest) -> dict[str, Any]:
    """What is kept of an in-person check beside its outcome; of a comparison nothing that was stated."""
    if request.WhichOneof("check") != "in_person":
        return {}
    evidence = [*request.in_person.evidence]
    return {"place": request.in_person.place, "evidence": evidence}


def _message(row: Verification) -> resources.Verification:
    return resources.Verification(
        name=row.name,
        verifier=row.verifier,
        method=_METHODS.number(row.method.value),
        outcome=_OUTCOMES.number(row.outcome),
        assurance=row.assurance,
        verify_time=timestamp(row.verify_time),
    )


def _tell_verified(tx: Transaction, person: str, made: Verification) -> None:
    message = _message(made)
    tx.emit(
        person,
        events.PersonVerified(
            person=person,
            verification=message.name,
            method=message.method,
            outcome=message.outcome,
            assurance=message.assurance,
        ),
    )
