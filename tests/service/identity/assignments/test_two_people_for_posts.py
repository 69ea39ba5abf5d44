"""Posts whose holders make others able, and a region's word, take two human beings (issue 5, B8; decision 0018)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.service.identity.conftest import Federation
from tests.support.town import Town, reason_of, request_id
from tests.support.widening import takes_two
from tongban.identity.v1 import region_service_pb2, resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
ABLING = ("DUTY_ADMINISTRATION", "DUTY_AUDITING", "DUTY_SEAL_CUSTODY")
OPEN = resources_pb2.TRUST_STATE_OPEN


async def _post(home: Town, duty: str) -> str:
    admin = await home.admin_token()
    return (await home.make_post(f"岗{request_id()[:8]}", [resources_pb2.Duty.Value(duty)], admin)).name


async def _member(home: Town) -> str:
    return (await home.make_staff(f"P-{request_id()[:8]}", await home.admin_token())).name


async def _read(home: Town, name: str) -> resources_pb2.Staff:
    return await home.call(
        home.offices.GetStaff, pb.GetStaffRequest(name=name), resources_pb2.Staff, await home.admin_token()
    )


async def _unassign(home: Town, name: str, post: str, token: str) -> resources_pb2.Staff:
    request = pb.UnassignStaffRequest(name=name, post=post, request_id=request_id())
    return await home.call(home.offices.UnassignStaff, request, resources_pb2.Staff, token)


def _posts(given: Any) -> list[str]:
    return [each.post for each in given]


@pytest.mark.parametrize("duty", ABLING)
async def test_one_human_being_gives_nobody_the_power_to_make_others_able(home: Town, duty: str) -> None:
    first, second = await home.administrators()
    post, name = await _post(home, duty), await _member(home)
    waits = await home.assign(name, post, first)
    assert (_posts(waits.assignments), _posts(waits.pending_assignments)) == ([], [post])
    assert waits.pending_assignments[0].approvals == 1
    answer = await home.post(**home.asserted(name))
    assert answer.json()["reason"] == "STAFF_NOT_ACTIVE"
    assert await reason_of(home.stand_behind(waits, post, first)) == "ACTING_ON_SELF"
    assert await reason_of(home.stand_behind(waits, post, await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    assert await reason_of(home.assign(name, post, second)) == "RESOURCE_EXISTS"
    assert _posts((await _read(home, name)).pending_assignments) == [post]
    holds = await home.stand_behind(waits, post, second)
    assert (_posts(holds.assignments), _posts(holds.pending_assignments)) == ([post], [])
    assert (await home.verifier().verify(await home.human_token(name))).posts == (post,)
    assert await reason_of(home.stand_behind(holds, post, second)) == "RESOURCE_NOT_FOUND"


async def test_a_machine_that_assigns_such_a_post_counts_for_nobody(home: Town) -> None:
    first, second = await home.administrators()
    post, name = await _post(home, "DUTY_ADMINISTRATION"), await _member(home)
    waits = await home.assign(name, post, await home.admin_token())
    assert waits.pending_assignments[0].approvals == 0
    half = await home.stand_behind(waits, post, first)
    assert half.pending_assignments[0].approvals == 1
    assert await reason_of(home.stand_behind(waits, post, second)) == "ETAG_MISMATCH"
    assert _posts((await home.stand_behind(half, post, second)).assignments) == [post]


async def test_nobody_stands_behind_what_they_are_to_have_nor_twice_under_two_records(home: Town) -> None:
    first, second = await home.administrators()
    name = home.staff["admin-1"]  # the second one
    post = await _post(home, "DUTY_ADMINISTRATION")
    waits = await home.assign(name, post, first)
    assert await reason_of(home.stand_behind(waits, post, second)) == "ACTING_ON_SELF"
    # The first one has another record, in another office, with the same duty; it is no second human being.
    human = (await _read(home, home.staff["administration"])).person
    department = resources_pb2.Department(
        display_name=f"局{request_id()[:8]}", uscc=home.people.uscc("11"), region_code=home.code
    )
    made = await home.call(
        home.offices.CreateDepartment,
        pb.CreateDepartmentRequest(department=department, request_id=request_id()),
        resources_pb2.Department,
        second,
    )
    create = pb.CreatePostRequest(
        parent=made.name,
        request_id=request_id(),
        post=resources_pb2.Post(display_name="兼", duties=[resources_pb2.DUTY_ADMINISTRATION]),
    )
    there = (await home.call(home.offices.CreatePost, create, resources_pb2.Post, second)).name
    entry = pb.CreateStaffRequest(
        staff=resources_pb2.Staff(staff_number="2", department=made.name, person=human), request_id=request_id()
    )
    other = await home.call(home.offices.CreateStaff, entry, resources_pb2.Staff, second)
    third = await _member(home)
    await home.appoint(third, home.posts["administrators"])
    held = await home.stand_behind(await home.assign(other.name, there, second), there, await home.human_token(third))
    assert _posts(held.assignments) == [there]
    hat = await home.human_token(other.name)
    assert await reason_of(home.stand_behind(waits, post, hat)) == "ACTING_ON_SELF"
    await _unassign(home, name, post, first)
    await _unassign(home, other.name, there, first)


async def test_what_waits_can_be_refused_by_one(home: Town) -> None:
    first, second = await home.administrators()
    post, name = await _post(home, "DUTY_AUDITING"), await _member(home)
    waits = await home.assign(name, post, first)
    refused = await _unassign(home, name, post, second)
    assert (_posts(refused.assignments), _posts(refused.pending_assignments)) == ([], [])
    assert await reason_of(home.stand_behind(waits, post, second)) == "ETAG_MISMATCH"
    assert await reason_of(home.stand_behind(refused, post, second)) == "RESOURCE_NOT_FOUND"
    again = await home.assign(name, post, first)
    assert _posts(again.pending_assignments) == [post]


async def test_it_is_held_from_the_second_word_on_and_not_before(home: Town) -> None:
    first, second = await home.administrators()
    post, name = await _post(home, "DUTY_AUDITING"), await _member(home)
    request = pb.AssignStaffRequest(name=name, post=post, request_id=request_id())
    request.start_time.FromDatetime(datetime.now(UTC) - timedelta(days=30))
    waits = await home.call(home.offices.AssignStaff, request, resources_pb2.Staff, first)
    assert await home.call(home.offices.AssignStaff, request, resources_pb2.Staff, first) == waits
    holds = await home.stand_behind(waits, post, second)
    assert holds.assignments[0].start_time.ToNanoseconds() > waits.pending_assignments[0].start_time.ToNanoseconds()
    assert holds.assignments[0].start_time.ToNanoseconds() >= waits.update_time.ToNanoseconds()


async def test_duties_that_exclude_one_another_are_looked_at_again(home: Town) -> None:
    first, second = await home.administrators()
    post, name = await _post(home, "DUTY_AUDITING"), await _member(home)
    await home.assign(name, post, first)
    given = await home.assign(name, home.posts["receiving"], first)
    assert await reason_of(home.stand_behind(given, post, second)) == "DUTIES_CONFLICT"


async def test_two_who_can_approve_are_always_left(home: Town) -> None:
    first, _ = await home.administrators()
    third = await _member(home)
    post = home.posts["administrators"]
    await home.appoint(third, post)
    listed = pb.ListStaffRequest(page_size=1000)
    everybody = await home.call(home.offices.ListStaff, listed, pb.ListStaffResponse, await home.admin_token())
    keep = {home.staff["administration"], home.staff["admin-1"]}
    for member in everybody.staff:
        for held in member.assignments:
            if resources_pb2.DUTY_ADMINISTRATION in held.duties and member.name not in keep:
                await _unassign(home, member.name, held.post, first)  # one alone ends a right
    assert await reason_of(_unassign(home, home.staff["admin-1"], post, first)) == "APPROVERS_NEEDED"
    assert _posts((await _read(home, home.staff["admin-1"])).assignments) == [post]


async def test_one_human_being_lets_no_suspended_region_speak_again(federation: Federation) -> None:
    home = federation.home
    first, second = await home.administrators()
    inbound = [resources_pb2.TRUST_DIRECTION_INBOUND]
    both = [*inbound, resources_pb2.TRUST_DIRECTION_OUTBOUND]
    name = f"regions/{federation.away.region.id}"

    async def resume(token: str, directions: Any = both) -> resources_pb2.Region:
        request = region_service_pb2.ResumeRegionRequest(
            name=name, directions=directions, reason="查清", request_id=request_id()
        )
        return await home.call(home.regions.ResumeRegion, request, resources_pb2.Region, token)

    async def suspend(token: str) -> resources_pb2.Region:
        request = region_service_pb2.SuspendRegionRequest(
            name=name, directions=both, reason="失密", request_id=request_id()
        )
        return await home.call(home.regions.SuspendRegion, request, resources_pb2.Region, token)

    suspended = await suspend(first)
    assert await reason_of(resume(await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    waits = await resume(first)
    assert (waits.inbound.state, list(waits.resuming)) == (suspended.inbound.state, both)
    assert await reason_of(resume(first)) == "ACTING_ON_SELF"
    # Another wish is not the same wish.
    assert list((await resume(second, inbound)).resuming) == inbound
    refused = await suspend(first)
    assert (refused.inbound.state, list(refused.resuming)) == (suspended.inbound.state, [])
    assert (await resume(second)).inbound.state == suspended.inbound.state
    again = await resume(first)
    assert (again.inbound.state, again.outbound.state, list(again.resuming)) == (OPEN, OPEN, [])
    assert await reason_of(resume(second)) == "STATE_CONFLICT"


DRIVEN = {
    "AssignStaff",
    "ApproveStaff",
    "ResumeRegion",  # here
    "CreateSubstitution",
    "ApproveSubstitution",  # in substitutions/test_arranging.py
    "CreateClient",
    "ApproveClient",
    "RotateClientKey",
    "ResumeClient",
    "UpdateClient",
    "ProposeRegion",
    "ActivateRegion",
    "SetRegionKeys",
    "ProposeUpstream",
    "ApproveUpstream",  # in upstream/test_administering.py
    "ApproveRegionKeys",  # in test_two_people.py, api_clients/test_updates.py, test_rights.py and test_clients_and_regions.py
}


async def test_every_rpc_that_takes_two_is_driven() -> None:
    assert {method.descriptor.name for method in takes_two()} == DRIVEN
