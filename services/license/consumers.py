"""What other services' events make this one do: a decided case yields its licence."""

from dataclasses import replace
from datetime import UTC
from typing import Any

from google.protobuf.message import Message

from libs.db.command import Command, command_of_event
from libs.errors import AlreadyExists, TongbanError
from libs.events.cloud_event import Event
from libs.events.consumer import EventHandler
from libs.ids import license_identifier
from libs.observability import tracing
from services.license.clients.identity import IdentityClient
from services.license.clients.seal import SELF
from services.license.domain.validity import civil_date
from services.license.store.cases import CaseStore
from services.license.usecases.drafting import Told
from services.license.usecases.issue import PURPOSE, Issuing, LicenseVoided, is_lasting
from services.license.usecases.telling import Telling
from tongban.cases.v1 import events_pb2 as cases
from tongban.cases.v1 import resources_pb2 as case_resources
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

CASE_DECIDED = "cn.tongban.case.decided.v1"
_TAKEN_IN = {
    "cn.tongban.case.submitted.v1": cases.CaseSubmitted,
    "cn.tongban.case.corrected.v1": cases.CaseCorrected,
}
# Later in a case's life the same is told again: who was never told of a submission, its stream being lost, hears of it there.
_GOES_ON = {"cn.tongban.case.accepted.v1": cases.CaseAccepted}
_SENT = {
    "cn.tongban.transfer.acknowledged.v1": cases.TransferAcknowledged,
    "cn.tongban.transfer.progressed.v1": cases.TransferProgressed,
}
_ENDED = {
    "cn.tongban.case.declined.v1": cases.CaseDeclined,
    "cn.tongban.case.withdrawn.v1": cases.CaseWithdrawn,
    "cn.tongban.case.terminated.v1": cases.CaseTerminated,
}


class HandledCases:
    """Keeps which cases departments work on, from the submission to the decision, and which ones windows sent abroad.

    Uses by law and reads of a case's files name one of them.
    """

    def __init__(self, store: CaseStore, decided: EventHandler, home: str) -> None:
        self._store = store
        self._decided = decided
        self._home = home

    def handlers(self) -> dict[str, EventHandler]:
        """Returns what handles which type of event."""
        return {
            CASE_DECIDED: self.decided,
            **{name: self._keeping(kind) for name, kind in (_TAKEN_IN | _GOES_ON | _ENDED).items()},
            **{name: self._sending(kind) for name, kind in _SENT.items()},
        }

    def _keeping(self, kind: type[Message]) -> EventHandler:
        async def keep(event: Event) -> None:
            told: Any = kind.FromString(event.data)
            taken_in_by = told.receiving_department if isinstance(told, cases.CaseSubmitted) else ""
            materials = told.materials if event.type in _TAKEN_IN else ()
            await self._store.told(told.case, taken_in_by, materials)

        return keep

    def _sending(self, kind: type[Message]) -> EventHandler:
        async def keep(event: Event) -> None:
            told: Any = kind.FromString(event.data)
            await self._store.sent(told.sent, self._home)

        return keep

    async def decided(self, event: Event) -> None:
        """Ends the time in which the case may be named, then has its licence issued."""
        await self._store.told(cases.CaseDecided.FromString(event.data).case)
        await self._decided(event)


class DecidedCases:
    """Issues the licences of decided cases."""

    def __init__(self, issuing: Issuing, telling: Telling, identity: IdentityClient, home: str) -> None:
        self._issuing = issuing
        self._telling = telling
        self._home = home
        self._identity = identity

    async def handle(self, event: Event) -> None:
        """Issues what the case yields, once, however often the event comes.

        Passing errors go up, so that the consumer tries again. A lasting refusal ends the event, with a draft or before
        there was one: ``cases`` hears of it by ``license.voided`` and has an officer decide anew. Another event for a case
        that was answered is a question for the answer (``Telling``), unless it was decided anew since. A licence that was
        told of and is lost here is made again; where it can't be, its event is parked for an operator: its case is closed.
        """
        decided = cases.CaseDecided.FromString(event.data)
        if not decided.license_type or decided.decision.outcome == case_resources.OUTCOME_REJECTED:
            return
        command, order = _command(event, decided), _order(decided, self._home)
        if await self._telling.answered(command, order, decided.decision.voided_license):
            return
        try:
            await self._name_issuer(order, decided.case.department)
            await self._issuing.attempt(command, order, _told(decided))
        except AlreadyExists as error:
            # Somebody issued it by hand before the event came.
            if error.reason != "LICENSE_ALREADY_ISSUED":
                raise
        except LicenseVoided:
            return
        except TongbanError as error:
            if not is_lasting(error) or decided.HasField("told_license"):
                raise
            await self._issuing.refuse(command, order, error)

    async def _name_issuer(self, order: pb.IssueLicenseRequest, name: str) -> None:
        department = await self._identity.department(name)
        issuer = resources.Issuer(department=name, display_name=department.display_name, code=department.uscc)
        order.issuer.CopyFrom(issuer)


def _order(decided: cases.CaseDecided, home: str) -> pb.IssueLicenseRequest:
    case, holder = decided.case, decided.holder
    return pb.IssueLicenseRequest(
        license_type=decided.license_type,
        item_code=case.task_code,
        case_name=case.name,
        holders=[resources.Holder(subject=holder.subject, display_name=holder.display_name, document=holder.document)],
        face_fields={field.key: field.value for field in decided.license_fields},
        receiving_region="" if case.receiving_region == home else case.receiving_region,
    )


def _told(decided: cases.CaseDecided) -> Told | None:
    told = decided.told_license
    if not told.license:
        return None
    identifier = license_identifier.parse(told.identifier, "told_license.identifier")
    day = civil_date(told.issue_time.ToDatetime(tzinfo=UTC))
    return Told(told.license.removeprefix("licenses/"), identifier.serial, day, told.identifier)


def _command(event: Event, decided: cases.CaseDecided) -> Command:
    trace_id, span_id = tracing.parse_traceparent(event.traceparent)
    command = command_of_event(
        "license", event.id, decided, resources.License, actor=SELF, trace_id=trace_id, span_id=span_id
    )
    case = decided.case
    return replace(command, use=common_pb2.UseContext(purpose=PURPOSE, case_name=case.name))
