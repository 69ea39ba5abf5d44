"""Checking real names (实名核验)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import names
from libs.access.actor import Actor
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import InvalidArgument, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.identity.convert.accounts import DOCUMENT_NUMBER, FULL_NAME
from services.identity.domain import assurance
from services.identity.domain.assurance import Method
from services.identity.register import Register
from services.identity.store import staff as staff_store
from services.identity.store.accounts import AccountStore
from services.identity.tables import persons, verifications
from services.identity.usecases.accounts import normal_number
from services.identity.usecases.acting import active_person
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import verification_service_pb2 as pb

FOUNDING = "identity.staff.create"
"""Who may enter staff vouches for the first of them, whom no colleague can have seen."""
_FAILURES = 5
_WITHIN = timedelta(hours=1)


class Verifications:
    """Use cases of VerificationService."""

    def __init__(
        self,
        uow: UnitOfWork,
        database: Database,
        clock: Clock,
        store: AccountStore,
        cipher: FieldCipher,
        register: Register,
    ) -> None:
        self._uow = uow
        self._database = database
        self._clock = clock
        self._store = store
        self._cipher = cipher
        self._register = register

    async def record(self, command: Command, request: pb.RecordVerificationRequest) -> resources.Verification:
        """Makes and records one check; a failed one is an answer, not an error."""
        method = Method.IN_PERSON if request.WhichOneof("check") == "in_person" else Method.DOCUMENT_MATCH
        principal = current_call().actor
        await self._check_verifier(method, principal, request.person)
        stored = await self._uow.stored(command)
        if stored is not None:
            assert isinstance(stored, resources.Verification)
            return stored
        passed, verifier = True, principal.clerk or principal.subject
        if method is Method.DOCUMENT_MATCH:
            passed, verifier = await self._matches(request), self._register.name
        details = _details(request)

        async def work(tx: Transaction) -> resources.Verification:
            person = await active_person(tx.connection, request.person, lock=True)
            if method is Method.DOCUMENT_MATCH:
                await self._check_failures(tx.connection, person, tx.now)
            level = assurance.after(person.assurance, method, passed=passed)
            values = _values(person, method, level, tx.now, passed=passed)
            await tx.connection.execute(verifications.insert(), values | {"verifier": verifier, "details": details})
            if level > person.assurance:
                await rows.update(
                    tx.connection,
                    persons,
                    person.id,
                    {
                        "assurance": level,
                        "assurance_time": tx.now,
                        "update_time": tx.now,
                    },
                )
            message = _message(values, verifier)
            tx.emit(
                request.person,
                events.PersonVerified(
                    person=request.person,
                    verification=message.name,
                    method=message.method,
                    outcome=message.outcome,
                    assurance=level,
                ),
            )
            return message

        return await self._uow.run(command, work)

    async def _check_verifier(self, method: Method, principal: Actor, person: str) -> None:
        founding = False
        if method is Method.IN_PERSON and not principal.clerk and principal.may(FOUNDING):
            async with self._database.read() as connection:
                founding = not await staff_store.anybody(connection)
        assurance.check_verifier(
            method, affairs=principal.affairs, person=person, founding=founding, actor_kind=principal.kind
        )

    async def _matches(self, request: pb.RecordVerificationRequest) -> bool:
        """Compares what was stated with the account, and only what agrees with it with the register."""
        async with self._database.read() as connection:
            person = await active_person(connection, request.person)
            await self._check_failures(connection, person, self._clock.now())
        match = request.document_match
        try:
            number = normal_number(match.document, "document_match.document.number", self._clock.now())
        except InvalidArgument:
            return False
        name = self._cipher.decrypt_text(FULL_NAME, person.id, person.full_name)
        kept = self._cipher.decrypt_text(DOCUMENT_NUMBER, person.id, person.document_number)
        if (person.document_type, kept) != (match.document.type_code, number) or not names.same(name, match.full_name):
            return False
        # Registers write names as the glossary does; what an account was opened with may be written otherwise.
        return await self._register.matches(names.key(name), person.document_type, number)

    async def _check_failures(self, connection: AsyncConnection, person: Row, now: datetime) -> None:
        count, since = await self._store.recent_failures(connection, person.id, now, _WITHIN)
        if count >= _FAILURES:
            wait = (since + _WITHIN - now).total_seconds()
            raise reasons.rate_limited("too many failed checks of this person", retry_after=max(1.0, wait))


def _details(request: pb.RecordVerificationRequest) -> dict[str, Any]:
    """What is kept of an in-person check beside its outcome; of a comparison nothing that was stated."""
    if request.WhichOneof("check") != "in_person":
        return {}
    evidence = [each.digest for each in request.in_person.evidence]
    return {"place": request.in_person.place, "evidence": evidence}


def _values(person: Row, method: Method, level: int, now: datetime, *, passed: bool) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "person": person.id,
        "method": method.value,
        "outcome": "PASSED" if passed else "FAILED",
        "assurance": level,
        "verify_time": now,
    }


def _message(values: dict[str, Any], verifier: str) -> resources.Verification:
    return resources.Verification(
        name=f"persons/{values['person']}/verifications/{values['id']}",
        verifier=verifier,
        method=resources.VerificationMethod.Value(f"VERIFICATION_METHOD_{values['method']}"),
        outcome=resources.VerificationOutcome.Value(f"VERIFICATION_OUTCOME_{values['outcome']}"),
        assurance=values["assurance"],
        verify_time=timestamp(values["verify_time"]),
    )
