"""Who may have whom stand in for whom, and who sees it."""

from datetime import timedelta

import pytest

from tests.support import sql
from tests.support.refusing import OLD
from tests.support.substituting import Substitutions
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "staff/00000000-0000-7000-8000-0000000000aa"
DAY = 86_400


@pytest.fixture
def stand_ins(home: Town) -> Substitutions:
    return Substitutions(home)


async def _human(home: Town, staff: str) -> str:
    get = pb.GetStaffRequest(name=staff)
    return (await home.call(home.offices.GetStaff, get, resources_pb2.Staff, await home.admin_token())).person


async def _elsewhere(home: Town, person: str = "") -> tuple[str, str]:
    """A member of staff of another department, and a post there."""
    admin = await home.admin_token()
    office = resources_pb2.Department(
        display_name=f"局{request_id()[:8]}", uscc=home.people.uscc("11"), region_code=home.code
    )
    create = pb.CreateDepartmentRequest(department=office, request_id=request_id())
    department = (await home.call(home.offices.CreateDepartment, create, resources_pb2.Department, admin)).name
    draft = resources_pb2.Post(display_name="审查", duties=[resources_pb2.DUTY_REVIEWING])
    asked = pb.CreatePostRequest(parent=department, post=draft, request_id=request_id())
    post = (await home.call(home.offices.CreatePost, asked, resources_pb2.Post, admin)).name
    member = resources_pb2.Staff(staff_number="1", department=department, person=person or await home.person())
    entry = pb.CreateStaffRequest(staff=member, request_id=request_id())
    return (await home.call(home.offices.CreateStaff, entry, resources_pb2.Staff, admin)).name, post


async def test_what_can_not_be(home: Town, stand_ins: Substitutions) -> None:
    away, substitute, post = await stand_ins.member("reviewing"), await stand_ins.member(), home.posts["reviewing"]
    other, there = await _elsewhere(home)
    hat, _ = await _elsewhere(home, await _human(home, away))
    refusals = {
        "oneself": (stand_ins.arrange(away, away, post), "FIELD_INVALID"),
        "another record of oneself": (stand_ins.arrange(away, hat, post), "FIELD_INVALID"),
        "of another department": (stand_ins.arrange(away, other, post), "FIELD_INVALID"),
        "nobody": (stand_ins.arrange(NOBODY, substitute, post), "RESOURCE_NOT_FOUND"),
        "by nobody": (stand_ins.arrange(away, NOBODY, post), "RESOURCE_NOT_FOUND"),
        "a post of another department": (stand_ins.arrange(away, substitute, there), "POST_NOT_HELD"),
        "a post that there is not": (
            stand_ins.arrange(away, substitute, f"{home.department}/posts/{there[-36:]}"),
            "RESOURCE_NOT_FOUND",
        ),
        "a post that they don't hold": (stand_ins.arrange(away, substitute, home.posts["receiving"]), "POST_NOT_HELD"),
        "over before it begins": (stand_ins.arrange(away, substitute, post, seconds=-60), "FIELD_INVALID"),
        "for too long": (stand_ins.arrange(away, substitute, post, seconds=90 * DAY + 60, start=1), "FIELD_INVALID"),
        "by staff who don't administer": (
            stand_ins.arrange(away, substitute, post, token=await home.staff_token()),
            "PERMISSION_MISSING",
        ),
    }
    for case, (asked, reason) in refusals.items():
        assert await reason_of(asked) == reason, case
    assert (await stand_ins.arrange(away, substitute, post, seconds=90 * DAY)).posts == [post]


async def test_a_post_that_ends_before_is_not_held_for_all_of_it(home: Town, stand_ins: Substitutions) -> None:
    away, substitute, post = await stand_ins.member(), await stand_ins.member(), home.posts["reviewing"]
    assign = pb.AssignStaffRequest(name=away, post=post, request_id=request_id())
    assign.end_time.FromDatetime(home.service.process.clock.now() + timedelta(hours=2))
    await home.call(home.offices.AssignStaff, assign, resources_pb2.Staff, await home.admin_token())
    assert await reason_of(stand_ins.arrange(away, substitute, post, seconds=3 * 3600)) == "POST_NOT_HELD"
    await stand_ins.arrange(away, substitute, post, seconds=3600)


async def test_it_is_not_passed_on(home: Town, stand_ins: Substitutions) -> None:
    away, between, last = [await stand_ins.member(*posts) for posts in (("reviewing",), (), ())]
    await stand_ins.arrange(away, between, home.posts["reviewing"])
    assert await reason_of(stand_ins.arrange(between, last, home.posts["reviewing"])) == "POST_NOT_HELD"


async def test_what_one_stands_in_for_counts_among_ones_duties(home: Town, stand_ins: Substitutions) -> None:
    """Nobody gets into one pair of hands by a substitution what no assignment lets in, from either side."""
    reviewer, clerk, substitute = [await stand_ins.member(*posts) for posts in (("reviewing",), ("receiving",), ())]
    made = await stand_ins.arrange(reviewer, substitute, home.posts["reviewing"])
    admin = await home.admin_token()
    assert await reason_of(home.assign(substitute, home.posts["receiving"], admin)) == "DUTIES_CONFLICT"
    assert await reason_of(stand_ins.arrange(clerk, substitute, home.posts["receiving"])) == "DUTIES_CONFLICT"
    await stand_ins.revoke(made.name, admin)
    await home.assign(substitute, home.posts["receiving"], admin)


async def test_duties_under_another_record_count(home: Town, stand_ins: Substitutions) -> None:
    clerk, substitute = await stand_ins.member("receiving"), await stand_ins.member()
    hat, there = await _elsewhere(home, await _human(home, substitute))
    await home.assign(hat, there, await home.admin_token())
    assert await reason_of(stand_ins.arrange(clerk, substitute, home.posts["receiving"])) == "DUTIES_CONFLICT"


async def test_a_repeat_is_answered_as_before_and_one_pair_stands_once(home: Town, stand_ins: Substitutions) -> None:
    away, substitute, post = await stand_ins.member("reviewing"), await stand_ins.member(), home.posts["reviewing"]
    draft = resources_pb2.Substitution(represented=away, substitute=substitute, posts=[post])
    draft.end_time.FromDatetime(home.service.process.clock.now() + timedelta(hours=1))
    request = request_id()
    first = await stand_ins.make(draft, request=request)
    assert await stand_ins.make(draft, request=request) == first
    assert await reason_of(stand_ins.make(draft)) == "RESOURCE_EXISTS"
    later = await stand_ins.arrange(away, substitute, post, start=7200)
    assert await stand_ins.listed(await home.admin_token(), filter=f"represented = {away}") == [later.name, first.name]
    assert await reason_of(stand_ins.revoke(first.name, await home.admin_token(), OLD)) == "ETAG_MISMATCH"


@pytest.mark.parametrize("whose", ["represented", "substitute"])
async def test_who_has_left_or_has_no_account_takes_no_part(home: Town, stand_ins: Substitutions, whose: str) -> None:
    away, substitute, post = await stand_ins.member("reviewing"), await stand_ins.member(), home.posts["reviewing"]
    name = away if whose == "represented" else substitute
    key, person = name.removeprefix("staff/"), (await _human(home, name)).removeprefix("persons/")
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE staff SET state = 'LEFT' WHERE id = '{key}'")
    assert await reason_of(stand_ins.arrange(away, substitute, post)) == "STAFF_NOT_ACTIVE"
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE staff SET state = 'ACTIVE' WHERE id = '{key}'")
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person}'")
    assert await reason_of(stand_ins.arrange(away, substitute, post)) == "PERSON_NOT_ACTIVE"


async def test_a_post_that_makes_able_takes_two(home: Town, stand_ins: Substitutions) -> None:
    first, second = await home.administrators()
    away, substitute, post = home.staff["admin-1"], await stand_ins.member(), home.posts["administrators"]
    waits = await stand_ins.arrange(away, substitute, post, token=first)
    assert (waits.state, waits.approvals) == (resources_pb2.SUBSTITUTION_STATE_REQUESTED, 1)
    assert await stand_ins.refusal(substitute, waits.name) == "SUBSTITUTION_NOT_ACTIVE"
    assert await reason_of(stand_ins.approve(waits, first)) == "ACTING_ON_SELF"
    assert await reason_of(stand_ins.approve(waits, await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    held = await stand_ins.approve(waits, second)
    assert (held.state, held.approvals) == (resources_pb2.SUBSTITUTION_STATE_ACTIVE, 0)
    assert held.start_time.ToNanoseconds() >= held.update_time.ToNanoseconds()
    assert await reason_of(stand_ins.approve(held, second)) == "STATE_CONFLICT"
    assert await reason_of(stand_ins.approve(waits, second)) == "ETAG_MISMATCH"
    token = await stand_ins.token(substitute, held.name)
    assert (await home.verifier().verify(token)).may("identity.staff.assign")
    # Nobody who stands in for an administrator arranges it for themselves.
    third = await stand_ins.member("reviewing")
    assert await reason_of(stand_ins.arrange(third, substitute, home.posts["reviewing"], token=token)) == (
        "ACTING_ON_SELF"
    )
    nothing = pb.ApproveSubstitutionRequest(
        name="substitutions/00000000-0000-7000-8000-000000000001", etag="x", request_id=request_id()
    )
    asked = home.call(home.offices.ApproveSubstitution, nothing, resources_pb2.Substitution, second)
    assert await reason_of(asked) == "RESOURCE_NOT_FOUND"


async def test_a_machine_that_asks_counts_for_nobody(home: Town, stand_ins: Substitutions) -> None:
    first, second = await home.administrators()
    away, substitute, post = home.staff["admin-1"], await stand_ins.member(), home.posts["administrators"]
    waits = await stand_ins.arrange(away, substitute, post, token=await home.admin_token())
    assert waits.approvals == 0
    half = await stand_ins.approve(waits, first)
    assert (half.state, half.approvals) == (resources_pb2.SUBSTITUTION_STATE_REQUESTED, 1)
    assert (await stand_ins.approve(half, second)).state == resources_pb2.SUBSTITUTION_STATE_ACTIVE


async def test_what_waits_is_judged_again_when_it_is_approved(home: Town, stand_ins: Substitutions) -> None:
    first, second = await home.administrators()
    admin, away = await home.admin_token(), await stand_ins.member()
    keeper = (await home.make_post(f"印{request_id()[:8]}", [resources_pb2.DUTY_SEAL_CUSTODY], admin)).name
    decider = (await home.make_post(f"决{request_id()[:8]}", [resources_pb2.DUTY_DECIDING], admin)).name
    await home.appoint(away, keeper)
    decides, waits_long, closed = [await stand_ins.member() for _ in range(3)]
    asked = [await stand_ins.arrange(away, each, keeper, token=first) for each in (decides, waits_long, closed)]
    await home.assign(decides, decider, admin)
    assert await reason_of(stand_ins.approve(asked[0], second)) == "DUTIES_CONFLICT"
    key = (await _human(home, closed)).removeprefix("persons/")
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{key}'")
    assert await reason_of(stand_ins.approve(asked[2], second)) == "PERSON_NOT_ACTIVE"
    take = pb.UnassignStaffRequest(name=away, post=keeper, request_id=request_id())
    await home.call(home.offices.UnassignStaff, take, resources_pb2.Staff, first)
    assert await reason_of(stand_ins.approve(asked[1], second)) == "POST_NOT_HELD"


async def test_who_takes_part_sees_and_ends_it(home: Town, stand_ins: Substitutions) -> None:
    away, substitute = await stand_ins.member("reviewing"), await stand_ins.member("reviewing")
    hidden = (await stand_ins.arrange(home.staff["reviewing"], substitute, home.posts["reviewing"])).name
    auditor = await home.staff_token("auditing")
    for who in (away, substitute):
        made = await stand_ins.arrange(away, substitute, home.posts["reviewing"])
        own = await home.human_token(who)
        assert (await stand_ins.get(made.name, own)).name == made.name
        assert made.name in await stand_ins.listed(own)
        stranger = await home.staff_token()
        assert await reason_of(stand_ins.get(made.name, stranger)) == "RESOURCE_NOT_FOUND"
        assert await reason_of(stand_ins.revoke(made.name, stranger)) == "RESOURCE_NOT_FOUND"
        assert await stand_ins.listed(stranger) == []
        assert {made.name, hidden} <= set(await stand_ins.listed(auditor))
        assert await reason_of(stand_ins.revoke(made.name, auditor)) == "NOT_OWNER"
        assert (await stand_ins.revoke(made.name, own)).HasField("revoke_time")
        assert await reason_of(stand_ins.revoke(made.name, own)) == "STATE_CONFLICT"
    assert hidden not in await stand_ins.listed(await home.human_token(away))
    assert hidden in await stand_ins.listed(await home.human_token(substitute))
