"""What a reader may do next with a case: what is said is done, and what is not said is refused."""

from services.cases.core.next_steps import acts
from services.cases.core.states import CaseAction
from tests.service.cases.conftest import Town
from tongban.cases.v1 import resources_pb2 as pb

_BY_ITSELF = {"DEEM_ACCEPTED", "FULFILL_OBLIGATION", "LICENSE_FAILED", "DELIVER"}


async def allowed(town: Town, case: pb.Case, token: str) -> set[str]:
    """What a reader is told."""
    found = (await town.get(case.name, token)).allowed_actions
    return {pb.CaseAction.Name(each).removeprefix("CASE_ACTION_") for each in found}


def test_every_action_but_what_the_service_does_by_itself_is_an_rpc() -> None:
    assert {action.value for action in CaseAction} - {action.value for action in acts()} == _BY_ITSELF


async def test_a_case_tells_each_reader_what_they_may_do_now(town: Town) -> None:
    """The same rules decide: duties, sides and states, in each step of its life."""
    case = await town.create(await town.item())
    assert await allowed(town, case, town.person) == {"UPDATE", "DELETE", "SUBMIT", "WITHDRAW"}
    await town.step("Submit", case)
    assert await allowed(town, case, town.person) == {"WITHDRAW"}
    waiting = {"REQUEST_CORRECTION", "ACCEPT", "ACCEPT_WITH_TOLERANCE", "DECLINE", "TERMINATE", "WITHDRAW"}
    assert await allowed(town, case, town.clerk) == waiting
    await town.step("Accept", case)
    assert "START_REVIEW" not in await allowed(town, case, town.clerk)  # who accepted does not review (受审分离)
    assert "START_REVIEW" in await allowed(town, case, town.reviewer)
    await town.step("StartReview", case)
    assert {"DECIDE", "SUSPEND", "EXTEND"} <= await allowed(town, case, town.decider)
    assert "DECIDE" not in await allowed(town, case, town.clerk)
    await town.step("Decide", case, outcome=pb.OUTCOME_APPROVED)
    assert await allowed(town, case, town.decider) == {"CLOSE"}
    await town.step("Close", case)
    assert await allowed(town, case, town.decider) == set()
