"""Whether the parties to a case still bear the names and documents that they applied with, asked before it is granted.

What is granted bears the name. Between the application and the decision months may pass, in which identity came to know a new
name or a new document; so it is compared again; what agreed within the last minute holds. A refusal needs no such check: it grants nothing.
"""

from collections.abc import Iterable, Sequence

from libs.db.uow import AskFirst
from libs.errors import FailedPrecondition, InvalidArgument, TongbanError, invalid_field, reasons
from services.cases.core.applications import check_parties, party_of
from services.cases.core.cases import CaseRecord
from services.cases.core.outcomes import DecisionOutcome
from services.cases.core.parts import Parts
from services.cases.integrations import is_passing
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2


async def compare(
    parts: Parts, record: CaseRecord, outcome: DecisionOutcome, restated: Sequence[party_pb2.Party]
) -> None:
    """Compares the parties, as ``restated``, with their accounts before a case is granted; outside of a transaction.

    Whoever is restated is compared whatever is decided: the case bears that name from then on.

    Raises:
        InvalidArgument: FIELD_INVALID for a restated party who is none to the case, or whose name or document is no such.
        FailedPrecondition: CASE_PARTY_CHANGED.
        Unavailable: DEPENDENCY_UNAVAILABLE: identity can't be asked now.
    """
    if outcome is DecisionOutcome.REJECTED and not restated:
        return
    applicant, agent = _as_restated(record, restated)
    check_parties(applicant, agent, parts.workflow.today())
    try:
        await parts.identity.check_parties(applicant, agent)
    except InvalidArgument as error:
        raise _changed(record.name, error.violations[0].field) from error
    except TongbanError as error:
        if not is_passing(error):
            raise
        raise reasons.dependency_unavailable(
            "whether the parties still bear their names can't be told now",
            retry_after=error.retry_after or 1.0,
            dependency="identity",
        ) from error


class PartyComparison:
    """The comparison of one decision: made outside of its transaction, and only where identity's word is not at hand."""

    def __init__(self, parts: Parts, outcome: DecisionOutcome, restated: Sequence[party_pb2.Party]) -> None:
        self._parts = parts
        self._outcome = outcome
        self._restated = restated
        self._made = False

    def ask_first(self, record: CaseRecord) -> None:
        """Raises AskFirst unless the parties of the case were compared, or are known to agree."""
        restated = self._restated
        if self._made or (self._outcome is DecisionOutcome.REJECTED and not restated):
            return
        if not restated and self._parts.identity.agreed(*_as_restated(record, ())):
            return

        async def settle() -> None:
            await compare(self._parts, record, self._outcome, restated)
            self._made = True

        raise AskFirst(settle)


def _as_restated(
    record: CaseRecord, restated: Iterable[party_pb2.Party]
) -> tuple[party_pb2.Applicant, party_pb2.Agent | None]:
    content = pb.Case(applicant=record.content.applicant)
    if record.content.HasField("agent"):
        content.agent.CopyFrom(record.content.agent)
    restate(content, restated)
    return content.applicant, content.agent if content.HasField("agent") else None


def restate(content: pb.Case, restated: Iterable[party_pb2.Party]) -> list[party_pb2.Party]:
    """Puts changed names and documents into a case; returns the parties as they stood there before.

    Raises:
        InvalidArgument: FIELD_INVALID for one who is neither applicant nor agent, and for another kind than theirs.
    """
    before = []
    for place, each in enumerate(restated):
        parties: tuple[party_pb2.Applicant | party_pb2.Agent, ...] = (content.applicant, content.agent)
        found = [party for party in parties if each.subject and party.subject == each.subject]
        if not found:
            raise invalid_field(f"restated_parties[{place}].subject", "party", "must be the applicant or the agent")
        was = party_of(found[0])
        if each.kind not in (party_pb2.PARTY_KIND_UNSPECIFIED, was.kind):
            raise invalid_field(f"restated_parties[{place}].kind", "party.kind", "no decision changes what a party is")
        before.append(was)
        for party in found:
            party.display_name = each.display_name
            party.document.CopyFrom(each.document)
    return before


def _changed(case: str, party: str) -> FailedPrecondition:
    return reasons.case_party_changed(f"the {party} of {case} bears another name or document by now", party=party)
