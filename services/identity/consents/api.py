"""ConsentService: giving, taking back and checking consents."""

from dataclasses import replace
from datetime import datetime

from libs.access import owners
from libs.access.actor import Actor
from libs.access.context import name_here
from libs.access.purposes import check_carried
from libs.audit.reading import record_read
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import PermissionDenied, TongbanError, invalid_field, not_found, reasons
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.consents import rules, store
from services.identity.consents.convert import consent_message, new_consent
from services.identity.core import acting
from services.identity.core.accounts import current_name
from services.identity.core.mandate_rules import MandatePower
from services.identity.core.names import local_name, region_of
from services.identity.core.parts import Parts
from services.identity.core.regions import require_trust
from services.identity.core.trust import TrustDirection
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import consent_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_REASONS = Names(error_reason_pb2.ErrorReason)
_ANSWERS = frozenset({"CONSENT_NOT_ACTIVE", "CONSENT_OUT_OF_SCOPE", "RESOURCE_NOT_FOUND"})
"""The reasons that answer CheckConsent; every other refusal is one of the call itself."""
_FOREIGN = frozenset({"NOT_OWNER", "NOT_LEGAL_REPRESENTATIVE"})
"""The refusals of who has nothing to do with whose data it is."""


class ConsentApi:
    """Keeps consents."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def grant_consent(self, request: pb.GrantConsentRequest, call: Call) -> resources.Consent:
        """Gives a consent."""
        draft, actor = request.consent, call.actor
        _check_method(draft, actor.clerk)
        recipient = local_name(draft.recipient, self._parts.home)
        case = name_here(draft.case, self._parts.home, self._parts.home)
        check_carried(draft.purpose_code, "consent", "consent.purpose_code")

        async def work(tx: Transaction) -> resources.Consent:
            given = new_consent(draft, recipient, case, actor.person, actor.clerk, tx.now)
            rules.check_term(given.begin_time, given.expire_time, tx.now)
            mandate = await _speaks_for(tx.connection, actor, draft.subject, tx.now)
            if region_of(recipient):
                await require_trust(tx.connection, region_of(recipient), TrustDirection.OUTBOUND)
            row = await store.ADD.add(tx.connection, replace(given, mandate=mandate))
            message = consent_message(row, tx.now)
            tx.emit(message.name, events.ConsentGranted(consent=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def withdraw_consent(self, request: pb.WithdrawConsentRequest, call: Call) -> resources.Consent:
        """Takes a consent back."""

        async def work(tx: Transaction) -> resources.Consent:
            row = await store.consent(tx.connection, request.name, lock=True)
            await _check_giver(tx.connection, call.actor, row, tx.now)
            check_etag(request.name, row.version, request.etag)
            state = rules.withdraw(row, tx.now).state
            row = await store.UPDATE.one(tx.connection, row.id, state=state, withdraw_time=tx.now, update_time=tx.now)
            told = events.ConsentWithdrawn(consent=row.name, subject=row.subject, recipient=row.recipient)
            tx.emit(row.name, told)
            return consent_message(row, tx.now)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_consent(self, request: pb.GetConsentRequest, call: Call) -> resources.Consent:
        """Gets a consent; people read those of whom they speak for, of all others it is recorded."""
        name, now, own = request.name, self._parts.clock.now(), owners.whose(call.actor) is not None
        async with self._parts.database.read() as connection:
            row = await store.consent(connection, name)
            if own:
                await _hide_from_others(connection, call.actor, row, now)
        await record_read(self._parts.audit, request, name, ("consent",), own=own, of=[row.subject], call=call)
        return consent_message(row, now)

    async def list_consents(self, request: pb.ListConsentsRequest, call: Call) -> pb.ListConsentsResponse:
        """Lists the consents of one subject; people those of whom they speak for, of all others it is recorded."""
        parts, now, actor = self._parts, self._parts.clock.now(), call.actor
        own = owners.whose(actor) is not None
        subject = request.subject or (actor.organization or actor.person if own else "")
        if not subject:
            raise invalid_field("subject", "required", "say whose consents are read")
        async with parts.database.read() as connection:
            if own:
                await _speaks_for(connection, actor, subject, now)
            scope = Scope({"subject": subject})
            shown, token = await store.LISTED.page(connection, parts.pages, request, [scope], now=now)
        await record_read(parts.audit, request, subject, ("consent",), len(shown), own=own, of=[subject], call=call)
        messages = [consent_message(row, now) for row in shown]
        return pb.ListConsentsResponse(consents=messages, next_page_token=token)

    async def check_consent(self, request: pb.CheckConsentRequest, call: Call) -> pb.CheckConsentResponse:
        """Says whether a consent covers a use."""
        parts = self._parts
        at = moment_of(request.at_time, "at_time") if request.HasField("at_time") else parts.clock.now()
        recipient = local_name(request.recipient, parts.home)
        use = rules.ConsentUse(request.subject, recipient, request.resources, request.purpose_code, request.case)
        try:
            async with parts.database.read() as connection:
                row = await store.consent(connection, request.name)
                use = replace(use, subject=await current_name(connection, use.subject))
            rules.check_use(row, use, at)
        except TongbanError as refusal:
            if refusal.reason not in _ANSWERS:
                raise
            return pb.CheckConsentResponse(reason=_REASONS.number(refusal.reason))
        return pb.CheckConsentResponse(allowed=True, expire_time=timestamp(row.expire_time))


def _check_method(draft: resources.Consent, witness: str) -> None:
    at_window = draft.method == resources.CONSENT_METHOD_WINDOW
    if at_window != bool(witness):
        raise invalid_field("consent.method", "consent.method", "is WINDOW exactly where staff stand in the token")
    if at_window and not draft.evidence:
        raise invalid_field("consent.evidence", "required", "is needed where the consent was signed at a window")


async def _check_giver(connection: DatabaseConnection, actor: Actor, row: rules.Consent, now: datetime) -> None:
    """Checks that the caller may take a consent back; raises NotFound where people have nothing to do with it."""
    try:
        await _speaks_for(connection, actor, row.subject, now)
    except PermissionDenied as refusal:
        if actor.person and refusal.reason in _FOREIGN:
            raise not_found(row.name) from refusal
        raise


async def _hide_from_others(connection: DatabaseConnection, actor: Actor, row: rules.Consent, now: datetime) -> None:
    """Raises NotFound where people may not consent in the name of whose data it is."""
    try:
        await _speaks_for(connection, actor, row.subject, now)
    except TongbanError as refusal:
        raise not_found(row.name) from refusal


async def _speaks_for(connection: DatabaseConnection, actor: Actor, subject: str, now: datetime) -> str:
    """Checks that the caller may consent in the name of ``subject``; returns the mandate by which, or an empty string.

    Raises:
        PermissionDenied: ACTING_ON_SELF, NOT_OWNER, NOT_LEGAL_REPRESENTATIVE, MANDATE_NOT_ACTIVE, MANDATE_OUT_OF_SCOPE.
        FailedPrecondition: PERSON_NOT_ACTIVE, ORGANIZATION_NOT_ACTIVE.
    """
    actor.require_impartial(subject)
    person = actor.person
    mandate = actor.mandate if actor.organization == subject else ""
    if not person or (not mandate and subject.startswith("persons/") and person != subject):
        raise reasons.not_owner("the consent is another's to give")
    found = await acting.right(connection, person, subject, mandate, now)
    if found.mandate is None:
        return ""
    if MandatePower.PRESENT not in found.mandate.scope.powers:
        raise reasons.mandate_out_of_scope("the mandate holds no power PRESENT", mandate=mandate)
    return mandate
