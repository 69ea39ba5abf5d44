"""Who sees what: reads, lists, tasks, and their records."""

import pytest
from sqlalchemy import text

from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from tests.service.cases.conftest import (
    AGENT,
    CLERK,
    DEPARTMENT,
    FIRM,
    LICENSE_TYPE,
    OTHER_DEPARTMENT,
    PERSON,
    Town,
    agent,
    applicant,
    context,
    firm,
    request_id,
)
from tests.service.cases.test_life import paper
from tests.support import sql
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1 import task_service_pb2 as tasks
from tongban.license.v1 import events_pb2 as license_events


async def _names(town: Town, token: str, **more: object) -> list[str]:
    request = rpc.ListCasesRequest(**more)  # type: ignore[arg-type]
    answer = await town.call(town.cases.ListCases, request, rpc.ListCasesResponse, token)
    return [case.name for case in answer.cases]


ID = "00000000-0000-7000-8000-0000000000f9"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"purpose_code": "COMPLAINT_HANDLING", "consent": f"consents/{ID}"}, ("use_context.consent", "basis.kind")),
        ({"item": f"serviceItems/{ID}"}, ("use_context.item", "purpose.carried")),
        ({"service_item": f"serviceItems/{ID}"}, ("use_context.service_item", "context.case")),
        ({"purpose_code": "MY_PURPOSE"}, ("use_context.purpose_code", "purpose.known")),
    ],
)
async def test_what_a_reader_says_of_a_case_is_so_also_where_nobody_asks(
    town: Town, said: dict[str, str], told: tuple[str, str]
) -> None:
    """It goes into the log, which holds nothing that its caller invented."""
    case = await town.create(await town.item())
    asked = context(**said)
    for token in (town.person, town.clerk, town.stranger_clerk):
        with pytest.raises(InvalidArgument) as error:
            await town.get(case.name, token, use_context=asked)
        assert told in [(each.field, each.rule) for each in error.value.violations]
    own = context(purpose_code="CASE_HANDLING", service_item=case.item, law="《行政许可法》")
    assert (await town.get(case.name, town.clerk, use_context=own)).name == case.name


async def test_parties_and_department_read_others_say_why(town: Town) -> None:
    case = await town.create(await town.item())
    for token in (town.person, town.clerk):
        assert (await town.get(case.name, token)).applicant.display_name == "测试甲"
    with pytest.raises(NotFound):
        await town.get(case.name, town.stranger, use_context=context())
    for token in (town.stranger_clerk, town.system):
        with pytest.raises(InvalidArgument) as error:
            await town.get(case.name, token)
        assert error.value.violations[0].field == "use_context.purpose_code"
        assert (await town.get(case.name, token, use_context=context())).name == case.name
    with pytest.raises(InvalidArgument):
        await town.get(case.name, town.stranger_clerk, use_context=context(department=DEPARTMENT))
    async with town.service.process.database.read() as connection:
        found = await sql.execute(connection, text("SELECT convert_from(canonical, 'UTF8') AS c FROM audit_records"))
        assert sum("办件督办" in row.c for row in found) == 2


async def test_a_purpose_alone_opens_nothing(town: Town) -> None:
    case = await town.create(await town.item())
    number = (await town.step("Submit", case)).number
    stranger = "staff/00000000-0000-7000-8000-0000000000b9"
    staff = town.service.issuer.token(stranger, "STAFF", "cases.cases.get cases.cases.list", dept=OTHER_DEPARTMENT)
    machine = town.service.issuer.token("clients/another", "CLIENT", "cases.cases.get cases.cases.list")
    lookup = rpc.LookupCaseByNumberRequest(number=number, use_context=context())
    history = rpc.ListCaseHistoryRequest(parent=case.name, use_context=context())
    clock = rpc.GetClockRequest(name=f"{case.name}/clock", use_context=context())
    for token in (staff, machine):
        for call in (
            town.get(case.name, token, use_context=context()),
            town.call(town.cases.LookupCaseByNumber, lookup, pb.Case, token),
            town.call(town.cases.ListCaseHistory, history, rpc.ListCaseHistoryResponse, token),
            town.call(town.cases.GetClock, clock, pb.Clock, token),
            _names(town, token, department=DEPARTMENT, use_context=context()),
        ):
            with pytest.raises(PermissionDenied) as refused:
                await call
            assert refused.value.metadata == {"permission": "audit.auditRecords.list"}
    supervisor = "cases.cases.get audit.auditRecords.list"
    allowed = town.service.issuer.token(stranger, "STAFF", supervisor, dept=OTHER_DEPARTMENT)
    assert (await town.get(case.name, allowed, use_context=context())).name == case.name


async def test_personal_data_is_not_readable_in_the_database(town: Town) -> None:
    item = await town.item()
    case = await town.create(item, title="秘密的标题")
    await town.step("Submit", case)
    await town.step("Decline", case, reason="秘密的原因")
    async with town.service.process.database.read() as connection:
        for table in ("cases", "case_history"):
            rows = await sql.execute(connection, text(f"SELECT t::text AS row FROM {table} t"))
            for row in rows:
                assert not any(word in row.row for word in ("测试甲", "秘密", applicant().document.number))
                assert "秘密".encode().hex() not in row.row


async def test_persons_list_their_own_and_their_firms_cases(town: Town) -> None:
    item = await town.item()
    own = await town.create(item)
    sent = await town.create(item, town.agent, applicant=firm(), agent=agent())
    assert await _names(town, town.person) == [own.name]
    assert await _names(town, town.agent) == [sent.name]
    assert await _names(town, town.service.issuer.token(AGENT, "PERSON")) == [sent.name]
    both = town.service.issuer.token(PERSON, "PERSON", org=FIRM)
    assert await _names(town, both) == [sent.name, own.name]
    assert await _names(town, both, filter=f"applicant.subject = {FIRM}") == [sent.name]
    assert await _names(town, both, filter=f"applicant.subject = {PERSON} OR agent.subject = {AGENT}") == [
        sent.name,
        own.name,
    ]
    # A filter narrows what the caller may see, and widens it never.
    for narrowing in (
        f"applicant.subject = {PERSON}",
        f"NOT applicant.subject = {AGENT}",
        "create_time > 2000-01-01T00:00:00Z",
    ):
        assert await _names(town, town.stranger, filter=narrowing) == []


async def test_staff_list_their_department_page_by_page(town: Town) -> None:
    item = await town.item()
    made = [(await town.create(item)).name for _ in range(7)]
    request = rpc.ListCasesRequest(page_size=3)
    seen: list[str] = []
    while True:
        page = await town.call(town.cases.ListCases, request, rpc.ListCasesResponse, town.clerk)
        assert not any(case.materials for case in page.cases)
        seen += [case.name for case in page.cases]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert seen == made[::-1]
    assert await _names(town, town.stranger_clerk) == []
    with pytest.raises(InvalidArgument):
        await _names(town, town.stranger_clerk, department=DEPARTMENT)
    assert len(await _names(town, town.stranger_clerk, department=DEPARTMENT, use_context=context())) == 7
    assert await _names(town, town.clerk, filter="state = CASE_STATE_SUBMITTED") == []
    assert await _names(town, town.clerk, filter="state = CASE_STATE_DRAFT", order_by="create_time") == made
    with pytest.raises(InvalidArgument) as unknown:
        await _names(town, town.clerk, filter="state = CASE_STATE_DRAFT AND title = x")
    assert [(each.field, each.rule) for each in unknown.value.violations] == [("filter", "filter.field")]
    with pytest.raises(InvalidArgument) as token:
        await _names(town, town.clerk, page_token="x" * 8)
    assert token.value.reason == "PAGE_TOKEN_INVALID"


async def test_history_and_clock_follow_the_case(town: Town) -> None:
    case = await town.create(await town.item())
    clock = await town.clock_of(case)
    assert clock.phase == pb.CLOCK_PHASE_NOT_STARTED
    await town.step("Submit", case)
    await town.step("Decline", case, reason="不属于本部门")
    request = rpc.ListCaseHistoryRequest(parent=case.name, page_size=2)
    first = await town.call(town.cases.ListCaseHistory, request, rpc.ListCaseHistoryResponse, town.person)
    request.page_token = first.next_page_token
    rest = await town.call(town.cases.ListCaseHistory, request, rpc.ListCaseHistoryResponse, town.person)
    assert [entry.sequence for entry in (*first.entries, *rest.entries)] == [1, 2, 3]
    assert (rest.entries[0].note, rest.entries[0].actor) == ("不属于本部门", CLERK)
    with pytest.raises(NotFound):
        await town.call(town.cases.ListCaseHistory, request, rpc.ListCaseHistoryResponse, town.stranger)


async def test_tasks_follow_the_case_and_are_taken_once(town: Town) -> None:
    case = await town.create(await town.item())
    await town.step("Submit", case, town.clerk)

    async def open_tasks(token: str) -> list[tasks.CaseTask]:
        answer = await town.call(
            town.tasks.ListCaseTasks, tasks.ListCaseTasksRequest(), tasks.ListCaseTasksResponse, token
        )
        return list(answer.case_tasks)

    async def claim(task: tasks.CaseTask, token: str) -> tasks.CaseTask:
        request = tasks.ClaimCaseTaskRequest(name=task.name, request_id=request_id())
        return await town.call(town.tasks.ClaimCaseTask, request, tasks.CaseTask, token)

    (accept,) = await open_tasks(town.clerk)
    assert (accept.kind, accept.case, accept.due_date.day) == (tasks.TASK_KIND_ACCEPT, case.name, 11)
    assert await open_tasks(town.stranger_clerk) == []
    with pytest.raises(PermissionDenied):
        await claim(accept, town.stranger_clerk)
    assert (await claim(accept, town.clerk)).assignee == CLERK
    with pytest.raises(FailedPrecondition) as taken:
        await claim(accept, town.reviewer)
    assert taken.value.reason == "TASK_TAKEN"
    await town.step("Accept", case)
    (review,) = await open_tasks(town.clerk)
    assert review.kind == tasks.TASK_KIND_REVIEW
    with pytest.raises(PermissionDenied) as separated:
        await claim(review, town.clerk)
    assert separated.value.reason == "CASE_DUTIES_NOT_SEPARATED"
    await town.step("StartReview", case)
    await town.step("Terminate", case, reason="撤件")
    assert await open_tasks(town.clerk) == []
    ended = tasks.ListCaseTasksRequest(show_ended=True, filter="kind = TASK_KIND_REVIEW AND end_time:*")
    found = await town.call(town.tasks.ListCaseTasks, ended, tasks.ListCaseTasksResponse, town.clerk)
    assert [task.name for task in found.case_tasks] == [review.name]
    with pytest.raises(InvalidArgument) as whose:
        await town.call(
            town.tasks.ListCaseTasks, tasks.ListCaseTasksRequest(), tasks.ListCaseTasksResponse, town.system
        )
    assert whose.value.violations[0].field == "department"


async def test_materials_are_checked_before_acceptance(town: Town) -> None:
    rules = [
        item_service_pb2.MaterialRule(
            code="M1", display_name="营业执照", required=True, license_type_codes=["91340000MA001"]
        ),
        item_service_pb2.MaterialRule(code="M2", display_name="平面图", required=True),
        item_service_pb2.MaterialRule(code="M3", display_name="申请表", required=True),
    ]
    item = await town.item(materials=rules)
    shown = "//320402/presentations/00000000-0000-7000-8000-000000000001"
    plan = "materials/00000000-0000-7000-8000-000000000002"
    license_digest = town.known.add_license(shown, b"licence", type_code="91340000MA002")
    plan_digest = town.known.add_file(plan, b"plan", PERSON)
    case = await town.create(item)
    references = [
        pb.MaterialReference(code="M1", presentation=shown, digest=license_digest),
        pb.MaterialReference(code="M2", material=plan, digest=plan_digest),
        paper("M3"),
    ]
    await town.step("Submit", case, town.clerk, materials=references)
    with pytest.raises(FailedPrecondition) as error:
        await town.step("Accept", case)
    assert (error.value.reason, error.value.metadata) == ("CASE_MATERIAL_UNVERIFIED", {"materials": "M1"})
    checks = [each.check for each in (await town.get(case.name)).materials]
    assert checks == [pb.MATERIAL_CHECK_REFUSED, pb.MATERIAL_CHECK_VERIFIED, pb.MATERIAL_CHECK_SEEN]
    town.known.presented[shown][0].type_code = "91340000MA001"
    accepted = await town.step("Accept", case)
    assert accepted.materials[0].check == pb.MATERIAL_CHECK_VERIFIED
    assert accepted.materials[0].license_identifier == "1.2.156.3005.2.X"
    assert accepted.materials[0].receipt.record == "license/auditRecords/1"
    assert accepted.materials[0].receipt.hash_salt == b""
    assert {used.case for used in town.known.contexts} == {case.name}
    assert {used.department for used in town.known.contexts} == {DEPARTMENT}


async def test_a_file_of_somebody_else_is_refused(town: Town) -> None:
    item = await town.item(materials=[item_service_pb2.MaterialRule(code="M1", display_name="合同", required=True)])
    foreign = "//320402/materials/00000000-0000-7000-8000-000000000002"
    digest = town.known.add_file(foreign, b"contract", "persons/00000000-0000-7000-8000-0000000000ff")
    case = await town.create(item, materials=[pb.MaterialReference(code="M1", material=foreign, digest=digest)])
    await town.step("Submit", case)
    with pytest.raises(FailedPrecondition):
        await town.step("Accept", case)
    town.known.files[foreign][0].case = f"//341500/{case.name}"
    material, _ = town.known.files[foreign]
    town.known.files[foreign] = (material, b"changed")
    with pytest.raises(FailedPrecondition):
        await town.step("Accept", case)
    town.known.files[foreign] = (material, b"contract")
    assert (await town.step("Accept", case)).state == pb.CASE_STATE_ACCEPTED
    assert OTHER_DEPARTMENT not in {used.department for used in town.known.contexts}


async def test_cases_are_found_by_what_they_yielded(town: Town) -> None:
    """A row keeps one licence; the contract a list of results: ``:`` asks whether it holds one."""
    item = await town.item(license_type=LICENSE_TYPE)
    yielding, other = [await town.create(item) for _ in range(2)]
    await town.review(yielding)
    await town.step("Decide", yielding, outcome=pb.OUTCOME_APPROVED)
    issued = license_events.LicenseIssued(license="licenses/1", identifier="1.2.156", case=yielding.name)
    await town.told("cn.tongban.license.license.issued.v1", issued)
    result = pb.CaseResult(license="licenses/1", license_identifier="1.2.156")
    assert list((await town.get(yielding.name)).results) == [result]
    for held in ("results.license:licenses/1", "results.license_identifier:1.2.156", "results.license:*"):
        assert await _names(town, town.person, filter=held) == [yielding.name], held
        assert await _names(town, town.person, filter=f"NOT {held}") == [other.name], held
    assert await _names(town, town.person, filter="results.license:licenses/2") == []
