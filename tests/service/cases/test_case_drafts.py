"""Drafts of cases: changed, thrown away, tried; and what the contract says of each."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty

from libs.process import Process
from services.cases.core.steps import case_history
from tests.service.cases.conftest import AGENT, STRANGER, Town, agent, firm, request_id
from tests.support import drafts, sql
from tests.support.drafts import Drafts
from tests.support.recorded import records_of
from tests.support.values import messages, text_type
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2

FORM = [item_service_pb2.FormField(key="address", display_name="地址", required=True, type=text_type())]
LEASE = item_service_pb2.MaterialRule(code="M2", display_name="租赁合同")
PLAN = item_service_pb2.MaterialRule(code="M1", display_name="平面图")
CHOSEN = "0190a5b0-0000-7000-8000-0000000000c7"
DIGEST = "sm3:" + "0" * 64


def file(code: str, number: int = 1) -> pb.MaterialReference:
    return pb.MaterialReference(code=code, material=f"materials/00000000-0000-7000-8000-{number:012x}", digest=DIGEST)


def paper(code: str) -> pb.MaterialReference:
    return pb.MaterialReference(code=code, paper=pb.PaperMaterial(originals=1))


def given(*references: pb.MaterialReference) -> list[pb.CaseMaterial]:
    return [pb.CaseMaterial(reference=each) for each in references]


@pytest_asyncio.fixture
async def item(town: Town) -> item_service_pb2.ServiceItem:
    return await town.item(materials=[LEASE, PLAN])


@pytest_asyncio.fixture
async def cases(town: Town, item: item_service_pb2.ServiceItem) -> Drafts:
    """Cases of a person, as the person keeps them."""

    async def call(request: Any, token: str = "") -> Any:
        name = type(request).__name__.removesuffix("Request")
        answer = Empty if name.startswith("Delete") else pb.Case
        return await town.call(getattr(town.cases, name), request, answer, token or town.person)

    async def read(name: str, token: str = "") -> Any:
        found = await call(rpc.GetCaseRequest(name=name), token)
        found.ClearField("allowed_actions")  # who reads hears it; an answer to a change says none
        return found

    async def submit(draft: Any) -> Any:
        return await town.step("Submit", draft)

    titles = iter(f"第{n}件" for n in range(100))

    def create() -> rpc.CreateCaseRequest:
        request = town.draft(item, title=next(titles))
        request.ClearField("request_id")
        return request

    return Drafts(
        process=town.service.process,
        call=call,
        create=create,
        update=rpc.UpdateCaseRequest,
        delete=rpc.DeleteCaseRequest,
        read=read,
        publish=submit,
        change=("title", "新标题"),
        broken=("title", "长" * 201),
        output=("number", "9"),
        immutable=("item", f"serviceItems/{CHOSEN}"),
    )


@pytest.mark.parametrize("rule", drafts.RULES)
async def test_cases_keep_the_rules_of_drafts(rule: Callable[[Drafts], Awaitable[None]], cases: Drafts) -> None:
    await rule(cases)


async def test_materials_and_form_are_changed_as_a_whole_and_what_stays_keeps_its_check(
    town: Town, cases: Drafts
) -> None:
    """What was handed in before is not handed in again; paper that a window saw needs no window to stay."""
    form = await town.item(materials=[LEASE, PLAN], form_fields=FORM, task_code="11341500MB1234567X4123456789020")
    address = messages(address="示例路1号")
    window = {"applicant": firm(), "agent": agent(), "materials": [paper("M2"), file("M1")], "form_values": address}
    draft = await town.create(form, town.window, **window)
    changed = drafts.put(draft, "materials", given(paper("M2"), file("M1", 2)))
    after = await cases.call(cases.updating(changed, "materials"), town.agent)
    before, now = list(draft.materials), list(after.materials)
    assert now[0] == before[0] and now[0].check == pb.MATERIAL_CHECK_SEEN
    assert [(each.reference, each.check) for each in now[1:]] == [(file("M1", 2), pb.MATERIAL_CHECK_PENDING)]
    assert after.form_values == draft.form_values
    empty = pb.Case(name=draft.name, etag=after.etag)
    emptied = await cases.call(cases.updating(empty, "form_values", "materials"), town.agent)
    assert (len(emptied.form_values), len(emptied.materials), emptied.title) == (0, 0, draft.title)


async def test_a_draft_is_held_to_what_its_item_asks_for(town: Town, cases: Drafts) -> None:
    draft = await cases.made()
    for materials, reason in (
        ([file("M9")], "CASE_MATERIAL_UNKNOWN"),
        ([file("M1"), file("M1", 2)], "CASE_MATERIAL_UNKNOWN"),
        ([paper("M1")], "FIELD_INVALID"),
    ):
        wrong = drafts.put(draft, "materials", given(*materials))
        assert await drafts.refused(cases.call(cases.updating(wrong, "materials"))) == reason
    filled = pb.Case(name=draft.name, etag=draft.etag)
    filled.form_values["nothing"].string_value = "x"
    assert await drafts.refused(cases.call(cases.updating(filled, "form_values"))) == "FIELD_INVALID"


async def test_who_the_parties_are_stays_and_what_is_said_of_them_is_compared(town: Town, cases: Drafts) -> None:
    draft = await cases.made()
    for path, value in (
        ("applicant.subject", STRANGER),
        ("applicant.kind", party_pb2.PARTY_KIND_ENTERPRISE),
        ("agent", agent()),
    ):
        wrong = drafts.put(draft, path, value)
        told = await drafts.rules_of(cases.call(cases.updating(wrong, path)))
        assert told[0][1] == "update_mask.immutable" and told[0][0].startswith(f"case.{path}")
    renamed = drafts.put(draft, "applicant.display_name", "别人")
    assert await drafts.rules_of(cases.call(cases.updating(renamed, "applicant.display_name"))) == [
        ("case.applicant", "identity.account")
    ]
    called = drafts.put(draft, "applicant.phone", "10000000009")
    assert (await cases.call(cases.updating(called, "applicant.phone"))).applicant.phone == "10000000009"


async def test_others_do_not_find_a_draft_and_staff_hear_whose_it_is(town: Town, cases: Drafts) -> None:
    draft = await cases.made()
    for request in (cases.updating(draft, "title"), cases.deleting(draft)):
        assert await drafts.refused(cases.call(request, town.stranger)) == "RESOURCE_NOT_FOUND"
        assert await drafts.refused(cases.call(request, town.stranger_clerk)) == "NOT_OWNER"
    item = await town.item(task_code="11341500MB1234567X4123456789021")
    firms = await town.create(item, town.agent, applicant=firm(), agent=agent())
    mine = town.service.issuer.token(
        "staff/00000000-0000-7000-8000-0000000000e7", "STAFF", dept=firms.department, human=AGENT
    )
    for request in (cases.updating(firms, "title"), cases.deleting(firms)):
        assert await drafts.refused(cases.call(request, mine)) == "ACTING_ON_SELF"


async def test_a_draft_that_is_gone_leaves_its_history_and_its_id_does_not_come_back(
    town: Town, cases: Drafts, item: Any
) -> None:
    draft = await town.create(item, case_id=CHOSEN)
    titled = await cases.call(cases.updating(drafts.put(draft, "title", "新"), "title"))
    await cases.call(cases.deleting(titled))
    assert await drafts.refused(town.create(item, case_id=CHOSEN)) == "RESOURCE_EXISTS"
    assert await _steps(town.service.process) == ["CREATE", "UPDATE", "DELETE"]
    told = [kind for kind, _ in await town.events() if ".case." in kind]
    assert told == [f"cn.tongban.cases.case.{verb}.v1" for verb in ("created", "updated", "deleted")]
    (record,) = await records_of(town.service.process, "DeleteCase")
    assert (record.object, record.result) == (draft.name, "OK")
    for read in (rpc.GetClockRequest(name=f"{draft.name}/clock"), rpc.ListCaseHistoryRequest(parent=draft.name)):
        name = type(read).__name__.removesuffix("Request")
        answer = pb.Clock if name == "GetClock" else rpc.ListCaseHistoryResponse
        assert (
            await drafts.refused(town.call(getattr(town.cases, name), read, answer, town.person))
            == "RESOURCE_NOT_FOUND"
        )


async def _steps(process: Process) -> list[str]:
    async with process.database.read() as connection:
        return await sql.scalars(connection, sa.select(case_history.c.action).order_by(case_history.c.sequence))


async def test_to_submit_can_be_tried_and_uses_up_no_number(town: Town, cases: Drafts) -> None:
    draft = await cases.made()
    before = await drafts.everything(town.service.process)
    tried = [await town.step("Submit", draft, validate_only=True) for _ in range(2)]
    assert {(each.state, each.number[-6:]) for each in tried} == {(pb.CASE_STATE_SUBMITTED, "000001")}
    assert await drafts.everything(town.service.process) == before
    submitted = await town.step("Submit", draft)
    assert submitted.number == tried[0].number
    again = rpc.SubmitCaseRequest(name=draft.name, request_id=request_id(), validate_only=True)
    assert await drafts.refused(cases.call(again)) == "STATE_CONFLICT"


async def test_a_clerk_who_tries_is_on_record_as_having_seen(town: Town, item: Any) -> None:
    """The answer tells of the applicant: what tells staff of people goes into the log, done or not."""
    draft = await town.create(item)
    await town.step("Submit", draft, town.clerk, validate_only=True)
    (record,) = await records_of(town.service.process, "SubmitCase")
    assert (record.result, record.object) == ("VALIDATED", draft.name)
