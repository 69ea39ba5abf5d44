"""StaffService: departments, posts, and duties that lie in separate hands."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import TongbanError
from tests.support.town import Town, reason_of, request_id
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOWHERE = "00000000-0000-7000-8000-0000000000aa"


async def _department(home: Town, token: str, name: str, parent: str = "", uscc: str = "") -> resources_pb2.Department:
    department = resources_pb2.Department(
        display_name=name, uscc=uscc or home.people.uscc("11"), region_code="341500", parent=parent
    )
    request = pb.CreateDepartmentRequest(department=department, request_id=request_id())
    return await home.call(home.offices.CreateDepartment, request, resources_pb2.Department, token)


async def _unassign(home: Town, staff: str, post: str, token: str) -> resources_pb2.Staff:
    request = pb.UnassignStaffRequest(name=staff, post=post, request_id=request_id())
    return await home.call(home.offices.UnassignStaff, request, resources_pb2.Staff, token)


async def _get(home: Town, name: str, token: str) -> resources_pb2.Staff:
    return await home.call(home.offices.GetStaff, pb.GetStaffRequest(name=name), resources_pb2.Staff, token)


async def test_departments_have_units_and_names_of_their_own(home: Town) -> None:
    token = await home.admin_token()
    top = await _department(home, token, "民政局")
    unit = await _department(home, token, "社会组织科", top.name)
    assert await reason_of(_department(home, token, "民政局")) == "RESOURCE_EXISTS"
    assert await reason_of(_department(home, token, "社会组织科", top.name)) == "RESOURCE_EXISTS"
    assert await reason_of(_department(home, token, "某科", f"departments/{NOWHERE}")) == "RESOURCE_NOT_FOUND"
    assert await reason_of(_department(home, token, "某局", uscc="11100000000013338X")) == "FIELD_INVALID"
    request = pb.ListDepartmentsRequest(filter=f"parent = {top.name}")
    page = await home.call(home.offices.ListDepartments, request, pb.ListDepartmentsResponse, token)
    assert list(page.departments) == [unit]
    get = pb.GetDepartmentRequest(name=unit.name)
    person = await home.human_token(await home.person())
    assert await home.call(home.offices.GetDepartment, get, resources_pb2.Department, person) == unit


async def test_the_tree_of_departments_is_eight_levels_deep_at_most(home: Town) -> None:
    token, above = await home.admin_token(), ""
    for level in range(8):
        above = (await _department(home, token, f"第{level}级", above)).name
    assert await reason_of(_department(home, token, "第八级", above)) == "FIELD_INVALID"


async def test_lists_go_on_where_a_page_ended(home: Town) -> None:
    token = await home.admin_token()
    names = [f"分页部门{number}" for number in range(5)]
    for name in names:
        await _department(home, token, name)
    found: list[str] = []
    request = pb.ListDepartmentsRequest(page_size=2)
    while True:
        page = await home.call(home.offices.ListDepartments, request, pb.ListDepartmentsResponse, token)
        found += [department.display_name for department in page.departments]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert [name for name in found if name in names] == names
    assert len(found) == len(set(found))


async def test_a_post_bundles_no_duties_that_exclude_one_another(home: Town) -> None:
    token = await home.admin_token()
    both = [resources_pb2.DUTY_RECEIVING, resources_pb2.DUTY_DECIDING]
    assert await reason_of(home.make_post("全能岗", both, token)) == "DUTIES_CONFLICT"
    post = await home.make_post("审批岗", [resources_pb2.DUTY_REVIEWING, resources_pb2.DUTY_DECIDING], token)
    assert await reason_of(home.make_post("审批岗", [resources_pb2.DUTY_DATA], token)) == "RESOURCE_EXISTS"
    get = pb.GetPostRequest(name=post.name)
    assert await home.call(home.offices.GetPost, get, resources_pb2.Post, token) == post
    other = pb.GetPostRequest(name=f"departments/{NOWHERE}/posts/{post.name.rpartition('/')[2]}")
    assert await reason_of(home.call(home.offices.GetPost, other, resources_pb2.Post, token)) == "RESOURCE_NOT_FOUND"
    listed = await home.call(
        home.offices.ListPosts, pb.ListPostsRequest(parent=home.department), pb.ListPostsResponse, token
    )
    assert post in listed.posts
    deciding = pb.ListPostsRequest(parent=home.department, filter="duties:DUTY_DECIDING")
    listed = await home.call(home.offices.ListPosts, deciding, pb.ListPostsResponse, token)
    assert post in listed.posts
    assert all(resources_pb2.DUTY_DECIDING in each.duties for each in listed.posts)
    nowhere = pb.ListPostsRequest(parent=f"departments/{NOWHERE}")
    refused = home.call(home.offices.ListPosts, nowhere, pb.ListPostsResponse, token)
    assert await reason_of(refused) == "RESOURCE_NOT_FOUND"


async def _post(home: Town, department: str, duty: "resources_pb2.Duty.ValueType", token: str) -> str:
    request = pb.CreatePostRequest(
        parent=department, post=resources_pb2.Post(display_name="岗位", duties=[duty]), request_id=request_id()
    )
    return (await home.call(home.offices.CreatePost, request, resources_pb2.Post, token)).name


async def test_receiving_and_deciding_lie_in_separate_hands(home: Town) -> None:
    token = await home.admin_token()
    deciding = await home.make_post("决定岗", [resources_pb2.DUTY_DECIDING], token)
    member = await home.make_staff("S-1", token)
    held = await home.assign(member.name, home.posts["receiving"], token)
    assert [each.post for each in held.assignments] == [home.posts["receiving"]]
    assert held.etag != member.etag
    assert await reason_of(home.assign(member.name, deciding.name, token)) == "DUTIES_CONFLICT"
    assert await reason_of(home.assign(member.name, home.posts["receiving"], token)) == "RESOURCE_EXISTS"
    await _unassign(home, member.name, home.posts["receiving"], token)
    assert await reason_of(_unassign(home, member.name, home.posts["receiving"], token)) == "RESOURCE_NOT_FOUND"
    held = await home.assign(member.name, deciding.name, token)
    assert [each.post for each in held.assignments] == [deciding.name]


async def test_two_records_of_one_human_being_count_as_one(home: Town) -> None:
    token = await home.admin_token()
    person = await home.person()
    first = await home.make_staff("D-1", token, person)
    assert await reason_of(home.make_staff("D-2", token, person)) == "RESOURCE_EXISTS"
    other = await _department(home, token, "兼职局")
    deciding = await _post(home, other.name, resources_pb2.DUTY_DECIDING, token)
    member = resources_pb2.Staff(staff_number="D-2", department=other.name, person=person)
    entry = pb.CreateStaffRequest(staff=member, request_id=request_id())
    second = await home.call(home.offices.CreateStaff, entry, resources_pb2.Staff, token)
    results = await asyncio.gather(
        home.assign(first.name, home.posts["receiving"], token),
        home.assign(second.name, deciding, token),
        return_exceptions=True,
    )
    refused = [each for each in results if isinstance(each, TongbanError)]
    assert [each.reason for each in refused] == ["DUTIES_CONFLICT"]


async def test_posts_of_different_times_do_not_meet(home: Town) -> None:
    token = await home.admin_token()
    deciding = await home.make_post("轮岗决定岗", [resources_pb2.DUTY_DECIDING], token)
    member = await home.make_staff("R-1", token)
    change = datetime.now(UTC) + timedelta(days=30)
    first = pb.AssignStaffRequest(name=member.name, post=home.posts["receiving"], request_id=request_id())
    first.end_time.FromDatetime(change)
    await home.call(home.offices.AssignStaff, first, resources_pb2.Staff, token)
    then = pb.AssignStaffRequest(name=member.name, post=deciding.name, request_id=request_id())
    then.start_time.FromDatetime(change)
    held = await home.call(home.offices.AssignStaff, then, resources_pb2.Staff, token)
    assert len(held.assignments) == 2
    assert await home.call(home.offices.AssignStaff, then, resources_pb2.Staff, token) == held
    principal = await home.verifier().verify(await home.human_token(member.name))
    assert principal.posts == (home.posts["receiving"],)
    gone = await _unassign(home, member.name, deciding.name, token)
    assert [each.post for each in gone.assignments] == [home.posts["receiving"]]


async def test_nobody_assigns_posts_to_themselves_under_any_of_their_records(home: Town) -> None:
    own, token = await home.staff_token("administration"), await home.admin_token()
    refused = home.assign(home.staff["administration"], home.posts["administration"], own)
    assert await reason_of(refused) == "ACTING_ON_SELF"
    other = await _department(home, token, "另一管理局")
    human = (await _get(home, home.staff["administration"], token)).person
    entry = pb.CreateStaffRequest(
        staff=resources_pb2.Staff(staff_number="N-1", department=other.name, person=human), request_id=request_id()
    )
    second = await home.call(home.offices.CreateStaff, entry, resources_pb2.Staff, token)
    post = await _post(home, other.name, resources_pb2.DUTY_ADMINISTRATION, token)
    assert await reason_of(home.assign(second.name, post, own)) == "ACTING_ON_SELF"


async def test_staff_are_human_beings_whom_somebody_has_seen(home: Town) -> None:
    token = await home.admin_token()
    unseen = await home.person(verified=False)
    assert await reason_of(home.make_staff("U-1", token, unseen)) == "ASSURANCE_TOO_LOW"
    nobody = pb.CreateStaffRequest(
        staff=resources_pb2.Staff(staff_number="U-2", department=home.department), request_id=request_id()
    )
    assert await reason_of(home.call(home.offices.CreateStaff, nobody, resources_pb2.Staff, token)) == "FIELD_INVALID"


async def test_a_token_of_staff_tells_who_they_are_and_who_is_near_to_them(home: Town) -> None:
    token = await home.admin_token()
    boss, helper, human = await home.person(), await home.person(), await home.person()
    clerk = (await home.make_staff("K-1", token, human)).name
    await home.assign(clerk, home.posts["receiving"], token)
    firm = await home.firm(human)
    await home.mandate(boss, human, await home.human_token(boss))
    await home.mandate(human, helper, await home.human_token(human))
    principal = await home.verifier().verify(await home.human_token(clerk))
    assert principal.human == human
    assert principal.affairs == {human, boss, helper, firm.name}


async def test_posts_and_staff_belong_to_one_department(home: Town) -> None:
    token = await home.admin_token()
    other = await _department(home, token, "另一局")
    request = pb.CreateStaffRequest(
        staff=resources_pb2.Staff(staff_number="A-1", department=other.name, person=await home.person()),
        request_id=request_id(),
    )
    member = await home.call(home.offices.CreateStaff, request, resources_pb2.Staff, token)
    assert await reason_of(home.assign(member.name, home.posts["receiving"], token)) == "FIELD_INVALID"
    assert await reason_of(home.make_staff("receiving", token)) == "RESOURCE_EXISTS"
    assert await reason_of(home.make_staff("B-1", token, f"persons/{NOWHERE}")) == "RESOURCE_NOT_FOUND"
    stale = pb.AssignStaffRequest(name=member.name, post=home.posts["receiving"], etag='"7"', request_id=request_id())
    assert await reason_of(home.call(home.offices.AssignStaff, stale, resources_pb2.Staff, token)) == "ETAG_MISMATCH"


async def test_staff_read_themselves_and_administrators_everybody(home: Town) -> None:
    own, name = await home.staff_token(), home.staff["receiving"]
    shown = await _get(home, name, own)
    read = account_service_pb2.RevealPersonRequest(
        name=shown.person, use_context=common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对")
    )
    theirs = await home.call(
        home.accounts.RevealPerson, read, resources_pb2.Person, await home.human_token(shown.person)
    )
    assert shown.full_name == theirs.full_name
    assert await reason_of(_get(home, home.staff["reviewing"], own)) == "RESOURCE_NOT_FOUND"
    assert (await _get(home, name, await home.staff_token("auditing"))).name == name
    request = pb.ListStaffRequest(filter=f"assignments.post:{home.posts['auditing']} AND state = STAFF_STATE_ACTIVE")
    page = await home.call(home.offices.ListStaff, request, pb.ListStaffResponse, await home.admin_token())
    assert [each.name for each in page.staff] == [home.staff["auditing"]]
    refused = home.call(home.offices.ListStaff, request, pb.ListStaffResponse, own)
    assert await reason_of(refused) == "PERMISSION_MISSING"
