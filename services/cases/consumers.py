"""What the license service tells: a licence that was issued closes its case, one that was given up has it decided anew."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC

from libs.db.command import command_of_event
from libs.db.uow import Transaction, derived_request_id
from libs.errors import NotFound
from libs.events.cloud_event import Event
from libs.events.consumer import EventHandler
from libs.observability.logs import logger
from services.cases.convert import id_of
from services.cases.domain.states import CaseState
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.desk import Desk
from services.cases.usecases.handling import Handling
from services.cases.usecases.license_failures import LicenseFailures
from tongban.cases.v1 import resources_pb2 as pb
from tongban.license.v1 import events_pb2 as events

_log = logger(__name__)
_CONSUMER = "cases"
_OUR_CASE = re.compile(r"cases/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class LicenseEvents:
    """Handlers of the license service's events, each once per event."""

    def __init__(self, desk: Desk, handling: Handling, failures: LicenseFailures) -> None:
        self._desk = desk
        self._failures = failures
        self._handling = handling

    def handlers(self) -> dict[str, EventHandler]:
        """Returns the handlers by event type."""
        return {
            "cn.tongban.license.issued.v1": self.issued,
            "cn.tongban.license.voided.v1": self.voided,
        }

    async def issued(self, event: Event) -> None:
        """Notes the licence on the case that yielded it, and closes the case where it waited for it."""
        message = events.LicenseIssued.FromString(event.data)

        async def work(tx: Transaction) -> pb.Case:
            record = await self._desk.store.lock(tx.connection, id_of(message.case_name))
            item = await self._desk.items.version(record.item)
            issue_time = message.issue_time.ToDatetime(tzinfo=UTC)
            await self._desk.store.licensed(tx.connection, record.id, message.license, message.identifier, issue_time)
            record.license, record.license_identifier = message.license, message.identifier
            if record.content.HasField("license_failure"):
                record.content.ClearField("license_failure")
                record.changed = True
            if record.state == CaseState.DECIDED:
                return await self._handling.closed(tx, record, item, SELF, "", f"证照已签发: {message.identifier}")
            record.update_time = tx.now
            await self._desk.store.save_quietly(tx.connection, record)
            return await self._desk.message(record, item, tx.now)

        # The license service tells again what it told before, if it is asked: it is the licence that counts once.
        said = events.LicenseIssued(license=message.license, identifier=message.identifier, case_name=message.case_name)
        await self._once(event, said, work)

    async def voided(self, event: Event) -> None:
        """Has the case decided anew whose licence was given up."""
        message = events.LicenseVoided.FromString(event.data)

        async def work(tx: Transaction) -> pb.Case:
            return await self._failures.failed(tx, message)

        said = events.LicenseVoided(license=message.license, identifier=message.identifier, case_name=message.case_name)
        await self._once(event, said, work)

    async def _once(
        self,
        event: Event,
        said: events.LicenseIssued | events.LicenseVoided,
        work: Callable[[Transaction], Awaitable[pb.Case]],
    ) -> None:
        """Does the work once for what is said of a licence, under whatever event ids it is said."""
        if not _OUR_CASE.fullmatch(said.case_name):
            return
        # What was refused before there was a draft has no name; then the event is what counts once.
        key = derived_request_id(event.type, said.license or event.id, said.case_name)
        command = command_of_event(_CONSUMER, key, said, pb.Case, actor=SELF)
        try:
            await self._desk.run(command, work)
        except NotFound:
            # An issuer may name a case of a system of its own; that is none of ours.
            _log.info("licence of an unknown case", license=event.subject)
