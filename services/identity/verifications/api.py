"""VerificationService: checking real names (实名核验)."""

from typing import Any

from libs import names
from libs.access import owners
from libs.access.actor import Actor
from libs.audit.reading import record_read
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, not_found
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.core import assurance, staff
from services.identity.core.accounts import active_person, document_index, normal_number
from services.identity.core.assurance import VerificationMethod
from services.identity.core.further_documents import further_of, verify
from services.identity.core.names import id_of
from services.identity.core.parts import Parts
from services.identity.verifications import store
from services.identity.verifications.service import (
    NameCheck,
    NameSource,
    check_failures,
    keep,
    raised,
    verification_message,
)
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import verification_service_pb2 as pb

FOUNDING = "identity.staff.create"
"""Who may enter staff vouches for the first of them, whom no colleague can have seen."""


class RealNameApi:
    """Makes and records checks."""

    def __init__(self, parts: Parts, source: NameSource) -> None:
        self._parts = parts
        self._source = source

    async def record_verification(self, request: pb.RecordVerificationRequest, call: Call) -> resources.Verification:
        """Makes and records one check; a failed one is an answer, not an error."""
        method, command = _method(request), command_of(request, call=call)
        await self._check_verifier(method, call.actor, request.person)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, resources.Verification):
            return stored
        check = NameCheck(method, True, call.actor.clerk or call.actor.subject, _details(request))
        index = b""
        if method is VerificationMethod.DOCUMENT_MATCH:
            index = await self._matches(request)
            check = NameCheck(method, bool(index), self._source.verifier)

        async def work(tx: Transaction) -> resources.Verification:
            person = await active_person(tx.connection, request.person, lock=True)
            if method is VerificationMethod.DOCUMENT_MATCH:
                await check_failures(tx.connection, person, tx.now)
            made = await keep(tx, person, check)
            if check.passed:
                # Whoever saw a person in person saw the document on which the account stands.
                seen = await verify(tx.connection, person, index or person.document_index, tx.now)
                changes = raised(person, made.assurance, tx.now) | seen
                await store.UPDATE_PERSON.one(tx.connection, person.id, **changes, update_time=tx.now)
            return made

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
        of = [request.parent]
        await record_read(
            parts.audit, request, request.parent, ("verification",), len(shown), own=own, of=of, call=call
        )
        return pb.ListVerificationsResponse(verifications=map(verification_message, shown), next_page_token=token)

    async def _check_verifier(self, method: VerificationMethod, actor: Actor, person: str) -> None:
        founding = False
        if method is VerificationMethod.IN_PERSON and not actor.clerk and actor.may(FOUNDING):
            async with self._parts.database.read() as connection:
                founding = not await staff.anybody(connection)
        assurance.check_verifier(method, affairs=actor.affairs, person=person, founding=founding, actor_kind=actor.kind)

    async def _matches(self, request: pb.RecordVerificationRequest) -> bytes:
        """Compares what was stated with the account, and only what agrees with it with the register.

        Returns:
            The blind index of the document that is the person's; empty where something does not agree.
        """
        cipher, now, match = self._parts.cipher, self._parts.clock.now(), request.document_match
        async with self._parts.database.read() as connection:
            person = await active_person(connection, request.person)
            await check_failures(connection, person, now)
            further = await further_of(connection, person.id)
        type_code, field = match.document.type_code, "document_match.document.number"
        try:
            number = normal_number(type_code, match.document.number, field, local_day(now))
        except InvalidArgument:
            return b""
        name, index = person.clear_name(cipher), document_index(cipher, type_code, number)
        known = {person.document_index, *(each.document_index for each in further)}
        if index not in known or not names.same(name, match.full_name):
            return b""
        return index if await self._source.agrees(name, type_code, number) else b""


def _method(request: pb.RecordVerificationRequest) -> VerificationMethod:
    in_person = request.WhichOneof("check") == "in_person"
    return VerificationMethod.IN_PERSON if in_person else VerificationMethod.DOCUMENT_MATCH


def _details(request: pb.RecordVerificationRequest) -> dict[str, Any]:
    """What is kept of an in-person check beside its outcome; of a comparison nothing that was stated."""
    if request.WhichOneof("check") != "in_person":
        return {}
    evidence = [*request.in_person.evidence]
    return {"place": request.in_person.place, "evidence": evidence}
