"""What becomes of a case whose licence can't be issued although it was decided: an officer decides it anew."""

from libs.db.command import Command
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import OUTCOME, id_of
from services.cases.domain.outcomes import Outcome, yields_license
from services.cases.domain.states import Action, CaseState
from services.cases.store.cases import CaseRecord
from services.cases.store.items import ItemVersion
from services.cases.usecases import applications, parties
from services.cases.usecases.acceptance import SELF
from services.cases.usecases.access import require_handler
from services.cases.usecases.desk import Change, Desk, facts_of
from services.cases.usecases.license_checks import LicenseChecks, decided_event, own_path
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.license.v1 import events_pb2 as licenses

_NOTE = "证照未能签发，承办部门将重新处理"


class LicenseFailures:
    """Notes what the licence service gave up, and has it decided anew."""

    def __init__(self, desk: Desk, licences: LicenseChecks) -> None:
        self._desk = desk
        self._licences = licences

    async def failed(self, tx: Transaction, told: licenses.LicenseVoided) -> pb.Case:
        """Notes on a case that its licence was given up, opens the task of deciding anew, and tells the parties.

        A case that has a licence by now, was closed otherwise, or was told already, is left as it is.
        """
        record = await self._desk.store.lock(tx.connection, id_of(told.case_name))
        item = await self._desk.items.version(record.item)
        waits = record.state == CaseState.DECIDED and not record.license and _awaits(record, item)
        if not waits or record.content.HasField("license_failure"):
            return await self._desk.message(record, item, tx.now)
        before = self._desk.move(record, facts_of(record), Action.LICENSE_FAILED)
        record.content.license_failure.CopyFrom(
            pb.LicenseFailure(
                license=told.license,
                error_reason=told.error_reason,
                broken_rules=[_own_rule(item, rule) for rule in told.broken_rules],
                fail_time=told.void_time,
            )
        )
        record.changed = True
        change = Change(Action.LICENSE_FAILED, SELF, note=_NOTE, end_tasks="CANCELLED", open_task="REDECIDE")
        event = events.CaseLicenseFailed(error_reason=told.error_reason)
        return await self._desk.finish(tx, record, item, before, change, event)

    async def redecide(self, command: Command, request: rpc.RedecideCaseRequest) -> pb.Case:
        """Decides such a case anew: with what is printed put right, or with another outcome."""
        actor = current_call().actor
        outcome = Outcome(OUTCOME.name(request.outcome))
        asked: set[bytes] = set()
        seen = await self._desk.store.read(id_of(request.name))
        require_handler(actor, seen)
        if seen.content.HasField("license_failure"):  # else it was decided anew already, perhaps by this very request
            await parties.compare(self._desk, seen, outcome, request.restated_parties)

        async def work(tx: Transaction) -> pb.Case:
            record = await self._desk.store.lock(tx.connection, id_of(request.name))
            require_handler(actor, record)
            check_etag(request.name, record.version, request.etag)
            item = await self._desk.items.version(record.item)
            facts = facts_of(record, license_failed=record.content.HasField("license_failure"))
            before = self._desk.move(record, facts, Action.REDECIDE, actor.human)
            applications.check_form(item, request.form_values)
            applications.put_in(record.content, (), request.form_values, tx.now)
            former = parties.restate(record.content, request.restated_parties)
            record.outcome, record.changed = str(outcome), True
            record.content.decision.CopyFrom(
                pb.Decision(
                    outcome=request.outcome,
                    reason=request.reason,
                    decided_by=actor.subject,
                    decide_time=timestamp(tx.now),
                    evidence=record.content.decision.evidence,
                    voided_license=record.content.license_failure.license or record.content.decision.voided_license,
                    former_parties=[*record.content.decision.former_parties, *former],
                )
            )
            record.content.ClearField("license_failure")
            yields = yields_license(outcome, item.content.license_type)
            if yields:
                self._licences.ask(record, item, asked)
            change = Change(
                Action.REDECIDE,
                actor.subject,
                actor.department,
                request.reason,
                open_task="" if yields else "CLOSE",
            )
            return await self._desk.finish(tx, record, item, before, change, decided_event(record, item, yields=yields))

        return await self._desk.run(command, work)


def _awaits(record: CaseRecord, item: ItemVersion) -> bool:
    return bool(record.outcome) and yields_license(Outcome(record.outcome), item.content.license_type)


def _own_rule(item: ItemVersion, rule: str) -> str:
    path, _, name = rule.partition(": ")
    return f"{own_path(item, path)}: {name}"
