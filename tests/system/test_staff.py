"""Staff through the gateway of a region with two replicas of everything: a tree of departments, posts with roles, duties in separate hands."""

import asyncio
import uuid
from datetime import date, timedelta
from typing import Any

import pytest

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import LONG_AGO, Office
from deploy.local.demo.people import RegisteredPerson, Registry
from libs.client import AsyncTongban
from libs.rpc.messages import date_message
from tests.support.at_gateway import resident, staff
from tests.support.case_runs import application, approval
from tests.support.patience import PATIENCE
from tests.support.regions import OPENING, PLAIN, Regions
from tests.support.town import reason_of
from tongban.cases.v1 import case_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_TODAY = date(2023, 12, 15)
"""The day in China that the region's business clock shows."""
_TAKE_IN, _SUBMIT = "cases.cases.create", "cases.cases.submit"


class _Personnel:
    """Whoever enters posts and staff of an office: an administrator's client; a security officer gives the posts."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def _admin(self) -> AsyncTongban:
        return self.office.gateway.using(await self.office.admin_token())

    async def department(self, title: str, parent: str) -> resources_pb2.Department:
        """Makes a department below another one."""
        draft = resources_pb2.Department(
            display_name=title, uscc=self.office.uscc, region_code=self.office.gateway.code, parent=parent
        )
        return await (await self._admin()).identity.create_department(department=draft)

    async def role(self, *permissions: str) -> resources_pb2.Role:
        """Makes a role."""
        draft = resources_pb2.Role(display_name=f"角色{uuid.uuid4()}", permissions=permissions)
        request = pb.CreateRoleRequest(role=draft, request_id=request_id())
        return await (await self._admin()).call(request, resources_pb2.Role)

    async def narrow(self, role: resources_pb2.Role, *taken: str) -> resources_pb2.Role:
        """Takes permissions from a role."""
        request = pb.NarrowRoleRequest(name=role.name, permissions=taken, etag=role.etag, request_id=request_id())
        return await (await self._admin()).call(request, resources_pb2.Role)

    async def post(self, duties: "list[resources_pb2.Duty.ValueType]", *roles: str) -> str:
        """Makes a post."""
        draft = resources_pb2.Post(display_name=f"岗位{uuid.uuid4()}", duties=duties, roles=roles)
        made = await (await self._admin()).identity.create_post(parent=self.office.department, post=draft)
        return made.name

    async def member(self, person: RegisteredPerson, *posts: str) -> str:
        """Enters a member of staff with posts."""
        draft = resources_pb2.Staff(
            staff_number=uuid.uuid4().hex[:12], department=self.office.department, person=person.name
        )
        made = await (await self._admin()).identity.create_staff(staff=draft)
        for post in posts:
            await self.assign(made.name, post)
        return made.name

    async def assign(self, member: str, post: str) -> resources_pb2.Staff:
        """Gives a member of staff a post."""
        request = pb.AssignStaffRequest(name=member, post=post, request_id=request_id())
        request.start_time.FromDatetime(LONG_AGO.replace(tzinfo=None))
        return await (await staff(self.office, "security")).call(request, resources_pb2.Staff)

    async def take(self, member: str, post: str) -> resources_pb2.Staff:
        """Takes a post away."""
        request = pb.UnassignStaffRequest(name=member, post=post, request_id=request_id())
        return await (await staff(self.office, "security")).call(request, resources_pb2.Staff)

    def at_work(self, member: str) -> AsyncTongban:
        """The region as a member of staff who has just signed in."""
        channel = self.office.gateway.region.as_client(self.office.channel)
        return channel.asserting(member, "STAFF", acr="4")


async def test_departments_are_a_tree_and_read_as_they_were_written(regions: Regions) -> None:
    office = regions.handling
    personnel = _Personnel(office)
    hall = await personnel.department("政务服务中心", office.department)
    window = await personnel.department("不动产登记窗口", hall.name)
    admin = office.gateway.using(await office.admin_token())
    for _ in range(4):  # whichever replica answers, it says what was just written
        assert (await admin.identity.get_department(name=window.name)).parent == hall.name
    ring = pb.MoveDepartmentRequest(name=hall.name, parent=window.name, etag=hall.etag, request_id=request_id())
    assert await reason_of(admin.call(ring, resources_pb2.Department)) == "FIELD_INVALID"
    full = pb.CloseDepartmentRequest(name=hall.name, etag=hall.etag, request_id=request_id())
    assert await reason_of(admin.call(full, resources_pb2.Department)) == "DEPARTMENT_IN_USE"
    move = pb.MoveDepartmentRequest(
        name=window.name, parent=office.department, etag=window.etag, request_id=request_id()
    )
    assert (await admin.call(move, resources_pb2.Department)).parent == office.department
    assert (await admin.call(full, resources_pb2.Department)).state == resources_pb2.DEPARTMENT_STATE_CLOSED


async def _refused_everywhere(caller: AsyncTongban, request: Any) -> str:
    """Waits until each replica refuses what one asked before; returns why."""
    in_a_row, reason = 0, ""
    async with asyncio.timeout(PATIENCE):
        while in_a_row < 4:
            try:
                await caller.call(request, cases.Case)
                in_a_row = 0
            except Exception as error:  # noqa: BLE001 - its reason is looked at
                reason, in_a_row = str(getattr(error, "reason", error)), in_a_row + 1
    return reason


async def test_a_post_gives_what_its_role_names_and_what_is_taken_is_gone_from_running_tokens(
    regions: Regions,
) -> None:
    office = regions.handling
    personnel, registry = _Personnel(office), Registry(office, 631)
    firm = await registry.firm(await registry.person())
    role = await personnel.role(_TAKE_IN, _SUBMIT)
    post = await personnel.post([resources_pb2.DUTY_RECEIVING], role.name)
    member = await personnel.member(await registry.person(), post)
    running = office.gateway.using(await personnel.at_work(member).token())
    made = await running.call(application(office, PLAIN, firm), cases.Case)
    submit = case_service_pb2.SubmitCaseRequest(name=made.name, request_id=request_id())
    submitted = await running.call(submit, cases.Case)
    accept = case_service_pb2.AcceptCaseRequest(name=made.name, etag=submitted.etag, request_id=request_id())
    assert await reason_of(running.call(accept, cases.Case)) == "PERMISSION_MISSING"  # the duty's, and not the role's
    narrowed = await personnel.narrow(role, _SUBMIT)
    assert list(narrowed.permissions) == [_TAKE_IN]
    assert await _refused_everywhere(running, submit) == "TOKEN_INVALID"
    wider = personnel.post([resources_pb2.DUTY_REVIEWING], role.name)
    assert await reason_of(wider) == "FIELD_INVALID"  # a role adds nothing to a duty


async def test_receiving_and_deciding_lie_in_separate_hands_at_each_time_and_in_each_case(regions: Regions) -> None:
    office = regions.handling
    personnel, registry = _Personnel(office), Registry(office, 632)
    receiving = await personnel.post([resources_pb2.DUTY_RECEIVING])
    deciding = await personnel.post([resources_pb2.DUTY_DECIDING])
    both = [resources_pb2.DUTY_RECEIVING, resources_pb2.DUTY_DECIDING]
    assert await reason_of(personnel.post(both)) == "DUTIES_CONFLICT"
    person = await registry.person()
    member = await personnel.member(person, receiving)
    assert await reason_of(personnel.assign(member, deciding)) == "DUTIES_CONFLICT"
    # Who took a case in does not decide it, in whatever post they sit by then.
    firm = await registry.firm(await registry.person())
    clerk = personnel.at_work(member)
    made = await clerk.call(application(office, PLAIN, firm), cases.Case)
    submit = case_service_pb2.SubmitCaseRequest(name=made.name, request_id=request_id())
    submitted = await clerk.call(submit, cases.Case)
    accept = case_service_pb2.AcceptCaseRequest(name=made.name, etag=submitted.etag, request_id=request_id())
    await clerk.call(accept, cases.Case)
    review = case_service_pb2.StartReviewRequest(name=made.name, request_id=request_id())
    reviewed = await (await staff(office, "reviewing")).call(review, cases.Case)
    await personnel.take(member, receiving)
    await personnel.assign(member, deciding)
    moved = personnel.at_work(member)
    assert await reason_of(moved.call(approval(reviewed), cases.Case)) == "CASE_DUTIES_NOT_SEPARATED"
    decided = await (await staff(office, "deciding")).call(approval(reviewed), cases.Case)
    assert decided.state == cases.CASE_STATE_DECIDED


async def test_nobody_decides_what_they_applied_for(regions: Regions) -> None:
    office = regions.handling
    personnel, registry = _Personnel(office), Registry(office, 633)
    deciding = await personnel.post([resources_pb2.DUTY_DECIDING])
    person = await registry.person()
    firm = await registry.firm(person)
    member = await personnel.member(person, deciding)
    clerk = await staff(office, "receiving")
    made = await clerk.call(application(office, PLAIN, firm), cases.Case)
    submit = case_service_pb2.SubmitCaseRequest(name=made.name, request_id=request_id())
    submitted = await clerk.call(submit, cases.Case)
    accept = case_service_pb2.AcceptCaseRequest(name=made.name, etag=submitted.etag, request_id=request_id())
    await clerk.call(accept, cases.Case)
    review = case_service_pb2.StartReviewRequest(name=made.name, request_id=request_id())
    reviewed = await (await staff(office, "reviewing")).call(review, cases.Case)
    assert await reason_of(personnel.at_work(member).call(approval(reviewed), cases.Case)) == "ACTING_ON_SELF"


async def test_whose_certificate_is_over_serves_nobody_at_a_window(regions: Regions) -> None:
    office = regions.handling
    personnel, registry = _Personnel(office), Registry(office, 634)
    post = await personnel.post([resources_pb2.DUTY_RECEIVING])
    member = await personnel.member(await registry.person(), post)
    visitor = resident(office, (await registry.person()).name)
    await visitor.at_window_of(personnel.at_work(member)).token()
    certificate = resources_pb2.StaffCertification(number="SG-2023-001", expire_date=date_message(_TODAY))
    admin = await staff(office, "administration")
    read = await admin.identity.get_staff(name=member)
    certify = pb.CertifyStaffRequest(name=member, certification=certificate, etag=read.etag, request_id=request_id())
    await admin.call(certify, resources_pb2.Staff)
    await visitor.at_window_of(personnel.at_work(member)).token()  # through its last day
    try:
        regions.set_clock(OPENING + timedelta(days=1))
        for _ in range(4):
            at_window = visitor.at_window_of(personnel.at_work(member))
            assert await reason_of(at_window.token()) == "STAFF_NOT_CERTIFIED"
        await personnel.at_work(member).token()  # in office they go on
    finally:
        regions.set_clock(OPENING)
