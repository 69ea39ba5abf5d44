"""What GrantService does with requests: drafted, handed in, reviewed by separate people, granted or refused."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.empty_pb2 import Empty

from libs.access.purposes import check_carried
from libs.audit.reading import record_read
from libs.civil.calendar import Calendar, local_day
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction, Work
from libs.errors import not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.patches import patch_of, standing_in
from services.sharing.core.catalogue import ResourceState, require_shareable
from services.sharing.core.ids import key_of
from services.sharing.core.messages import terms_of
from services.sharing.core.participants import Participant, participant
from services.sharing.core.parts import Parts
from services.sharing.core.resources import CatalogueResource, resource
from services.sharing.requests.approving import approved
from services.sharing.requests.convert import drafted, request_message, written
from services.sharing.requests.deadlines import SharingLimits, answer_days
from services.sharing.requests.rules import RequestState, RequestStep, advance, require_draft
from services.sharing.requests.store import (
    ADD,
    BY_ID,
    DELETE,
    LISTED,
    UPDATE,
    DataRequest,
    SharingOpinion,
    lock_request,
)
from services.sharing.requests.telling import tell_refused, tell_submitted
from services.sharing.requests.terms import check_terms
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages

_RESPONSIBLE = ("responsible_person", "responsible_phone")
_LIMITS = SharingLimits()
Changes = dict[str, Any]
Change = Callable[[Transaction, DataRequest, Participant, Calendar], Awaitable[Changes]]
Stepping = (
    pb.SubmitDataRequestRequest
    | pb.PreReviewDataRequestRequest
    | pb.ReviewDataRequestRequest
    | pb.ApproveDataRequestRequest
    | pb.RefuseDataRequestRequest
)


class RequestApi:
    """Takes requests through their steps."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_data_request(self, request: pb.CreateDataRequestRequest, call: Call) -> messages.DataRequest:
        """Drafts a request."""
        caller = participant(call.actor, self._parts.home)
        return await self._parts.uow.prepared(command_of(request, call=call), lambda: self._drafting(request, caller))

    async def _drafting(self, request: pb.CreateDataRequestRequest, caller: Participant) -> Work[messages.DataRequest]:
        """Looks at what is asked for, and returns what drafts the request."""
        parts, content = self._parts, request.data_request.content
        caller.must_consume(content.terms.consumer_region, content.terms.departments)
        behind = await parts.resources.get(content.resource)
        _check(content, behind, parts.home)
        key, calendar = uuid7(), await parts.calendar.current()

        async def work(tx: Transaction) -> messages.DataRequest:
            made = drafted(key, content, behind, caller, parts.cipher, tx.now)
            return request_message(await ADD.add(tx.connection, made), parts.cipher, calendar)

        return work

    async def update_data_request(self, request: pb.UpdateDataRequestRequest, call: Call) -> messages.DataRequest:
        """Changes a draft."""
        parts, patch = self._parts, patch_of(request, messages.DataRequest)
        caller, calendar = participant(call.actor, parts.home), await parts.calendar.current()

        async def work(tx: Transaction) -> messages.DataRequest:
            row = await _draft(tx, patch.name, request.etag, caller)
            content = patch.over(request_message(row, parts.cipher, calendar)).content
            caller.must_consume(content.terms.consumer_region, content.terms.departments)
            _check(content, await resource(tx.connection, row.resource_id), parts.home)
            changes = written(row.id, content, parts.cipher)
            changed = await UPDATE.one(tx.connection, row.id, update_time=tx.now, **changes)
            return request_message(changed, parts.cipher, calendar)

        return await parts.uow.run(command_of(request, call=call), work)

    async def delete_data_request(self, request: pb.DeleteDataRequestRequest, call: Call) -> Empty:
        """Throws a draft away."""
        caller = participant(call.actor, self._parts.home)

        async def work(tx: Transaction) -> Empty:
            row = await _draft(tx, request.name, request.etag, caller)
            await DELETE.gone(tx.connection, row.id)
            tx.about = row.name
            return Empty()

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_data_request(self, request: pb.GetDataRequestRequest, call: Call) -> messages.DataRequest:
        """Gets a request."""
        parts, key = self._parts, key_of(request.name)
        async with parts.database.read() as connection:
            row = await BY_ID.first(connection, id=key)
        if row is None or not participant(call.actor, parts.home).sees(row):
            raise not_found(request.name)
        await record_read(parts.audit, request, request.name, _RESPONSIBLE, call=call)
        return request_message(row, parts.cipher, await parts.calendar.current())

    async def list_data_requests(self, request: pb.ListDataRequestsRequest, call: Call) -> pb.ListDataRequestsResponse:
        """Lists requests, newest first."""
        parts, caller = self._parts, participant(call.actor, self._parts.home)
        scopes = [Scope(each) for each in caller.seen()]
        async with parts.database.read() as connection:
            shown, token = await LISTED.page(connection, parts.pages, request, scopes)
        about = LISTED.held(request, "content.resource") or LISTED.held(request, "content.terms.departments")
        await record_read(parts.audit, request, about or "dataRequests", _RESPONSIBLE, len(shown), call=call)
        calendar = await parts.calendar.current()
        return pb.ListDataRequestsResponse(
            data_requests=[request_message(row, parts.cipher, calendar) for row in shown], next_page_token=token
        )

    async def submit_data_request(self, request: pb.SubmitDataRequestRequest, call: Call) -> messages.DataRequest:
        """Hands a draft in; the provider's days begin to count."""

        async def change(tx: Transaction, row: DataRequest, _: Participant, calendar: Calendar) -> Changes:
            days = await _days_to_answer(tx, row)
            tell_submitted(tx, row, calendar.add(local_day(tx.now), days))
            return {"submit_time": tx.now, "answer_days": days}

        return await self._step(request, call, RequestStep.SUBMIT, change)

    async def pre_review_data_request(
        self, request: pb.PreReviewDataRequestRequest, call: Call
    ) -> messages.DataRequest:
        """Consents for the applicant's side."""

        async def change(tx: Transaction, row: DataRequest, caller: Participant, _: Calendar) -> Changes:
            said = _opinion(tx, row, caller, RequestState.PRE_REVIEWED, request.opinion)
            reviewer = {"pre_reviewer": caller.subject, "pre_reviewer_human": caller.actor.human}
            return {"pre_review_time": tx.now, **reviewer, **said}

        return await self._step(request, call, RequestStep.PRE_REVIEW, change)

    async def review_data_request(self, request: pb.ReviewDataRequestRequest, call: Call) -> messages.DataRequest:
        """Takes a request into the provider's review."""

        async def change(tx: Transaction, row: DataRequest, caller: Participant, _: Calendar) -> Changes:
            said = _opinion(tx, row, caller, RequestState.PROVIDER_REVIEW, request.opinion)
            reviewer = {"reviewer": caller.subject, "reviewer_human": caller.actor.human}
            return {"review_time": tx.now, **reviewer, **said}

        return await self._step(request, call, RequestStep.REVIEW, change)

    async def approve_data_request(self, request: pb.ApproveDataRequestRequest, call: Call) -> messages.DataRequest:
        """Consents and makes the grant."""

        async def change(tx: Transaction, row: DataRequest, caller: Participant, calendar: Calendar) -> Changes:
            due = calendar.add(local_day(tx.now), _LIMITS.supply)
            grant = await approved(tx, row, request, due, self._parts.home)
            said = _opinion(tx, row, caller, RequestState.GRANTED, request.opinion)
            decided = {"decide_time": tx.now, "decider": caller.subject}
            return {**decided, "grant_id": grant.id, "supply_days": _LIMITS.supply, **said}

        return await self._step(request, call, RequestStep.APPROVE, change)

    async def refuse_data_request(self, request: pb.RefuseDataRequestRequest, call: Call) -> messages.DataRequest:
        """Refuses a request, with reasons."""

        async def change(tx: Transaction, row: DataRequest, caller: Participant, _: Calendar) -> Changes:
            tell_refused(tx, row)
            return {"decide_time": tx.now, "decider": caller.subject, "refusal_reason": request.reason}

        return await self._step(request, call, RequestStep.REFUSE, change)

    async def _step(self, request: Stepping, call: Call, step: RequestStep, change: Change) -> messages.DataRequest:
        """Takes one step of the state machine; ``change`` says what else is written."""
        parts, key = self._parts, key_of(request.name)
        caller = participant(call.actor, parts.home)
        calendar = await parts.calendar.current()  # asked for now: not while rows are locked

        async def work(tx: Transaction) -> messages.DataRequest:
            row = await lock_request(tx.connection, key)
            _require_may(caller, step, row)
            check_etag(request.name, row.version, request.etag)
            state = advance(row.progress(), step, caller.actor.require_human())
            changes = await change(tx, row, caller, calendar)
            changed = await UPDATE.one(tx.connection, key, state=state, update_time=tx.now, **changes)
            return request_message(changed, parts.cipher, calendar)

        return await parts.uow.run(command_of(request, call=call), work)


def _require_may(caller: Participant, step: RequestStep, row: DataRequest) -> None:
    """Raises unless the step is the caller's to take; before anything is said of how the request stands.

    Raises:
        NotFound: RESOURCE_NOT_FOUND, to who is no side of it. The applicant's whole region is one for the pre-review.
        PermissionDenied: NOT_OWNER, to its other side.
    """
    pre_reviews = step is RequestStep.PRE_REVIEW and caller.region == row.consumer_region
    if not caller.sees(row) and not pre_reviews:
        raise not_found(row.name)
    if step is RequestStep.PRE_REVIEW:
        if not pre_reviews:
            raise reasons.not_owner("the applicant's own region consents first")
    elif step is RequestStep.SUBMIT:
        if caller.subject != row.applicant:
            raise reasons.not_owner("only the applicant hands a request in")
    else:
        caller.must_provide(row.provider_department)


def _check(content: messages.RequestContent, behind: CatalogueResource, home: str) -> None:
    """Holds what is asked for to the resource; raises RESOURCE_NOT_FOUND where that is not published."""
    if behind.state is not ResourceState.PUBLISHED:
        raise not_found(behind.name)
    with standing_in("data_request"):
        check_carried(content.terms.purpose_code, "grant", "content.terms.purpose_code")
        check_terms(behind.name, behind.facts, terms_of(content.terms, behind.facts.field_map()), home)


async def _draft(tx: Transaction, name: str, etag: str, caller: Participant) -> DataRequest:
    """Locks a draft for its applicant."""
    row = await lock_request(tx.connection, key_of(name))
    if not caller.sees(row):
        raise not_found(name)
    if caller.subject != row.applicant:
        raise reasons.not_owner("only the applicant changes a request")
    require_draft(name, row.state)
    check_etag(name, row.version, etag)
    return row


async def _days_to_answer(tx: Transaction, row: DataRequest) -> int:
    """Returns how many working days the provider has: the strictest class of the fields that are asked for says it."""
    behind = await resource(tx.connection, row.resource_id)
    terms = messages.RequestContent.FromString(row.content).terms
    strictest = require_shareable(row.resource, behind.facts, [each.field for each in terms.fields])
    return answer_days(strictest, _LIMITS)


def _opinion(tx: Transaction, row: DataRequest, caller: Participant, state: RequestState, text: str) -> Changes:
    said = SharingOpinion(state.value, caller.subject, tx.now.isoformat(), text)
    return {"opinions": (*row.opinions, said)}
