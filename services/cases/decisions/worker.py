"""What follows a decision by itself: a licence that was issued closes its case, one that was given up has it decided anew."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC

from libs.db.command import command_of_event
from libs.db.uow import Transaction, derived_request_id
from libs.errors import NotFound
from libs.events.cloud_event import Event
from libs.observability.logs import logger
from services.cases.core.access import SELF
from services.cases.core.items import ItemVersion
from services.cases.core.license_checks import own_path
from services.cases.core.next_steps import yields
from services.cases.core.parts import Parts
from services.cases.core.states import CaseAction, CaseState
from services.cases.core.workflow import CaseChange, move
from services.cases.decisions import store
from services.cases.decisions.deciding import closed
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.license.v1 import events_pb2 as licenses

_log = logger(__name__)
_CONSUMER = "cases"
_OUR_CASE = re.compile(r"cases/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOTE = "证照未能签发，承办部门将重新处理"
Work = Callable[[Transaction], Awaitable[pb.Case]]


@dataclass(frozen=True, slots=True)
class LicenseEvents:
    """Handles the license service's events, each once for what it says of a licence."""

    parts: Parts

    async def issued(self, event: Event, told: licenses.LicenseIssued) -> None:
        """Notes the licence on the case that yielded it, and closes the case where it waited for it."""

        async def work(tx: Transaction) -> pb.Case:
            return await self._note(tx, told)

        # The license service tells again what it told before, if it is asked: it is the licence that counts once.
        said = licenses.LicenseIssued(license=told.license, identifier=told.identifier, case=told.case)
        await self._once(event, said, work)

    async def _note(self, tx: Transaction, told: licenses.LicenseIssued) -> pb.Case:
        workflow = self.parts.workflow
        record, item = await workflow.locked(tx, told.case)
        yielded = store.CaseLicense(told.license, record.id, told.identifier, told.issue_time.ToDatetime(tzinfo=UTC))
        await store.note(tx.connection, yielded)
        record.license, record.license_identifier = told.license, told.identifier
        if record.license_failed:
            record.content.ClearField("license_failures")
            record.changed = True
        if record.state == CaseState.DECIDED:
            return await closed(workflow, tx, record, item, SELF, "", f"证照已签发: {told.identifier}")
        record.update_time = tx.now
        await self.parts.steps.write(tx.connection, record)
        return await workflow.message(record, item, tx.now)

    async def voided(self, event: Event, told: licenses.LicenseVoided) -> None:
        """Has the case decided anew whose licence was given up."""

        async def work(tx: Transaction) -> pb.Case:
            return await self._fail(tx, told)

        said = licenses.LicenseVoided(license=told.license, identifier=told.identifier, case=told.case)
        await self._once(event, said, work)

    async def _fail(self, tx: Transaction, told: licenses.LicenseVoided) -> pb.Case:
        """Notes on a case that its licence was given up, opens the task of deciding anew, and tells the parties.

        A case that has a licence by now, was closed otherwise, or was told already, is left as it is.
        """
        workflow = self.parts.workflow
        record, item = await workflow.locked(tx, told.case)
        waits = record.state == CaseState.DECIDED and not record.license and yields(record, item)
        if not waits or record.license_failed:
            return await workflow.message(record, item, tx.now)
        before = move(record, record.facts(), CaseAction.LICENSE_FAILED)
        failure = pb.LicenseFailure(
            license=told.license,
            error_reason=told.error_reason,
            broken_rules=[_own_rule(item, rule) for rule in told.broken_rules],
            fail_time=told.void_time,
        )
        record.content.license_failures.append(failure)
        record.changed = True
        change = CaseChange(CaseAction.LICENSE_FAILED, SELF, note=_NOTE, end_tasks="CANCELLED", open_task="REDECIDE")
        event = events.CaseLicenseFailed(error_reason=told.error_reason)
        return await workflow.finish(tx, record, item, before, change, event)

    async def _once(self, event: Event, said: licenses.LicenseIssued | licenses.LicenseVoided, work: Work) -> None:
        """Does the work once for what is said of a licence, under whatever event ids it is said."""
        if not _OUR_CASE.fullmatch(said.case):
            return
        # What was refused before there was a draft has no name; then the event is what counts once.
        key = derived_request_id(event.type, said.license or event.id, said.case)
        command = command_of_event(_CONSUMER, key, said, pb.Case, data=event.data, actor=SELF)
        try:
            await self.parts.uow.run(command, work)
        except NotFound:
            # An issuer may name a case of a system of its own; that is none of ours.
            _log.info("licence of an unknown case", license=event.subject)


def _own_rule(item: ItemVersion, rule: str) -> str:
    path, _, name = rule.partition(": ")
    return f"{own_path(item, path)}: {name}"
