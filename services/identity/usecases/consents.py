"""Giving, taking back and checking consents."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.access.actor import Actor
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import TongbanError, invalid_field, not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.identity.convert.consents import consent_message, consent_of
from services.identity.convert.times import moment
from services.identity.domain import consents as domain
from services.identity.domain.mandates import Power
from services.identity.domain.regions import Direction
from services.identity.store.reading import one
from services.identity.tables import consents
from services.identity.usecases import acting
from services.identity.usecases.caller import local_name, region_of, whose
from tongban.common.v1 import error_reason_pb2
from tongban.identity.v1 import consent_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_ANSWERS = {"CONSENT_NOT_ACTIVE", "CONSENT_OUT_OF_SCOPE", "RESOURCE_NOT_FOUND"}


class Consents:
    """Use cases of ConsentService."""

    def __init__(self, uow: UnitOfWork, database: Database, audit: AuditWriter, clock: Clock, region: str) -> None:
        self._audit = audit
        self._uow = uow
        self._database = database
        self._clock = clock
        self._region = region

    async def grant(self, command: Command, draft: resources.Consent) -> resources.Consent:
        """Gives a consent."""
        principal, identifier = current_call().actor, uuid7()
        method = resources.ConsentMethod.Name(draft.method).removeprefix("CONSENT_METHOD_")
        _check_method(draft, principal.clerk)
        recipient = local_name(draft.recipient, self._region)

        async def work(tx: Transaction) -> resources.Consent:
            begin = moment(draft.begin_time, "consent.begin_time") if draft.HasField("begin_time") else tx.now
            expire = moment(draft.expire_time, "consent.expire_time")
            domain.check_term(begin, expire, tx.now)
            mandate = await _speaks_for(tx.connection, principal, draft.subject, tx.now)
            if region_of(recipient):
                await acting.require_trust(tx.connection, region_of(recipient), Direction.OUTBOUND)
            row = await rows.insert(
                tx.connection,
                consents,
                {
                    "id": identifier,
                    "subject": draft.subject,
                    "recipient": recipient,
                    "purpose": draft.purpose,
                    "case_name": draft.case_name,
                    "resources": list(draft.resources),
                    "begin_time": begin,
                    "expire_time": expire,
                    "method": method,
                    "evidence": draft.evidence.SerializeToString() if draft.HasField("evidence") else None,
                    "granter": principal.person,
                    "mandate": mandate,
                    "witness": principal.clerk,
                    "state": domain.State.ACTIVE.value,
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            message = consent_message(row, tx.now)
            tx.emit(message.name, events.ConsentGranted(consent=message))
            return message

        return await self._uow.run(command, work)

    async def withdraw(self, command: Command, request: pb.WithdrawConsentRequest) -> resources.Consent:
        """Takes a consent back."""
        principal = current_call().actor

        async def work(tx: Transaction) -> resources.Consent:
            row = await one(tx.connection, consents, request.name, lock=True)
            await _speaks_for(tx.connection, principal, row.subject, tx.now)
            check_etag(request.name, row.version, request.etag)
            ended = domain.withdraw(consent_of(row), tx.now)
            row = await rows.update(
                tx.connection,
                consents,
                row.id,
                {
                    "state": ended.stored_state.value,
                    "withdraw_time": tx.now,
                    "update_time": tx.now,
                },
            )
            tx.emit(
                request.name,
                events.ConsentWithdrawn(consent=request.name, subject=row.subject, recipient=row.recipient),
            )
            return consent_message(row, tx.now)

        return await self._uow.run(command, work)

    async def get(self, request: pb.GetConsentRequest) -> resources.Consent:
        """Reads a consent; people read those of whom they speak for, of all others it is recorded."""
        name = request.name
        principal, now = current_call().actor, self._clock.now()
        async with self._database.read() as connection:
            row = await one(connection, consents, name)
            if whose(principal) is not None:
                try:
                    await _speaks_for(connection, principal, row.subject, now)
                except TongbanError as refusal:
                    raise not_found(name) from refusal
        await record_read(self._audit, request, name, ("consent",), own=bool(current_call().actor.person))
        return consent_message(row, now)

    async def check(self, request: pb.CheckConsentRequest) -> pb.CheckConsentResponse:
        """Says whether a consent covers a use."""
        at = moment(request.at_time, "at_time") if request.HasField("at_time") else self._clock.now()
        recipient = local_name(request.recipient, self._region)
        use = domain.Use(request.subject, recipient, request.resources, request.case_name)
        try:
            async with self._database.read() as connection:
                row = await one(connection, consents, request.name)
            domain.check_use(consent_of(row), use, at)
        except TongbanError as refusal:
            if refusal.reason not in _ANSWERS:
                raise
            return pb.CheckConsentResponse(reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{refusal.reason}"))
        return pb.CheckConsentResponse(allowed=True, expire_time=timestamp(row.expire_time))


def _check_method(draft: resources.Consent, witness: str) -> None:
    at_window = draft.method == resources.CONSENT_METHOD_WINDOW
    if at_window != bool(witness):
        raise invalid_field("consent.method", "consent.method", "is WINDOW exactly where staff stand in the token")
    if at_window and not draft.HasField("evidence"):
        raise invalid_field("consent.evidence", "required", "is needed where the consent was signed at a window")


async def _speaks_for(connection: AsyncConnection, principal: Actor, subject: str, now: datetime) -> str:
    """Checks that the caller may consent in the name of ``subject``; returns the mandate by which, or an empty string.

    Raises:
        PermissionDenied: ACTING_ON_SELF, NOT_OWNER, NOT_LEGAL_REPRESENTATIVE, MANDATE_NOT_ACTIVE, MANDATE_OUT_OF_SCOPE.
        FailedPrecondition: PERSON_NOT_ACTIVE, ORGANIZATION_NOT_ACTIVE.
    """
    principal.require_impartial(subject)
    person = principal.person
    mandate = principal.mandate if principal.organization == subject else ""
    if not person or (not mandate and subject.startswith("persons/") and person != subject):
        raise reasons.not_owner("the consent is another's to give")
    found = await acting.right(connection, person, subject, mandate, now)
    if found.mandate is None:
        return ""
    if Power.PRESENT not in found.mandate.scope.powers:
        raise reasons.mandate_out_of_scope("the mandate holds no power PRESENT", mandate=mandate)
    return mandate
