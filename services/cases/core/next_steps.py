"""What the reader of a case may do with it next: asked of the rules that decide it, and of nothing else.

An RPC of CaseService is the action that it is called after (``AcceptCase``: ``ACCEPT``). It is possible where the contract's
access lets the caller in, the caller stands on the side that the contract names, and the state machine lets the case move.
What an act must bring with it (materials, a form) keeps nobody from taking it.
"""

import re
from collections.abc import Iterator
from functools import cache

from libs.access.actor import Actor
from libs.civil.calendar import Calendar, local_day
from libs.clock import Clock
from libs.errors import TongbanError
from libs.rpc.contract import Method, methods_of
from libs.rpc.stages.permission import check
from services.cases.core import deadlines
from services.cases.core.access import require_applicant_side, require_handler
from services.cases.core.applications import obligations_of
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import is_deemed_accepted
from services.cases.core.items import ItemVersion
from services.cases.core.material_checks import unchecked
from services.cases.core.materials import open_codes
from services.cases.core.outcomes import DecisionOutcome, yields_license
from services.cases.core.states import TRANSITIONS, CaseAction, CaseFacts, CaseState, advance
from tongban.cases.v1 import case_service_pb2
from tongban.options.v1 import options_pb2

_SERVICE = case_service_pb2.DESCRIPTOR.services_by_name["CaseService"]


@cache
def acts() -> dict[CaseAction, Method]:
    """Returns the RPC that takes each action; what only the service itself does has none."""
    named = {_action(method): method for method in methods_of(_SERVICE) if method.writes}
    return {action: named[action.value] for action in CaseAction if action.value in named}


def _action(method: Method) -> str:
    name = re.sub(r"Case(?=With|$)", "", str(method.descriptor.name))
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def allowed_actions(
    actor: Actor, record: CaseRecord, item: ItemVersion, calendar: Calendar, clock: Clock
) -> Iterator[CaseAction]:
    """Yields what the caller may do with a case now, in the order of its life."""
    facts = _facts(record, item, calendar, clock)
    for action, method in acts().items():
        if (record.state, action) not in TRANSITIONS:
            continue
        try:
            check(method, actor, clock.now())
            _require_side(method, actor, record)
            advance(facts, action, actor.human)
        except TongbanError:
            continue
        yield action


def _require_side(method: Method, actor: Actor, record: CaseRecord) -> None:
    of_people = options_pb2.ACTOR_KIND_PERSON in method.access.actors
    (require_applicant_side if of_people else require_handler)(actor, record)


def _facts(record: CaseRecord, item: ItemVersion, calendar: Calendar, clock: Clock) -> CaseFacts:
    waiting = record.state is CaseState.SUBMITTED
    overdue = waiting and is_deemed_accepted(deadlines.clock_of(record, item), calendar, local_day(clock.now()))
    return record.facts(
        told_too_late=overdue,
        open_obligations=not_arrived(record),
        license_pending=yields(record, item) and not record.license,
        license_failed=record.license_failed,
    )


def yields(record: CaseRecord, item: ItemVersion) -> bool:
    """True where the decision of a case has a licence issued."""
    return bool(record.outcome) and yields_license(DecisionOutcome(record.outcome), item.license_type)


def not_arrived(record: CaseRecord) -> tuple[str, ...]:
    """Returns the tolerated materials that did not arrive, or arrived and were not found good."""
    still_open = open_codes(obligations_of(record))
    promised = frozenset(each.material_code for each in record.content.obligations)
    refused = tuple(each.reference.code for each in unchecked(record, promised)) if promised else ()
    return tuple(dict.fromkeys([*still_open, *refused]))
