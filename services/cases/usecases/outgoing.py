"""The receiving side of an exchange (收件地): applications, corrections and ratings that go to the region that decides."""

import uuid
from typing import Any

from libs.access.actor import Actor
from libs.db import paging, rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, reasons, state_conflict
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.regions import Regions
from libs.rpc.timestamps import timestamp
from services.cases.clients import mandate_not_covering
from services.cases.convert import DIRECTION, MODE, TRANSFER_STATE, id_of
from services.cases.domain.ratings import RATABLE
from services.cases.domain.states import CaseState
from services.cases.store.transfers import TransferStore
from services.cases.tables import transfers
from services.cases.usecases import applications
from services.cases.usecases.access import (
    Reading,
    clerk_of,
    is_staff,
    not_owner,
    require_official,
    require_supervision,
    speaks_for,
)
from services.cases.usecases.desk import Desk
from services.cases.usecases.reading import after_of
from services.cases.usecases.results import Ratings
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import rating_service_pb2
from tongban.cases.v1 import resources_pb2 as resources
from tongban.identity.v1 import resources_pb2 as identity

_MOST = 500
_NATIONAL_LENGTH, _BASIC_LENGTH = 31, 12
_TOLERATED = {str(CaseState.ACCEPTED), str(CaseState.UNDER_REVIEW), str(CaseState.SUSPENDED)}


class Outgoing:
    """Use cases of the receiving side."""

    def __init__(self, desk: Desk, store: TransferStore, ratings: Ratings, regions: Regions, reading: Reading) -> None:
        self._desk = desk
        self._reading = reading
        self._store = store
        self._ratings = ratings
        self._regions = regions

    # ---- application ----

    async def send(self, command: Command, request: pb.SendTransferRequest) -> pb.Transfer:
        """Stores an application for delivery to the region that decides."""
        stored = await self._desk.uow.stored(command)
        if isinstance(stored, pb.Transfer):
            return stored
        actor = current_call().actor
        identifier, application = uuid7(), self._application(request, actor)
        self._check(application, actor, request.handling_region)
        await self._regions.trusted(request.handling_region, identity.TRUST_DIRECTION_OUTBOUND)
        agent = application.agent if application.HasField("agent") else None
        await self._desk.identity.check_parties(application.applicant, agent)
        await self._check_mandate(application)
        delegation = await self._desk.identity.delegation(
            actor.token, request.handling_region, f"transfers/{identifier}"
        )

        async def work(tx: Transaction) -> pb.Transfer:
            application.receive_time.FromDatetime(tx.now)
            values = self._values(tx, identifier, request, application, actor)
            values["delegation"] = self._store.seal_delegation(identifier, delegation)
            await rows.insert(tx.connection, transfers, values)
            message = pb.TransferMessage(application=application)
            await self._desk.news.queue(tx, identifier, "application", message)
            tx.emit(
                f"transfers/{identifier}",
                events.TransferSent(name=f"transfers/{identifier}", handling_region=request.handling_region),
            )
            return self.message(await self._store.lock(tx.connection, identifier))

        return await self._desk.run(command, work)

    def _application(self, request: pb.SendTransferRequest, actor: Actor) -> pb.TransferApplication:
        clerk = clerk_of(actor)
        if not clerk or is_staff(actor):
            raise reasons.actor_not_allowed(
                "needs the token of a person with window staff in act", actor_kind=actor.kind
            )
        application = pb.TransferApplication(
            task_code=request.task_code,
            mode=request.mode,
            case_id=request.case_id,
            applicant=request.applicant,
            identity_check=request.identity_check,
            form_values=request.form_values,
            title=request.title,
            materials=[self._absolute(material) for material in request.materials],
            department=actor.department,
            operator=clerk,
        )
        application.applicant.subject = self._global(request.applicant.subject)
        if request.HasField("agent"):
            application.agent.CopyFrom(request.agent)
            application.agent.subject = self._global(request.agent.subject)
            if request.agent.mandate:
                application.agent.mandate = self._global(request.agent.mandate)
        return application

    def _global(self, name: str) -> str:
        return str(names.parse(name, "name").absolute(self._desk.region))

    def _absolute(self, material: resources.MaterialReference) -> resources.MaterialReference:
        copy = resources.MaterialReference()
        copy.CopyFrom(material)
        source = copy.WhichOneof("source")
        if source in {"material", "presentation"}:
            setattr(copy, source, self._global(getattr(copy, source)))
        return copy

    def _check(self, application: pb.TransferApplication, actor: Actor, handling_region: str) -> None:
        """The token must speak for who applies: what goes over is vouched for by this region."""
        if handling_region == self._desk.region:
            raise invalid_field("handling_region", "transfer.other", "must be another region")
        agent = application.agent if application.HasField("agent") else None
        applications.check_parties(application.applicant, agent, self._desk.today())
        self.require_impartial(actor, application.applicant.subject, application.agent.subject)
        mine = {self._global(name) for name in speaks_for(actor)}
        if application.applicant.subject not in mine:
            raise not_owner(application.applicant.subject)
        if agent is not None and agent.subject != self._global(actor.subject):
            raise not_owner(agent.subject)
        mandate = self._global(actor.mandate) if actor.mandate else ""
        if mandate != (agent.mandate if agent else ""):
            raise mandate_not_covering(agent.mandate if agent else "", application.task_code, "the token names another")
        if application.identity_check.assurance > actor.assurance:
            raise invalid_field("identity_check.assurance", "assurance.token", "is more than the token says")

    def require_impartial(self, actor: Actor, *parties: str) -> None:
        """Raises where what is to be done is the caller's own affair."""
        actor.require_impartial(*(applications.at_home(name, self._desk.region) for name in parties))

    async def _check_mandate(self, application: pb.TransferApplication) -> None:
        if not application.agent.mandate:
            return
        code, home = application.task_code, self._desk.region
        # A mandate may name the item by its basic code, which is the same everywhere and ends a national code.
        codes = (code, code[-_BASIC_LENGTH:]) if len(code) == _NATIONAL_LENGTH else (code,)
        await self._desk.identity.check_mandate(
            applications.at_home(application.agent.subject, home),
            applications.at_home(application.applicant.subject, home),
            applications.at_home(application.agent.mandate, home),
            codes,
        )

    def _values(
        self,
        tx: Transaction,
        identifier: str,
        request: pb.SendTransferRequest,
        application: pb.TransferApplication,
        actor: Actor,
    ) -> dict[str, Any]:
        content = pb.Transfer(applicant=application.applicant, identity_check=application.identity_check)
        if application.HasField("agent"):
            content.agent.CopyFrom(application.agent)
        return {
            "id": identifier,
            "exchange_id": str(uuid.uuid4()),
            "transaction_id": str(uuid.uuid4()),
            "direction": "OUTBOUND",
            "peer_region": request.handling_region,
            "state": "SENT",
            "mode": MODE.name(request.mode),
            "task_code": request.task_code,
            "item_display_name": "",
            "department": actor.department,
            "owner_department": actor.department,
            "operator": application.operator,
            "applicant": application.applicant.subject,
            "agent": application.agent.subject,
            "sealed": self._store.seal(identifier, content),
            "create_time": tx.now,
            "update_time": tx.now,
        }

    # ---- correction ----

    async def correct(self, command: Command, request: pb.SendCorrectionRequest) -> pb.Transfer:
        """Puts the answer to a correction, or tolerated materials, in line."""
        actor = current_call().actor
        correction = pb.TransferCorrection(
            materials=[self._absolute(material) for material in request.correction.materials],
            form_values=request.correction.form_values,
        )

        async def work(tx: Transaction) -> pb.Transfer:
            row = await self._store.lock(tx.connection, id_of(request.name))
            if row.direction != "OUTBOUND" or row.owner_department != actor.department:
                raise not_found(request.name)
            self.require_party(actor, row)
            self.require_impartial(actor, row.applicant, row.agent)
            check_etag(request.name, row.version, request.etag)
            _require_asked(request.name, row)
            await self._desk.news.queue(tx, row.id, "correction", pb.TransferMessage(correction=correction))
            tx.emit(
                request.name,
                events.TransferCorrectionSent(name=request.name, sequence=row.last_sent + 1),
            )
            return self.message(await self._store.lock(tx.connection, row.id))

        return await self._desk.run(command, work)

    def require_party(self, actor: Actor, row: Row) -> None:
        """Raises NOT_OWNER where staff stand at a window for somebody whose application it is not."""
        mine = {self._global(name) for name in speaks_for(actor)}
        if mine and not mine & {row.applicant, row.agent}:
            raise not_owner(f"transfers/{row.id}")

    # ---- rating ----

    async def rate(
        self, command: Command, request: rating_service_pb2.CreateRatingRequest
    ) -> rating_service_pb2.Rating:
        """Rates a case of another region that a window here sent there: the rating travels to it."""
        actor = current_call().actor
        sent = await self._store.sent_case(request.case_name)
        rater = self._rater(actor, sent, request)

        async def work(tx: Transaction) -> rating_service_pb2.Rating:
            row = await self._store.lock(tx.connection, sent.id)
            content = self._store.open(row)
            state = CaseState(row.progress_state or CaseState.SUBMITTED)
            if content.HasField("result") and state not in RATABLE:
                state = CaseState.CLOSED
            rating = await self._ratings.insert(tx, request.case_name, state, request, rater, "")
            message = pb.TransferMessage(
                rating=pb.TransferRating(
                    kind=request.kind,
                    level=request.level,
                    channel=request.channel,
                    comment=request.comment,
                    rater=rater,
                    indicators=request.indicators,
                    rate_time=timestamp(tx.now),
                )
            )
            await self._desk.news.queue(tx, row.id, "rating", message)
            return self._ratings.message(rating)

        return await self._desk.run(command, work)

    def _rater(self, actor: Actor, row: Row, request: rating_service_pb2.CreateRatingRequest) -> str:
        if request.channel == rating_service_pb2.RATING_CHANNEL_SYSTEM_DEFAULT:
            raise invalid_field("channel", "rating.default", "is set by the deciding region only")
        mine = {self._global(name) for name in speaks_for(actor)}
        if row.agent in mine or (row.applicant in mine and "/persons/" in row.applicant):
            return self._global(actor.subject)
        of_window = bool(actor.office) and actor.office == row.owner_department
        self.require_impartial(actor, row.applicant, row.agent)
        if row.applicant in mine or of_window:
            return self._global(actor.subject) if mine else str(row.agent or row.applicant)
        raise not_owner(request.case_name)

    # ---- reading ----

    async def get(self, request: pb.GetTransferRequest) -> pb.Transfer:
        """Reads a transfer: the window's department, or the deciding one."""
        actor, name = current_call().actor, request.name
        row = await self._store.read(id_of(name))
        mine = self._mine(actor)
        if mine is None and actor.office not in ("", row.owner_department):
            raise not_found(name)
        if mine is not None and mine.isdisjoint((row.applicant, row.agent)):
            raise not_found(name)
        await self._reading.note(request, name, "transfer")
        return self.message(row)

    async def list(self, request: pb.ListTransfersRequest) -> pb.ListTransfersResponse:
        """Lists transfers; staff see their department's."""
        actor = current_call().actor
        size = paging.page_size(request.page_size, _MOST)
        given = {
            "direction": DIRECTION.name(request.direction),
            "state": TRANSFER_STATE.name(request.state),
            "peer_region": request.peer_region,
            "department": request.department,
            "owner_department": actor.office,
        }
        filters: dict[str, Any] = {name: value for name, value in given.items() if value}
        mine = self._mine(actor)
        if mine is not None:
            filters["parties"] = sorted(mine)
        found = await self._store.page(filters, after_of(request, request.page_token), size + 1)
        last = found[size - 1] if len(found) > size else None
        token = paging.next_token(request, last.create_time.isoformat(), last.id) if last else ""
        await self._reading.note(
            request, filters.get("owner_department", "transfers"), "transfer", min(len(found), size)
        )
        return pb.ListTransfersResponse(transfers=map(self.message, found[:size]), next_page_token=token)

    def _mine(self, actor: Actor) -> frozenset[str] | None:
        """Returns the parties whose transfers the caller may see; None for staff in office and machines that supervise.

        No machine sends an application or decides it, so without that right none is a machine's.
        """
        names = speaks_for(actor)
        if not names:
            require_official(actor)
            if not actor.office:
                require_supervision(actor)
            return None
        return frozenset(map(self._global, names))

    def message(self, row: Row) -> pb.Transfer:
        """Builds the message of a transfer."""
        message, here = self._store.open(row), self._desk.region
        outbound = row.direction == "OUTBOUND"
        message.MergeFrom(
            pb.Transfer(
                name=f"transfers/{row.id}",
                exchange_id=row.exchange_id,
                transaction_id=row.transaction_id,
                direction=DIRECTION.number(row.direction),
                state=TRANSFER_STATE.number(row.state),
                mode=MODE.number(row.mode),
                receiving_region=here if outbound else row.peer_region,
                handling_region=row.peer_region if outbound else here,
                task_code=row.task_code,
                item_display_name=row.item_display_name,
                case_name=row.case_name,
                case_number=row.case_number,
                department=row.department,
                operator=row.operator,
                last_sent_sequence=row.last_sent,
                last_receipted_sequence=row.last_receipted,
                last_applied_sequence=row.last_applied,
                end_reason=row.end_reason,
                create_time=timestamp(row.create_time),
                update_time=timestamp(row.update_time),
                receive_time=timestamp(row.receive_time),
                acknowledge_time=timestamp(row.acknowledge_time),
                waiting_reason=row.waiting_reason,
                waiting_since_time=timestamp(row.waiting_since),
                etag=etag_of(row.version),
            )
        )
        return message


def _require_asked(name: str, row: Row) -> None:
    """Raises STATE_CONFLICT unless something was asked for, and no answer to it is under way already."""
    if row.state != "ACCEPTED":
        raise state_conflict(name, row.state, "ACCEPTED")
    asked = row.progress_state == CaseState.CORRECTION_REQUESTED
    tolerated = row.tolerated and row.progress_state in _TOLERATED
    if row.last_sent > row.last_receipted or not (asked or tolerated):
        raise state_conflict(name, row.progress_state or "SUBMITTED", str(CaseState.CORRECTION_REQUESTED))
