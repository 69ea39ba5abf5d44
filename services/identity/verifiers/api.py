"""VerificationService about checks that the person takes part in: started here, made at a verifier, recorded here."""

from collections.abc import Mapping

from libs import names
from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.errors import not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.identity.core.accounts import Person, active_person
from services.identity.core.assurance import VerificationMethod
from services.identity.core.further_documents import verify
from services.identity.core.own_account import hide_others_account
from services.identity.core.parts import Parts
from services.identity.verifications.service import NameCheck, check_failures, keep, raised
from services.identity.verifiers import rules, store
from services.identity.verifiers.remote import AskedCheck, CheckState, Verifier
from services.identity.verifiers.rules import AttemptState
from services.identity.verifiers.store import VerificationAttempt
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import verification_service_pb2 as pb

_METHODS = {"face": VerificationMethod.FACE, "bank_card": VerificationMethod.BANK_CARD}
_ASK_AGAIN_SECONDS = 3.0


class VerifierApi:
    """Starts checks at verifiers, and records what came of them."""

    def __init__(self, parts: Parts, verifiers: Mapping[VerificationMethod, Verifier]) -> None:
        self._parts = parts
        self._verifiers = verifiers

    async def start_verification(
        self, request: pb.StartVerificationRequest, call: Call
    ) -> pb.StartVerificationResponse:
        """Starts a check. The verifier is asked first: a start that is lost leaves nothing but a page that nobody opens."""
        command, parts = command_of(request, call=call), self._parts
        stored = await parts.uow.stored(command)
        if isinstance(stored, pb.StartVerificationResponse):
            return stored
        hide_others_account(call.actor, request.person)
        method = _METHODS[request.WhichOneof("check") or ""]
        async with parts.database.read() as connection:
            person = await active_person(connection, request.person)
            await check_failures(connection, person, parts.clock.now())
            started = await store.started_since(connection, person.id, parts.wall.now() - rules.WITHIN)
            rules.check_started(started, parts.wall.now())
        key, verifier = uuid7(), self._verifiers[method]
        check = await verifier.start(self._asked(key, method, person))

        async def work(tx: Transaction) -> pb.StartVerificationResponse:
            await active_person(tx.connection, request.person, lock=True)
            now = parts.wall.now()
            attempt = VerificationAttempt(
                key, person.id, method, verifier.name, check.reference, now + rules.LIFE, now, now
            )
            await store.forget(tx.connection, person.id, now)
            await store.ADD.add(tx.connection, attempt)
            tx.about = person.name
            return pb.StartVerificationResponse(attempt=key, uri=check.uri, expire_time=timestamp(attempt.expire_time))

        return await parts.uow.run(command, work)

    async def finish_verification(self, request: pb.FinishVerificationRequest, call: Call) -> resources.Verification:
        """Records what came of a check; a failed one is an answer, not an error."""
        command, parts = command_of(request, call=call), self._parts
        stored = await parts.uow.stored(command)
        if isinstance(stored, resources.Verification):
            return stored
        hide_others_account(call.actor, request.person)
        state = await self._result(request)

        async def work(tx: Transaction) -> resources.Verification:
            person = await active_person(tx.connection, request.person, lock=True)
            # Of two that finish one check the second finds it recorded.
            attempt = await store.open_attempt(tx.connection, person.id, request.attempt, parts.wall.now())
            if attempt is None:
                raise not_found(request.person)
            await store.UPDATE.one(tx.connection, attempt.id, state=AttemptState.RECORDED, update_time=parts.wall.now())
            check = NameCheck(attempt.method, passed=state is CheckState.PASSED, verifier=attempt.verifier)
            made = await keep(tx, person, check)
            if check.passed:
                seen = await verify(tx.connection, person, person.document_index, tx.now)
                changes = raised(person, made.assurance, tx.now) | seen
                await store.UPDATE_PERSON.one(tx.connection, person.id, **changes, update_time=tx.now)
            return made

        return await parts.uow.run(command, work)

    async def _result(self, request: pb.FinishVerificationRequest) -> CheckState:
        """Asks the verifier; raises RESOURCE_NOT_FOUND, VERIFICATION_PENDING."""
        parts = self._parts
        async with parts.database.read() as connection:
            person = await active_person(connection, request.person)
            await check_failures(connection, person, parts.clock.now())
            attempt = await store.open_attempt(connection, person.id, request.attempt, parts.wall.now())
        # What another verifier called a check that was here before means nothing to this one.
        verifier = self._verifiers[attempt.method] if attempt else None
        if attempt is None or verifier is None or verifier.name != attempt.verifier:
            raise not_found(request.person)
        state = await verifier.result(attempt.reference)
        if state is CheckState.PENDING:
            raise reasons.verification_pending("the verifier has no result yet", retry_after=_ASK_AGAIN_SECONDS)
        return state

    def _asked(self, key: str, method: VerificationMethod, person: Person) -> AskedCheck:
        cipher = self._parts.cipher
        # Registers write names as the glossary does; what an account was opened with may be written otherwise.
        name = names.key(person.clear_name(cipher))
        return AskedCheck(key, method, name, person.document_type, person.clear_number(cipher))
