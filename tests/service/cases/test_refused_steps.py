"""What every step on a case is refused with: whoever's it is, whatever was read of it, wherever it stands."""

from typing import Any

from google.protobuf.empty_pb2 import Empty

from tests.service.cases.conftest import Town, request_id
from tests.service.cases.test_life import LEASE, PLAN, paper
from tests.support.refusing import OLD, asked, refused, steps
from tongban.cases.v1 import case_service_pb2, delivery_service_pb2, item_service_pb2, task_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

STEPS = steps("cases.v1.CaseService")


async def _step(town: Town, rpc: str, name: str, etag: str, token: str = "") -> str:
    request = asked(rpc, name, etag)
    answer: Any = Empty if rpc == "DeleteCase" else pb.Case
    verb = rpc.removesuffix("Case")
    return await refused(town.call(getattr(town.cases, rpc), request, answer, token or town._token(verb)))


async def test_no_step_is_taken_on_what_has_changed_since_it_was_read(town: Town) -> None:
    case = await town.closed(await town.item())
    assert {rpc: await _step(town, rpc, case.name, OLD) for rpc in STEPS} == dict.fromkeys(STEPS, "ETAG_MISMATCH")


async def test_no_step_is_taken_by_officials_of_another_department(town: Town) -> None:
    case = await town.create(await town.item())
    found = {rpc: await _step(town, rpc, case.name, case.etag, town.stranger_clerk) for rpc in STEPS}
    assert found == dict.fromkeys(STEPS, "NOT_OWNER")


async def test_no_step_is_taken_from_a_state_that_it_does_not_lead_from(town: Town) -> None:
    """A closed case can be delivered, and nothing else: from a draft nothing leads that staff do."""
    case = await town.closed(await town.item())
    found = {rpc: await _step(town, rpc, case.name, case.etag) for rpc in STEPS}
    assert found == dict.fromkeys(STEPS, "STATE_CONFLICT")


async def test_a_delivery_is_confirmed_once_by_who_has_to_do_with_it(town: Town) -> None:
    case = await town.closed(await town.item())
    wanted = delivery_service_pb2.CaseDelivery(case=case.name, method=pb.DELIVERY_METHOD_WINDOW)
    create = delivery_service_pb2.CreateCaseDeliveryRequest(case_delivery=wanted, request_id=request_id())
    made = await town.call(town.deliveries.CreateCaseDelivery, create, delivery_service_pb2.CaseDelivery, town.clerk)

    async def confirm(etag: str, token: str) -> str:
        request = asked("ConfirmCaseDelivery", made.name, etag)
        answer = delivery_service_pb2.CaseDelivery
        return await refused(town.call(town.deliveries.ConfirmCaseDelivery, request, answer, token))

    assert await confirm(OLD, town.clerk) == "ETAG_MISMATCH"
    assert await confirm(made.etag, town.stranger_clerk) == "NOT_OWNER"
    assert await confirm(made.etag, town.clerk) == ""
    assert await confirm("", town.clerk) == "STATE_CONFLICT"


async def test_an_item_is_published_once_as_it_was_read(town: Town) -> None:
    draft = await town.item(publish=False)

    async def publish(etag: str) -> str:
        request = asked("PublishServiceItem", draft.name, etag)
        return await refused(
            town.call(town.items.PublishServiceItem, request, item_service_pb2.ServiceItem, town.system)
        )

    assert [await publish(OLD), await publish(draft.etag)] == ["ETAG_MISMATCH", ""]
    get = item_service_pb2.GetServiceItemRequest(name=draft.name)
    published = await town.call(town.items.GetServiceItem, get, item_service_pb2.ServiceItem, town.system)
    assert await publish(published.etag) == "STATE_CONFLICT"


async def test_a_task_is_claimed_as_it_was_read_and_while_it_is_open(town: Town) -> None:
    case = await town.create(await town.item())
    await town.step("Submit", case)
    listing = task_service_pb2.ListCaseTasksRequest()
    listed = await town.call(town.tasks.ListCaseTasks, listing, task_service_pb2.ListCaseTasksResponse, town.clerk)
    (task,) = listed.case_tasks

    async def claim(etag: str) -> str:
        request = asked("ClaimCaseTask", task.name, etag)
        return await refused(town.call(town.tasks.ClaimCaseTask, request, task_service_pb2.CaseTask, town.clerk))

    assert await claim(OLD) == "ETAG_MISMATCH"
    await town.step("Accept", case)
    assert await claim("") == "STATE_CONFLICT"


async def test_no_step_takes_a_material_that_the_item_does_not_know(town: Town) -> None:
    """Handed in, asked for again, brought after that, or promised for later."""
    item, unknown = await town.item(materials=[PLAN, LEASE]), paper("M9")
    case = await town.create(item)
    assert await refused(town.step("Submit", case, town.clerk, materials=[unknown])) == "CASE_MATERIAL_UNKNOWN"
    await town.step("Submit", case, town.clerk, materials=[paper("M2")])
    owed = pb.ToleranceObligation(material_code="M9")
    owed.due_date.year, owed.due_date.month, owed.due_date.day = 2024, 3, 20
    promised = "materials/00000000-0000-7000-8000-000000000001"
    tolerated = town.step("AcceptCaseWithTolerance", case, obligations=[owed], commitment=promised)
    assert await refused(tolerated) == "CASE_MATERIAL_UNKNOWN"
    points = [pb.CorrectionPoint(material_code="M9", explanation="请补充")]
    assert await refused(town.step("RequestCorrection", case, points=points)) == "CASE_MATERIAL_UNKNOWN"
    points[0].material_code = "M1"
    await town.step("RequestCorrection", case, points=points)
    corrected = town.step("SubmitCorrection", case, town.clerk, materials=[unknown])
    assert await refused(corrected) == "CASE_MATERIAL_UNKNOWN"


async def test_a_history_is_paged_by_its_own_tokens(town: Town) -> None:
    case = await town.create(await town.item())
    request = case_service_pb2.ListCaseHistoryRequest(parent=case.name, page_token="AAAA")
    answer = case_service_pb2.ListCaseHistoryResponse
    assert await refused(town.call(town.cases.ListCaseHistory, request, answer, town.clerk)) == "PAGE_TOKEN_INVALID"
