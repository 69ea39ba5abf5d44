"""A case as staff of its department take it up: locked, theirs, and as they saw it."""

from dataclasses import dataclass, field
from typing import Protocol

from libs.access.actor import Actor
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from services.cases.core.access import require_handler
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.core.states import CaseAction
from services.cases.core.workflow import CaseChange, Workflow


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """What was asked for in this call already: sets of materials, and licences. Each is asked for once a call."""

    materials: set[bytes] = field(default_factory=set)
    licenses: set[bytes] = field(default_factory=set)


class CaseRequest(Protocol):
    """A request that names a case, and may say as what it was seen."""

    @property
    def name(self) -> str:
        """The case's name."""

    @property
    def etag(self) -> str:
        """What it was when it was seen, or empty."""


async def taken_up(
    tx: Transaction, workflow: Workflow, request: CaseRequest, actor: Actor
) -> tuple[CaseRecord, ItemVersion]:
    """Locks a case with its item for staff of its department.

    Raises:
        NotFound: RESOURCE_NOT_FOUND.
        PermissionDenied: ACTOR_NOT_ALLOWED, NOT_OWNER, ACTING_ON_SELF.
        Aborted: ETAG_MISMATCH.
    """
    record = await workflow.cases.lock(tx.connection, request.name)
    require_handler(actor, record)
    check_etag(request.name, record.version, request.etag)
    return record, await workflow.items.version(record.item)


def changed_by(
    actor: Actor, action: CaseAction, note: str = "", *, end_tasks: str = "DONE", open_task: str = ""
) -> CaseChange:
    """Returns what an action of staff means beside the new state."""
    return CaseChange(action, actor.subject, actor.department, note, end_tasks, open_task)
