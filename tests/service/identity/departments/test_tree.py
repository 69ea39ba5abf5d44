"""Departments move, get other names and close; whatever two do at a time, the tree stays one."""

import asyncio
from typing import Any

import pytest

from tests.support import sql
from tests.support.refusing import OLD, asked, refused
from tests.support.town import Town, reason_of, request_id
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, account_service_pb2_grpc, resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOWHERE = "departments/00000000-0000-7000-8000-0000000000aa"
CLOSED = resources_pb2.DEPARTMENT_STATE_CLOSED


async def _made(home: Town, parent: str = "", title: str = "") -> resources_pb2.Department:
    office = resources_pb2.Department(
        display_name=title or f"局{request_id()[:8]}",
        uscc=home.people.uscc("11"),
        region_code=home.code,
        parent=parent,
    )
    request = pb.CreateDepartmentRequest(department=office, request_id=request_id())
    return await home.call(home.offices.CreateDepartment, request, resources_pb2.Department, await home.admin_token())


async def _chain(home: Town, length: int) -> list[resources_pb2.Department]:
    found = [await _made(home)]
    for _ in range(length - 1):
        found.append(await _made(home, found[-1].name))
    return found


async def _step(
    home: Town, rpc: str, row: resources_pb2.Department, etag: str = "", token: str = "", **more: Any
) -> resources_pb2.Department:
    request = asked(rpc, row.name, etag or row.etag, **more)
    token = token or await home.admin_token()
    return await home.call(getattr(home.offices, rpc), request, resources_pb2.Department, token)


async def _move(home: Town, row: resources_pb2.Department, parent: str) -> resources_pb2.Department:
    request = pb.MoveDepartmentRequest(name=row.name, parent=parent, etag=row.etag, request_id=request_id())
    return await home.call(home.offices.MoveDepartment, request, resources_pb2.Department, await home.admin_token())


async def _close(home: Town, row: resources_pb2.Department) -> resources_pb2.Department:
    request = pb.CloseDepartmentRequest(name=row.name, etag=row.etag, request_id=request_id())
    return await home.call(home.offices.CloseDepartment, request, resources_pb2.Department, await home.admin_token())


async def _changes(home: Town, row: resources_pb2.Department) -> list[str]:
    async with home.service.process.database.read() as connection:
        found = await sql.scalars(
            connection,
            "SELECT kind || ' ' || previous FROM department_changes "
            f"WHERE department = '{row.name.removeprefix('departments/')}' ORDER BY change_time, id",
        )
    return [*found]


async def test_a_department_moves_and_what_it_was_below_is_kept(home: Town) -> None:
    first, second = await _made(home), await _made(home)
    row = await _made(home, first.name)
    moved = await _move(home, row, second.name)
    assert (moved.parent, moved.display_name, moved.etag != row.etag) == (second.name, row.display_name, True)
    top = await _move(home, moved, "")
    assert top.parent == ""
    assert await _changes(home, row) == [f"MOVED {first.name}", f"MOVED {second.name}"]


async def test_nothing_lies_below_itself_or_too_deep(home: Town) -> None:
    chain = await _chain(home, 4)
    for below in (chain[0], chain[1], chain[3]):
        assert await reason_of(_move(home, chain[0], below.name)) == "FIELD_INVALID"
    deep = await _chain(home, 5)
    assert await reason_of(_move(home, chain[0], deep[4].name)) == "FIELD_INVALID"
    assert (await _move(home, chain[0], deep[3].name)).parent == deep[3].name


async def test_of_two_that_would_close_a_circle_one_moves(home: Town) -> None:
    one, other = await _made(home), await _made(home)
    found = await asyncio.gather(
        refused(_move(home, one, other.name)),
        refused(_move(home, other, one.name)),
    )
    assert sorted(found) == ["", "FIELD_INVALID"]


async def test_a_department_gets_another_name(home: Town) -> None:
    row, beside = await _made(home), await _made(home)
    renamed = await _step(home, "RenameDepartment", row, display_name=f"新{row.display_name}")
    assert renamed.display_name == f"新{row.display_name}"
    assert await _changes(home, row) == [f"RENAMED {row.display_name}"]
    taken = _step(home, "RenameDepartment", renamed, display_name=beside.display_name)
    assert await reason_of(taken) == "RESOURCE_EXISTS"
    assert await reason_of(_step(home, "RenameDepartment", renamed, display_name=" ")) == "FIELD_INVALID"
    below = await _made(home, row.name, beside.display_name)
    assert await reason_of(_move(home, below, "")) == "RESOURCE_EXISTS"


async def test_what_is_in_use_is_not_closed(home: Town) -> None:
    upper = await _made(home)
    lower = await _made(home, upper.name)
    admin = await home.admin_token()
    member = resources_pb2.Staff(staff_number="1", department=lower.name, person=await home.person())
    entry = pb.CreateStaffRequest(staff=member, request_id=request_id())
    await home.call(home.offices.CreateStaff, entry, resources_pb2.Staff, admin)
    assert await reason_of(_close(home, upper)) == "DEPARTMENT_IN_USE"
    assert await reason_of(_close(home, lower)) == "DEPARTMENT_IN_USE"


async def test_a_closed_department_gets_nothing_more_and_stays_readable(home: Town) -> None:
    upper = await _made(home)
    lower, another = await _made(home, upper.name), await _made(home)
    closed = await _close(home, lower)
    assert (closed.state, closed.HasField("close_time"), closed.parent) == (CLOSED, True, upper.name)
    assert (await _close(home, upper)).state == CLOSED
    get = pb.GetDepartmentRequest(name=lower.name)
    admin = await home.admin_token()
    assert await home.call(home.offices.GetDepartment, get, resources_pb2.Department, admin) == closed
    listed = pb.ListDepartmentsRequest(
        filter=f"state = DEPARTMENT_STATE_CLOSED AND display_name = {lower.display_name}"
    )
    found = await home.call(home.offices.ListDepartments, listed, pb.ListDepartmentsResponse, admin)
    assert [*found.departments] == [closed]
    member = resources_pb2.Staff(staff_number="1", department=lower.name, person=await home.person())
    post = resources_pb2.Post(display_name="收件", duties=[resources_pb2.DUTY_RECEIVING])
    entry = pb.CreateStaffRequest(staff=member, request_id=request_id())
    making = pb.CreatePostRequest(parent=lower.name, post=post, request_id=request_id())
    for step in (
        _made(home, lower.name),
        _move(home, another, lower.name),
        _move(home, closed, ""),
        _close(home, closed),
        _step(home, "RenameDepartment", closed, display_name="新名"),
        home.call(home.offices.CreateStaff, entry, resources_pb2.Staff, admin),
        home.call(home.offices.CreatePost, making, resources_pb2.Post, admin),
    ):
        assert await reason_of(step) == "DEPARTMENT_NOT_ACTIVE"


async def test_nobody_is_a_closed_department(home: Town) -> None:
    row = await _made(home)
    channel = home.neighbour("seal")
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    document = common_pb2.IdentityDocument(type_code="001", number=row.uscc)
    stated = account_service_pb2.StatedIdentity(subject=row.name, display_name=row.display_name, document=document)
    request = account_service_pb2.CheckIdentitiesRequest(identities=[stated])

    async def believed() -> list[bool]:
        answer = await home.call(stub.CheckIdentities, request, account_service_pb2.CheckIdentitiesResponse, "")
        return [*answer.matches]

    assert await believed() == [True]
    await _close(home, row)
    assert await believed() == [False]
    await channel.close()


@pytest.mark.parametrize("rpc", ["MoveDepartment", "RenameDepartment", "CloseDepartment"])
async def test_who_may_and_what_was_read(home: Town, rpc: str) -> None:
    row = await _made(home)
    more = {"display_name": "新名"} if rpc == "RenameDepartment" else {}
    assert await reason_of(_step(home, rpc, row, OLD, **more)) == "ETAG_MISMATCH"
    clerk = await home.staff_token()
    assert await reason_of(_step(home, rpc, row, token=clerk, **more)) == "PERMISSION_MISSING"
    missing = resources_pb2.Department(name=NOWHERE, etag=row.etag)
    assert await reason_of(_step(home, rpc, missing, **more)) == "RESOURCE_NOT_FOUND"
    if rpc == "MoveDepartment":
        assert await reason_of(_move(home, row, NOWHERE)) == "RESOURCE_NOT_FOUND"
