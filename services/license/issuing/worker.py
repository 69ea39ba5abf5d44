"""What issues by itself: a decided case yields its licence, and drafts that nobody works on any more are taken up."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from libs.civil.calendar import local_day
from libs.clock import Clock, unix_ms
from libs.db.command import Command, command_of_event
from libs.errors import AlreadyExists, Internal, TongbanError
from libs.events.cloud_event import Event
from libs.ids import license_identifier
from libs.ids.uuid7 import uuid7
from libs.observability import tracing
from libs.sweeps.sweep import Backlog
from services.license.core.licenses import LicenseStore
from services.license.core.lifecycle import LicenseState
from services.license.core.parts import Parts
from services.license.integrations.seal import SELF
from services.license.issuing.drafting import Marks
from services.license.issuing.rules import is_lasting
from services.license.issuing.steps import PURPOSE, PURPOSE_CODE, DraftGivenUp, IssuingSteps, own_command
from services.license.issuing.store import DRAFTS
from services.license.issuing.telling import RepeatedAnswers
from tongban.cases.v1 import events_pb2 as cases
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

_AHEAD = timedelta(days=1)
_REDRAWN = "PAGE_CHANGED"


class DecidedCases:
    """Issues the licences of decided cases."""

    def __init__(self, parts: Parts, steps: IssuingSteps, telling: RepeatedAnswers) -> None:
        self._parts = parts
        self._steps = steps
        self._telling = telling

    async def ordered(self, event: Event, told: cases.CaseLicenseOrdered) -> None:
        """Ends the time in which the case may be named, then issues what it yields, once, however often the event comes.

        Passing errors go up, so that the consumer tries again. A lasting refusal ends the event, with a draft or before
        there was one: ``cases`` hears of it by ``license.voided`` and has an officer decide anew. Another event for a case
        that was answered is a question for the answer (``RepeatedAnswers``), unless it was decided anew since. A licence that was
        told of and is lost here is made again; where it can't be, its event is parked for an operator: its case is closed.
        """
        await self._parts.cases.moved(event, told)
        command, order = _command(event, told), _order(told, self._parts.home)
        if await self._telling.answered(command, order, told.voided_license):
            return
        try:
            await self._issue(command, order, told)
        except TongbanError as error:
            if not is_lasting(error) or told.HasField("told_license"):
                raise
            await self._steps.refuse(command, order, error)

    async def _issue(self, command: Command, order: pb.IssueLicenseRequest, told: cases.CaseLicenseOrdered) -> None:
        department = await self._parts.identity.department(told.case.department)
        order.issuer.CopyFrom(
            resources.Issuer(
                department=told.case.department, display_name=department.display_name, code=department.uscc
            )
        )
        try:
            await self._steps.issue(command, order, _marks(told))
        except AlreadyExists as error:
            # Somebody issued it by hand before the event came.
            if error.reason != "LICENSE_ALREADY_ISSUED":
                raise
        except DraftGivenUp:
            return


def _order(told: cases.CaseLicenseOrdered, home: str) -> pb.IssueLicenseRequest:
    case = told.case
    return pb.IssueLicenseRequest(
        license_type=told.license_type,
        item_code=case.task_code,
        case=case.name,
        holders=told.holders,
        face_fields=told.license_fields,
        receiving_region="" if case.receiving_region == home else case.receiving_region,
    )


def _marks(told: cases.CaseLicenseOrdered) -> Marks | None:
    known = told.told_license
    if not known.license:
        return None
    identifier = license_identifier.parse(known.identifier, "told_license.identifier")
    day = local_day(known.issue_time.ToDatetime(tzinfo=UTC))
    return Marks(known.license.removeprefix("licenses/"), identifier.serial, day, known.identifier)


def _command(event: Event, told: cases.CaseLicenseOrdered) -> Command:
    trace_id, span_id = tracing.parse_traceparent(event.traceparent)
    command = command_of_event(
        "license", event.id, told, resources.License, data=event.data, actor=SELF, trace_id=trace_id, span_id=span_id
    )
    use = common_pb2.UseContext(
        purpose_code=PURPOSE_CODE, purpose=PURPOSE, service_item=told.case.item, case=told.case.name
    )
    return replace(command, use=use)


class LeftDrafts:
    """Finishes drafts older than the patience, or voids them."""

    def __init__(self, licenses: LicenseStore, steps: IssuingSteps, wall: Clock, patience: float) -> None:
        self._licenses = licenses
        self._steps = steps
        self._wall = wall
        self._patience = timedelta(seconds=patience)

    def backlog(self, pause: float) -> Backlog:
        """Returns the hand-over to the seal service as a sweep follows it; ``pause`` seconds before the second try."""
        first = timedelta(seconds=pause)
        return Backlog("license_draft_sealed", DRAFTS, self.end, self._values, pause=first, longest=8 * first)

    def _values(self) -> Mapping[str, Any]:
        now = self._wall.now()
        return {"before": uuid7(unix_ms(now - self._patience)), "after": uuid7(unix_ms(now + _AHEAD))}

    async def end(self, identifier: str) -> None:
        """Takes the steps that are missing; raises what the seal service refuses with for now."""
        row = await self._licenses.get(f"licenses/{identifier}")
        if row.state is not LicenseState.DRAFT:
            return
        try:
            page = await self._steps.redraw(row)
        except Internal:
            # The bytes that the intent fixed can't be made any more (another version draws differently).
            await self._steps.void(row, _REDRAWN)
            return
        try:
            await self._steps.finish(own_command("finish", row), row, page)
        except DraftGivenUp:
            return
