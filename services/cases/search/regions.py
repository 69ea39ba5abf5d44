"""A person's own cases in several regions, as one list."""

from libs.access.actor import Actor
from libs.lists.of_regions import ListOfRegions
from services.cases.core.messages import keep_at_home
from services.cases.core.parts import Parts
from services.cases.search import store
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1.case_service_pb2_grpc import CaseServiceStub


def cases_of_regions(parts: Parts) -> ListOfRegions[pb.Case]:
    """Makes the list."""
    return ListOfRegions(
        home=parts.home,
        pages=parts.pages,
        regions=lambda: parts.regions.known,
        method=lambda to: CaseServiceStub(to).ListCases,
        answer=rpc.ListCasesResponse,
        row=pb.Case,
        rows="cases",
        listed=store.LISTED,
        beside=("department",),
        own=_own,
        shorten=_shorten,
    )


def _own(case: pb.Case, actor: Actor) -> bool:
    # Regions of 0.2.0 show who acts for one principal also the cases in which they are another's agent: left out afterwards.
    return case.applicant.subject in actor.speaks_for or case.agent.subject in actor.known_as(actor.person)


def _shorten(case: pb.Case) -> None:
    """Shows a case elsewhere as a list does, and as one with which nothing can be done here."""
    for name in ("allowed_actions", "materials", "form_values"):
        case.ClearField(name)
    keep_at_home(case)
