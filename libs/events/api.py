"""ParkedEventService over a service's own parked events; every service registers it."""

from collections.abc import Sequence
from dataclasses import replace

from libs.audit.writer import AuditWriter
from libs.db.command import command_of
from libs.db.paging import Pages
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import TongbanError, invalid_field, not_found
from libs.events.consumer import Consumer
from libs.events.parking import UNREADABLE, ParkedEvent, Parking, unreadable
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from tongban.common.v1 import common_pb2
from tongban.events.v1 import parked_event_service_pb2 as pb


class ParkedEventApi:
    """Shows, replays and drops parked events; what they say stays closed."""

    def __init__(
        self,
        service: str,
        parking: Parking,
        pages: Pages,
        uow: UnitOfWork,
        audit: AuditWriter,
        consumers: Sequence[Consumer],
    ) -> None:
        self._service = service
        self._parking = parking
        self._pages = pages
        self._uow = uow
        self._audit = audit
        self._consumers = consumers

    async def list_parked_events(self, request: pb.ListParkedEventsRequest, call: Call) -> pb.ListParkedEventsResponse:
        """Lists parked events, those parked first at the head."""
        self._must_be_ours("service", request.service)
        shown, token = await self._parking.page(self._pages, request)
        about = f"{self._service}/parkedEvents"
        await self._audit.write(command_of(request, call=call), about, record_count=len(shown))
        return pb.ListParkedEventsResponse(parked_events=map(self._message, shown), next_page_token=token)

    async def get_parked_event(self, request: pb.GetParkedEventRequest, call: Call) -> pb.ParkedEvent:
        """Gets a parked event."""
        row = await self._parking.get(self._identifier(request.name))
        await self._audit.write(command_of(request, call=call), request.name, record_count=1)
        return self._message(row)

    async def replay_parked_event(
        self, request: pb.ReplayParkedEventRequest, call: Call
    ) -> pb.ReplayParkedEventResponse:
        """Hands a parked event to its handler again; what came of it is one record, and one answer for its request_id."""
        identifier, command = self._identifier(request.name), command_of(request, call=call)
        stored = await self._uow.stored(command)
        if isinstance(stored, pb.ReplayParkedEventResponse):
            return stored
        row = await self._parking.get(identifier)
        failure = await self._replay(row)

        async def work(tx: Transaction) -> pb.ReplayParkedEventResponse:
            tx.about = request.name
            if failure is None:
                await self._parking.take_out(tx.connection, identifier)
                return pb.ReplayParkedEventResponse(parked_event=self._message(row), handled=True)
            tx.record(request.name, result=failure.reason)
            changed = await self._parking.failed_again(tx.connection, identifier, failure.reason)
            return pb.ReplayParkedEventResponse(parked_event=self._message(changed))

        return await self._uow.run(command, work)

    async def _replay(self, row: ParkedEvent) -> TongbanError | None:
        """Has the consumer that can read the event handle it."""
        failure: TongbanError | None = unreadable()
        for consumer in self._consumers:
            failure = await consumer.replay(row.event)
            if failure is None or failure.reason != UNREADABLE:
                break
        return failure

    async def drop_parked_event(self, request: pb.DropParkedEventRequest, call: Call) -> pb.ParkedEvent:
        """Gives a parked event up."""
        identifier = self._identifier(request.name)

        async def work(tx: Transaction) -> pb.ParkedEvent:
            row = await self._parking.take_out(tx.connection, identifier)
            if row is None:
                raise not_found(request.name)
            return self._message(row)

        return await self._uow.run(
            replace(
                command_of(request, call=call),
                use=common_pb2.UseContext(purpose_code="OPERATION", purpose=request.reason),
            ),
            work,
        )

    def _must_be_ours(self, field: str, service: str) -> None:
        if service != self._service:
            raise invalid_field(field, "service", f"these are the parked events of {self._service}")

    def _identifier(self, name: str) -> str:
        service, _, identifier = name.split("/")
        self._must_be_ours("name", service)
        return identifier

    def _message(self, row: ParkedEvent) -> pb.ParkedEvent:
        return pb.ParkedEvent(
            name=f"{self._service}/parkedEvents/{row.id}",
            type=row.type,
            subject=row.subject,
            source=row.source,
            event_time=timestamp(row.time),
            park_time=timestamp(row.park_time),
            reason=row.reason,
            attempts=row.attempts,
        )
