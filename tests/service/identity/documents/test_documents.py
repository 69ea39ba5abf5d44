"""Several documents of one person: who adds them, who is found by them, and on which of them the account stands."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from libs.db.query import Insert
from services.identity.core.further_documents import FurtherDocument, take
from services.identity.core.person_messages import new_document
from tests.support import sql
from tests.support.held import PASSPORT, Papers, adding, document, removing
from tests.support.population import Checked, registered
from tests.support.refusing import OLD, refused
from tests.support.service import Ground
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import verification_service_pb2 as verifications

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checked(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checked]:
    """A region with a population register."""
    async with registered(ground, tmp_path_factory.mktemp("checked")) as found:
        yield found


def _number() -> str:
    return f"E{request_id()[:8].upper()}"


async def test_a_clerk_adds_what_they_saw_and_the_person_is_found_by_it(home: Town) -> None:
    papers, person, clerk = Papers(home), await home.person(), await home.staff_token()
    passport, name = document(_number()), (await papers.clear(person)).full_name
    assert await papers.believed("", name, passport)
    assert not await papers.believed(person, name, passport)
    assert await refused(papers.lookup(passport)) == "RESOURCE_NOT_FOUND"
    request = adding(person, passport, seen=True)
    made = await papers.add(request, clerk)
    assert [each.document.type_code for each in made.documents] == ["111", PASSPORT]
    assert made.masked
    assert made.documents[1].document.number.startswith(f"{passport.number[:3]}*")
    assert made.documents[1].HasField("verify_time")
    assert await papers.add(request, clerk) == made
    assert await papers.lookup(passport) == person
    assert await papers.believed(person, name, passport)
    assert not await papers.believed(person, f"{name}某", passport)
    assert not await papers.believed("", name, passport)


async def test_what_a_person_adds_the_register_must_know(checked: Checked) -> None:
    town, papers = checked.town, Papers(checked.town)
    person = await town.person()
    own, passport = await town.human_token(person), document(_number())
    request = adding(person, passport)
    assert await refused(papers.add(request, own)) == "FIELD_INVALID"
    assert await refused(papers.lookup(passport)) == "RESOURCE_NOT_FOUND"
    checked.register.numbers.add(passport.number)
    assert len((await papers.add(request, own)).documents) == 2
    assert checked.register.asked[-1]["full_name"] == (await papers.clear(person)).full_name
    assert await papers.lookup(passport) == person


async def test_five_failures_are_enough_and_are_kept(checked: Checked) -> None:
    town, papers = checked.town, Papers(checked.town)
    person = await town.person()
    own = await town.human_token(person)
    request = adding(person, document(_number()))
    assert [await refused(papers.add(request, own)) for _ in range(6)] == ["FIELD_INVALID"] * 5 + ["RATE_LIMITED"]
    listing = verifications.ListVerificationsRequest(
        parent=person, filter="outcome = VERIFICATION_OUTCOME_FAILED AND method = VERIFICATION_METHOD_DOCUMENT_MATCH"
    )
    found = await town.call(
        town.checks.ListVerifications, listing, verifications.ListVerificationsResponse, await town.staff_token()
    )
    assert len(found.verifications) == 5
    checked.register.numbers.add(request.document.document.number)
    assert await refused(papers.add(request, own)) == "RATE_LIMITED"


async def test_without_a_register_people_add_nothing(home: Town) -> None:
    papers, person = Papers(home), await home.person()
    request = adding(person, document(_number()))
    assert await refused(papers.add(request, await home.human_token(person))) == "DEPENDENCY_UNAVAILABLE"


async def test_what_an_account_was_opened_with_is_shown_by_adding_it(home: Town) -> None:
    """Who opens an account with another's passport has gained nothing: nobody is found by it, and nothing is believed."""
    papers, clerk, drawn, passport = Papers(home), await home.staff_token(), home.people.person(), document(_number())
    person = resources_pb2.Person(full_name=drawn.name)
    for each in (document(drawn.citizen_id, "111"), passport):
        person.documents.add().document.CopyFrom(each)
    create = account_service_pb2.CreatePersonRequest(person=person, request_id=request_id())
    made = await home.call(home.accounts.CreatePerson, create, resources_pb2.Person, clerk)
    assert [each.HasField("verify_time") for each in made.documents] == [False, False]
    assert await refused(papers.lookup(passport)) == "RESOURCE_NOT_FOUND"
    assert not await papers.believed(made.name, drawn.name, passport)
    assert len((await papers.add(adding(made.name, passport, seen=True), clerk)).documents) == 2
    assert await papers.lookup(passport) == made.name
    assert await papers.believed(made.name, drawn.name, passport)


async def test_a_further_document_is_compared_as_the_first_is(checked: Checked) -> None:
    town, papers, passport = checked.town, Papers(checked.town), document(_number())
    drawn, clerk = town.people.person(), await town.staff_token()
    person = resources_pb2.Person(full_name=drawn.name)
    for each in (document(drawn.citizen_id, "111"), passport):
        person.documents.add().document.CopyFrom(each)
    create = account_service_pb2.CreatePersonRequest(person=person, request_id=request_id())
    made = await town.call(town.accounts.CreatePerson, create, resources_pb2.Person, clerk)
    check = verifications.RecordVerificationRequest(person=made.name, request_id=request_id())
    check.document_match.full_name = drawn.name
    check.document_match.document.CopyFrom(passport)
    checked.register.numbers.add(passport.number)
    token = await town.machine_token(town.channel)
    answer = await town.call(town.checks.RecordVerification, check, resources_pb2.Verification, token)
    assert answer.outcome == resources_pb2.VERIFICATION_OUTCOME_PASSED
    found = await papers.clear(made.name)
    assert [each.HasField("verify_time") for each in found.documents] == [False, True]
    assert found.assurance == 2


async def test_one_living_account_a_document(home: Town) -> None:
    papers, clerk, passport = Papers(home), await home.staff_token(), document(_number())
    first, second = await home.person(), await home.person()
    await papers.add(adding(first, passport, seen=True), clerk)
    assert await refused(papers.add(adding(second, passport, seen=True), clerk)) == "RESOURCE_EXISTS"
    standing = document((await papers.numbers(first))[0], "111")
    assert await refused(papers.add(adding(second, standing, seen=True), clerk)) == "RESOURCE_EXISTS"
    person = resources_pb2.Person(full_name="某人", documents=[resources_pb2.HeldDocument(document=passport)])
    create = account_service_pb2.CreatePersonRequest(person=person, request_id=request_id())
    opened = home.call(home.accounts.CreatePerson, create, resources_pb2.Person, clerk)
    assert await refused(opened) == "RESOURCE_EXISTS"


async def test_of_two_who_take_a_document_at_once_one_gets_it(home: Town) -> None:
    papers, clerk, passport = Papers(home), await home.staff_token(), document(_number())
    people = [await home.person() for _ in range(3)]
    person = resources_pb2.Person(full_name="某人", documents=[resources_pb2.HeldDocument(document=passport)])
    create = account_service_pb2.CreatePersonRequest(person=person, request_id=request_id())
    answers = await asyncio.gather(
        *(refused(papers.add(adding(each, passport, seen=True), clerk)) for each in people),
        refused(home.call(home.accounts.CreatePerson, create, resources_pb2.Person, clerk)),
    )
    assert sorted(answers) == ["", *["RESOURCE_EXISTS"] * 3]


async def test_whoever_opens_an_account_waits_for_who_takes_its_document(home: Town) -> None:
    """No index of one table sees the other: the turn of the document does."""
    process, person, clerk = home.service.process, await home.person(), await home.staff_token()
    passport = document(_number())
    held = resources_pb2.HeldDocument(document=passport)
    made = new_document(person[8:], held, passport.number, "", process.cipher, process.clock.now())
    opened = resources_pb2.Person(full_name="某人", documents=[held])
    create = account_service_pb2.CreatePersonRequest(person=opened, request_id=request_id())
    async with process.database.transaction() as connection:
        await take(connection, [made.document_index], made.person)
        await Insert(FurtherDocument).add(connection, made)
        call = home.call(home.accounts.CreatePerson, create, resources_pb2.Person, clerk)
        waiting = asyncio.ensure_future(refused(call))
        # As long as it takes to come there where nothing held it up; where something does, it is there all the longer.
        await asyncio.wait([waiting], timeout=1)
        assert not waiting.done()
    assert await waiting == "RESOURCE_EXISTS"


async def test_the_account_stands_on_another_once_its_own_is_taken_away(home: Town) -> None:
    papers, person, clerk = Papers(home), await home.person(), await home.staff_token()
    own, passport = await home.human_token(person), document(_number())
    (number,) = await papers.numbers(person)
    standing = document(number, "111")
    assert await refused(papers.remove(removing(person, standing), own)) == "FIELD_INVALID"
    await papers.add(adding(person, passport, seen=True), clerk)
    request = removing(person, standing)
    left = await papers.remove(request, own)
    assert [each.document.type_code for each in left.documents] == [PASSPORT]
    assert await papers.remove(request, own) == left
    assert await papers.numbers(person) == [passport.number]
    assert await papers.lookup(passport) == person
    assert await refused(papers.lookup(standing)) == "RESOURCE_NOT_FOUND"
    assert await refused(papers.remove(removing(person, standing), own)) == "RESOURCE_NOT_FOUND"
    # What was given up is free for whoever it belongs to.
    await papers.add(adding(person, standing, seen=True), clerk)
    assert await papers.numbers(person) == [passport.number, number]


async def test_a_document_that_nobody_saw_bears_no_account(home: Town) -> None:
    papers, person, clerk = Papers(home), await home.person(), await home.staff_token()
    passport = document(_number())
    await papers.add(adding(person, passport, seen=True), clerk)
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE further_documents SET verify_time = NULL WHERE person = '{person[8:]}'")
    standing = document((await papers.numbers(person))[0], "111")
    assert await refused(papers.remove(removing(person, standing), clerk)) == "FIELD_INVALID"
    assert len((await papers.remove(removing(person, passport), clerk)).documents) == 1
    assert await refused(papers.lookup(passport)) == "RESOURCE_NOT_FOUND"


async def test_what_can_be_no_document_of_an_account_is_named(home: Town) -> None:
    papers, person, clerk = Papers(home), await home.person(), await home.staff_token()
    own, passport = await home.human_token(person), document(_number())
    over = adding(person, passport, seen=True)
    day = (home.service.process.clock.now() - timedelta(days=2)).date()
    over.document.expire_date.year, over.document.expire_date.month, over.document.expire_date.day = (
        day.year,
        day.month,
        day.day,
    )
    for request, token in (
        (over, clerk),
        (adding(person, document("110105194912310021", "111"), seen=True), clerk),
        (adding(person, passport), clerk),
        (adding(person, passport, seen=True), own),
    ):
        assert await refused(papers.add(request, token)) == "FIELD_INVALID"
    for at in range(9):
        await papers.add(adding(person, document(f"{_number()}{at}"), seen=True), clerk)
    assert await refused(papers.add(adding(person, passport, seen=True), clerk)) == "FIELD_INVALID"
    # The eleventh is refused; one of the ten is seen once more.
    known = document((await papers.numbers(person))[-1])
    assert len((await papers.add(adding(person, known, seen=True), clerk)).documents) == 10


async def test_nobody_changes_the_documents_of_whom_they_are_not(home: Town) -> None:
    papers, person, other = Papers(home), await home.person(), await home.person()
    own, clerk, passport = await home.human_token(other), await home.staff_token(), document(_number())
    for request, call in ((adding(person, passport), papers.add), (removing(person, passport), papers.remove)):
        assert await reason_of(call(request, own)) == "RESOURCE_NOT_FOUND"
    member = await home.make_staff(request_id()[:8], await home.admin_token(), person)
    await home.assign(member.name, home.posts["receiving"], await home.admin_token())
    herself = await home.human_token(member.name)
    assert await reason_of(papers.add(adding(person, passport, seen=True), herself)) == "ACTING_ON_SELF"
    assert await reason_of(papers.remove(removing(person, passport), herself)) == "ACTING_ON_SELF"
    old = await home.human_token(person, auth_time=int(home.service.process.wall.now().timestamp()) - 700)
    assert await reason_of(papers.remove(removing(person, passport), old)) == "AUTHENTICATION_TOO_OLD"
    assert await refused(papers.add(adding(person, passport, seen=True, etag=OLD), clerk)) == "ETAG_MISMATCH"
    assert await refused(papers.remove(removing(person, passport, OLD), clerk)) == "ETAG_MISMATCH"
    nobody = "persons/00000000-0000-7000-8000-0000000000aa"
    assert await refused(papers.add(adding(nobody, passport, seen=True), clerk)) == "RESOURCE_NOT_FOUND"
    await _close(home, other)
    assert await refused(papers.add(adding(other, passport, seen=True), clerk)) == "PERSON_NOT_ACTIVE"
    assert await refused(papers.remove(removing(other, passport), clerk)) == "PERSON_NOT_ACTIVE"


async def _close(home: Town, person: str) -> None:
    async with home.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person[8:]}'")
