"""Requests for data: drafted, handed in, reviewed by separate people, granted or refused."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.civil.calendar import local_day
from libs.crypto.envelope import FieldCipher
from libs.db import paging, rows
from libs.db.command import Command, command_of
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.timestamps import timestamp
from services.sharing.calendar import RegionCalendar
from services.sharing.caller import Caller, calling, key_of
from services.sharing.convert import (
    RESPONSIBLE_PERSON,
    RESPONSIBLE_PHONE,
    date_message,
    request_message,
    stored_entry,
    terms_of,
)
from services.sharing.domain.catalog import SharingClass, require_shareable
from services.sharing.domain.deadlines import Limits, answer_days
from services.sharing.domain.grants import GrantState, initial_state
from services.sharing.domain.requests import Progress, RequestState, Step, advance
from services.sharing.domain.terms import check_terms, require_within
from services.sharing.store.catalog import CatalogStore
from services.sharing.store.grants import GrantStore, Wanted
from services.sharing.tables import grant_usage, grants, requests
from services.sharing.usecases.mounts import emit_provisioned
from tongban.sharing.v1 import events_pb2 as events
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages

_RESPONSIBLE = ("responsible_person", "responsible_phone")
Changes = dict[str, Any]
Change = Callable[[Transaction, Row, Caller], Awaitable[Changes]]


class Requests:
    """Use cases of GrantService that have to do with requests."""

    def __init__(
        self,
        uow: UnitOfWork,
        catalog: CatalogStore,
        store: GrantStore,
        audit: AuditWriter,
        cipher: FieldCipher,
        days: RegionCalendar,
        home: str,
        limits: Limits | None = None,
    ) -> None:
        self._uow = uow
        self._audit = audit
        self._catalog = catalog
        self._store = store
        self._cipher = cipher
        self._days = days
        self._home = home
        self._limits = limits or Limits()

    async def create(self, request: pb.CreateRequestRequest) -> messages.SharingRequest:
        """Drafts a request."""
        content, caller = request.content, calling(self._home)
        caller.must_consume(content.terms.consumer_region, content.terms.departments)
        resource = await self._catalog.resource(key_of(content.resource))
        if resource.state != "PUBLISHED":
            raise not_found(content.resource)
        entry = stored_entry(resource)
        check_terms(content.resource, entry, terms_of(content.terms, entry.field_map()), self._home)
        values = self._values(content) | {
            "resource_id": resource.id,
            "provider_department": resource.provider_department,
            "state": RequestState.DRAFT.name,
            "applicant": caller.subject,
            "applicant_human": caller.actor.human,
        }

        async def work(tx: Transaction) -> messages.SharingRequest:
            row = await rows.insert(tx.connection, requests, values | {"create_time": tx.now, "update_time": tx.now})
            return await self._message(row)

        return await self._uow.run(command_of(request), work)

    async def _message(self, row: Row) -> messages.SharingRequest:
        return request_message(row, self._cipher, await self._days.current())

    def _values(self, content: messages.RequestContent) -> Changes:
        key, kept = uuid7(), messages.RequestContent()
        kept.CopyFrom(content)
        kept.ClearField("responsible_person")
        kept.ClearField("responsible_phone")
        encrypt = self._cipher.encrypt_text
        return {
            "id": key,
            "content": kept.SerializeToString(),
            "consumer_region": content.terms.consumer_region,
            "departments": list(content.terms.departments),
            "responsible_person": encrypt(RESPONSIBLE_PERSON, key, content.responsible_person),
            "responsible_phone": encrypt(RESPONSIBLE_PHONE, key, content.responsible_phone),
        }

    async def get(self, request: pb.GetRequestRequest) -> messages.SharingRequest:
        """Reads a request."""
        row = await self._store.request(key_of(request.name))
        if not calling(self._home).sees(row):
            raise not_found(request.name)
        await record_read(self._audit, request, request.name, _RESPONSIBLE)
        return await self._message(row)

    async def list(self, request: pb.ListRequestsRequest) -> pb.ListRequestsResponse:
        """Lists requests, newest first."""
        position = paging.position(request, request.page_token)
        wanted = Wanted(
            resource_key=key_of(request.resource) if request.resource else "",
            department=request.department,
            state=RequestState(request.state).name if request.state else "",
        )
        size, before = paging.page_size(request.page_size), str(position[0]) if position else ""
        found = await self._store.list_requests(calling(self._home), wanted, before, size + 1)
        about, shown = request.resource or request.department or "requests", min(len(found), size)
        await record_read(self._audit, request, about, _RESPONSIBLE, shown)
        return pb.ListRequestsResponse(
            requests=[await self._message(row) for row in found[:size]],
            next_page_token=paging.next_token(request, found[size - 1].id) if len(found) > size else "",
        )

    async def submit(self, request: pb.SubmitRequestRequest) -> messages.SharingRequest:
        """Hands a draft in; the provider's days begin to count."""

        async def change(tx: Transaction, row: Row, caller: Caller) -> Changes:
            if caller.subject != row.applicant:
                raise reasons.not_owner("only the applicant hands a request in")
            days = answer_days(await self._class_of(row), self._limits)
            due = (await self._days.current()).add(local_day(tx.now), days)
            tx.emit(
                request.name,
                events.RequestSubmitted(
                    request=request.name,
                    resource=f"resources/{row.resource_id}",
                    consumer_region=row.consumer_region,
                    submit_time=timestamp(tx.now),
                    answer_due_date=date_message(due),
                ),
            )
            return {"submit_time": tx.now, "answer_days": days}

        return await self._step(command_of(request), request, Step.SUBMIT, change)

    async def _class_of(self, row: Row) -> SharingClass:
        entry = stored_entry(await self._catalog.resource(row.resource_id))
        terms = messages.RequestContent.FromString(row.content).terms
        return require_shareable(f"resources/{row.resource_id}", entry, [*terms.fields, *terms.compare_fields])

    async def pre_review(self, request: pb.PreReviewRequestRequest) -> messages.SharingRequest:
        """Consents for the applicant's side."""

        async def change(tx: Transaction, row: Row, caller: Caller) -> Changes:
            if caller.region != row.consumer_region:
                raise reasons.not_owner("the applicant's own region consents first")
            return {
                "pre_review_time": tx.now,
                "pre_reviewer": caller.subject,
                "pre_reviewer_human": caller.actor.human,
            } | _opinion(tx, row, caller, RequestState.PRE_REVIEWED, request.opinion)

        return await self._step(command_of(request), request, Step.PRE_REVIEW, change)

    async def review(self, request: pb.ReviewRequestRequest) -> messages.SharingRequest:
        """Takes a request into the provider's review."""

        async def change(tx: Transaction, row: Row, caller: Caller) -> Changes:
            caller.must_provide(row.provider_department)
            return {
                "review_time": tx.now,
                "reviewer": caller.subject,
                "reviewer_human": caller.actor.human,
            } | _opinion(tx, row, caller, RequestState.PROVIDER_REVIEW, request.opinion)

        return await self._step(command_of(request), request, Step.REVIEW, change)

    async def refuse(self, request: pb.RefuseRequestRequest) -> messages.SharingRequest:
        """Refuses a request, with reasons."""

        async def change(tx: Transaction, row: Row, caller: Caller) -> Changes:
            caller.must_provide(row.provider_department)
            tx.emit(
                request.name,
                events.RequestRefused(
                    request=request.name,
                    resource=f"resources/{row.resource_id}",
                    consumer_region=row.consumer_region,
                    reason=request.reason,
                    decide_time=timestamp(tx.now),
                ),
            )
            return {"decide_time": tx.now, "decider": caller.subject, "refusal_reason": request.reason}

        return await self._step(command_of(request), request, Step.REFUSE, change)

    async def approve(self, request: pb.ApproveRequestRequest) -> messages.SharingRequest:
        """Consents and makes the grant."""

        async def change(tx: Transaction, row: Row, caller: Caller) -> Changes:
            caller.must_provide(row.provider_department)
            # The locks keep a mount from being made or checked unseen: either it or this supplies the grant.
            resource = await self._catalog.lock_resource(tx.connection, row.resource_id)
            mount = await self._catalog.lock_mount_of(tx.connection, row.resource_id)
            content = messages.RequestContent.FromString(row.content)
            terms = request.terms if request.HasField("terms") else content.terms
            self._check_granted(row, resource, content.terms, terms)
            supplied = mount is not None and mount.state == "ACTIVE"
            grant = await _insert_grant(tx, row, content.legal_basis, terms, initial_state(mounted=supplied))
            due = (await self._days.current()).add(local_day(tx.now), self._limits.supply)
            _emit_granted(tx, row, grant, due)
            if supplied:
                emit_provisioned(tx, f"grants/{grant}", f"resources/{row.resource_id}", terms)
            return {
                "decide_time": tx.now,
                "decider": caller.subject,
                "grant_id": grant,
                "supply_days": self._limits.supply,
            } | _opinion(tx, row, caller, RequestState.GRANTED, request.opinion)

        return await self._step(command_of(request), request, Step.APPROVE, change)

    def _check_granted(self, row: Row, resource: Row, asked: messages.GrantTerms, given: messages.GrantTerms) -> None:
        """Holds what is granted to what was asked for, and to the resource."""
        entry = stored_entry(resource)
        terms = terms_of(given, entry.field_map())
        require_within(f"requests/{row.id}", terms_of(asked, entry.field_map()), terms)
        check_terms(f"resources/{row.resource_id}", entry, terms, self._home)

    async def _step(self, command: Command, request: Any, step: Step, change: Change) -> messages.SharingRequest:
        """Takes one step of the state machine; ``change`` says what else is written, and who may."""
        caller, key = calling(self._home), key_of(request.name)
        await self._days.current()  # asked for now and kept: not while rows are locked

        async def work(tx: Transaction) -> messages.SharingRequest:
            row = await self._store.lock_request(tx.connection, key)
            # For another side of the same region the request exists too: it pre-reviews what its neighbour asked for.
            if not caller.sees(row) and caller.region != row.consumer_region:
                raise not_found(request.name)
            check_etag(request.name, row.version, request.etag)
            state = advance(_progress(row), step, caller.actor.require_human())
            changes = await change(tx, row, caller)
            values = {"state": state.name, "update_time": tx.now, **changes}
            return await self._message(await rows.update(tx.connection, requests, key, values))

        return await self._uow.run(command, work)


def _progress(row: Row) -> Progress:
    return Progress(
        name=f"requests/{row.id}",
        state=RequestState[row.state],
        applicant=row.applicant_human,
        pre_reviewer=row.pre_reviewer_human,
        reviewer=row.reviewer_human,
    )


def _opinion(tx: Transaction, row: Row, caller: Caller, state: RequestState, text: str) -> Changes:
    said = {"state": state.name, "reviewer": caller.subject, "time": tx.now.isoformat(), "text": text}
    return {"opinions": [*row.opinions, said]}


async def _insert_grant(
    tx: Transaction, row: Row, legal_basis: str, terms: messages.GrantTerms, state: GrantState
) -> str:
    """Stores a grant with nothing used of it and returns its id."""
    key = uuid7()
    await rows.insert(
        tx.connection,
        grants,
        {
            "id": key,
            "resource_id": row.resource_id,
            "request_id": row.id,
            "provider_department": row.provider_department,
            "consumer_region": row.consumer_region,
            "departments": list(terms.departments),
            "state": state.name,
            "legal_basis": legal_basis,
            "terms": terms.SerializeToString(),
            "create_time": tx.now,
            "update_time": tx.now,
        },
    )
    await rows.insert(tx.connection, grant_usage, {"grant_id": key, "day": local_day(tx.now)})
    return key


def _emit_granted(tx: Transaction, row: Row, grant: str, due: date) -> None:
    name = f"requests/{row.id}"
    tx.emit(
        name,
        events.RequestGranted(
            request=name,
            resource=f"resources/{row.resource_id}",
            grant=f"grants/{grant}",
            consumer_region=row.consumer_region,
            decide_time=timestamp(tx.now),
            supply_due_date=date_message(due),
        ),
    )
