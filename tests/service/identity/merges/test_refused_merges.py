"""Which accounts do not become one, who may not let them, and what a repeat is told."""

import pytest

from tests.support import sql
from tests.support.merging import EVIDENCE, Merging
from tests.support.refusing import OLD
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "persons/00000000-0000-7000-8000-0000000000aa"
NO_MERGE = "personMerges/00000000-0000-7000-8000-0000000000aa"


@pytest.fixture
def merging(home: Town) -> Merging:
    return Merging(home)


async def test_what_stands_against_it(home: Town, merging: Merging) -> None:
    name = home.people.person().name
    kept, merged = await merging.two(name)
    stranger = await merging.account(home.people.person().name, merging.passport())
    namesake = await merging.account(name, merging.citizen())
    unknown = await merging.account(name, merging.passport(), verified=False)
    clerk = await merging.account(name, merging.passport())
    await home.make_staff("refused-1", await home.admin_token(), clerk)
    refusals = {
        "itself": (merging.ask(kept, kept), "PERSONS_NOT_MERGEABLE"),
        "another name": (merging.ask(kept, stranger), "PERSONS_NOT_MERGEABLE"),
        "two citizen numbers": (merging.ask(kept, namesake), "PERSONS_NOT_MERGEABLE"),
        "the less known is kept": (merging.ask(unknown, merged), "PERSONS_NOT_MERGEABLE"),
        "the account of staff ends": (merging.ask(kept, clerk), "PERSONS_NOT_MERGEABLE"),
        "nobody": (merging.ask(kept, NOBODY), "RESOURCE_NOT_FOUND"),
        "into nobody": (merging.ask(NOBODY, kept), "RESOURCE_NOT_FOUND"),
        "by an administrator": (merging.ask(kept, merged, await home.admin_token()), "ACTOR_NOT_ALLOWED"),
        "by who reviews": (merging.ask(kept, merged, await home.staff_token("reviewing")), "PERMISSION_MISSING"),
        "by themselves": (merging.ask(kept, merged, await home.human_token(kept)), "ACTOR_NOT_ALLOWED"),
    }
    for case, (asked, reason) in refusals.items():
        assert await reason_of(asked) == reason, case
    await merging.ask(clerk, merged)


async def test_nobody_merges_what_is_theirs(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    admin = await home.admin_token()
    member = await home.make_staff("own-1", admin, kept)
    await home.assign(member.name, home.posts["receiving"], admin)
    own = await home.human_token(member.name)
    assert await reason_of(merging.ask(kept, merged, own)) == "ACTING_ON_SELF"
    made = await merging.ask(kept, merged)
    assert await reason_of(merging.approve(made.name, own)) == "ACTING_ON_SELF"
    assert await reason_of(merging.refuse(made.name, own)) == "ACTING_ON_SELF"


async def test_one_human_being_is_not_two(home: Town, merging: Merging) -> None:
    made = await merging.ask(*await merging.two())
    assert await reason_of(merging.approve(made.name, await home.staff_token())) == "ACTING_ON_SELF"
    assert await reason_of(merging.approve(made.name, etag=OLD)) == "ETAG_MISMATCH"
    assert await reason_of(merging.refuse(made.name, etag=OLD)) == "ETAG_MISMATCH"
    assert await reason_of(merging.approve(NO_MERGE)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(merging.refuse(NO_MERGE)) == "RESOURCE_NOT_FOUND"


async def test_what_changed_since_it_was_asked_for_is_judged_anew(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    made = await merging.ask(kept, merged)
    member = await home.make_staff("anew-1", await home.admin_token(), merged)
    assert member.person == merged
    assert await reason_of(merging.approve(made.name)) == "PERSONS_NOT_MERGEABLE"
    one, other = await merging.two()
    waits, later = await merging.ask(one, other), await merging.ask(one, other)
    assert (await merging.approve(waits.name)).state == resources_pb2.PERSON_MERGE_STATE_DONE
    assert await reason_of(merging.approve(later.name)) == "PERSON_NOT_ACTIVE"
    assert await reason_of(merging.ask(other, one)) == "PERSON_NOT_ACTIVE"


async def test_what_is_refused_waits_no_more(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    made = await merging.ask(kept, merged)
    gone = await merging.refuse(made.name, await home.staff_token())
    assert gone.state == resources_pb2.PERSON_MERGE_STATE_REFUSED
    assert await reason_of(merging.approve(made.name, etag=gone.etag)) == "STATE_CONFLICT"
    assert await reason_of(merging.refuse(made.name, etag=gone.etag)) == "STATE_CONFLICT"
    await home.human_token(merged)


async def test_a_repeat_changes_nothing_and_is_told_the_same(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    draft = resources_pb2.PersonMerge(kept=kept, merged=merged, evidence=[EVIDENCE])
    request, token = pb.CreatePersonMergeRequest(person_merge=draft, request_id=request_id()), await home.staff_token()
    made = [
        await home.call(home.accounts.CreatePersonMerge, request, resources_pb2.PersonMerge, token) for _ in range(2)
    ]
    assert made[0] == made[1]
    again = request_id()
    done = [await merging.approve(made[0].name, request_id=again) for _ in range(2)]
    assert done[0] == done[1]
    async with home.service.process.database.read() as connection:
        former = await sql.scalars(
            connection, f"SELECT cardinality(former) FROM persons WHERE id = '{kept.removeprefix('persons/')}'"
        )
    assert [*former] == [1]


async def test_who_approves_finds_what_waits(home: Town, merging: Merging) -> None:
    kept, merged = await merging.two()
    made, token = await merging.ask(kept, merged), await home.staff_token("reviewing")
    get = pb.GetPersonMergeRequest(name=made.name)
    assert await home.call(home.accounts.GetPersonMerge, get, resources_pb2.PersonMerge, token) == made
    wanted = f'kept = "{kept}" AND state = "PERSON_MERGE_STATE_REQUESTED"'
    listed = pb.ListPersonMergesRequest(filter=wanted)
    found = await home.call(home.accounts.ListPersonMerges, listed, pb.ListPersonMergesResponse, token)
    assert [*found.person_merges] == [made]
    missing = pb.GetPersonMergeRequest(name=NO_MERGE)
    assert await reason_of(home.call(home.accounts.GetPersonMerge, missing, resources_pb2.PersonMerge, token)) == (
        "RESOURCE_NOT_FOUND"
    )
