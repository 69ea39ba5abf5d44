"""How people are reached, and the codes that show it: who sets it, what a code proves, how often it is sent and tried."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.errors import ResourceExhausted
from services.identity.core.accounts import PHONE
from tests.support import sql
from tests.support.contact_codes import Reached, email, phone, to_files
from tests.support.held import Papers
from tests.support.recorded import records_of
from tests.support.refusing import OLD, asked, refused
from tests.support.service import Ground
from tests.support.town import Town, reason_of, request_id, town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import verification_service_pb2 as verifications

pytestmark = pytest.mark.asyncio(loop_scope="module")
STEPS = ("SetContactPoints", "StartContactVerification", "ConfirmContactVerification")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reached(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reached]:
    """A region that writes what it sends into a folder."""
    folder = tmp_path_factory.mktemp("reached")
    async with town(ground, folder, notify=to_files(folder / "sent")) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        yield Reached(found, folder / "sent")


def _number() -> str:
    return f"138{int(request_id()[:8], 16) % 10**8:08d}"


def _address() -> str:
    return f"Zhang.{request_id()[:8]}@example.com"


def _not(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def _newcomer(reached: Reached, *points: resources_pb2.ContactPoint) -> str:
    """Somebody at level 0."""
    there = reached.town
    drawn = there.people.person()
    person = resources_pb2.Person(full_name=drawn.name, contact_points=points)
    person.documents.add().document.CopyFrom(common_pb2.IdentityDocument(type_code="111", number=drawn.citizen_id))
    request = account_service_pb2.CreatePersonRequest(person=person, request_id=request_id())
    clerk = await there.staff_token()
    return (await there.call(there.accounts.CreatePerson, request, resources_pb2.Person, clerk)).name


async def test_a_code_shows_a_phone_and_raises_the_level_once(reached: Reached) -> None:
    number = phone(_number())
    person = await _newcomer(reached, number, email(_address()))
    own = await reached.town.human_token(person)
    code = await reached.code(person, number, own)
    request = reached.confirm(person, number, code)
    answer = await reached.call("ConfirmContactVerification", request, own)
    assert answer.confirmed
    assert answer.remaining_tries == 0
    assert answer.person.assurance == 1
    assert answer.person.masked
    assert [each.HasField("verify_time") for each in answer.person.contact_points] == [True, False]
    assert await reached.call("ConfirmContactVerification", request, own) == answer
    # The code was good once.
    again = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    assert not again.confirmed
    listing = verifications.ListVerificationsRequest(parent=person)
    found = await reached.town.call(
        reached.town.checks.ListVerifications, listing, verifications.ListVerificationsResponse, own
    )
    assert [(each.method, each.verifier, each.assurance) for each in found.verifications] == [
        (resources_pb2.VERIFICATION_METHOD_PHONE, "verifiers/code", 1)
    ]


async def test_an_address_is_shown_by_a_mail_and_raises_nothing(reached: Reached) -> None:
    address = email(_address())
    person = await _newcomer(reached, address)
    own = await reached.town.human_token(person)
    code = await reached.code(person, address, own)
    # It is one address in capitals, too.
    same = email(address.email.upper())
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, same, code), own)
    assert answer.confirmed
    assert answer.person.assurance == 0
    assert answer.person.contact_points[0].email == "Z***@example.com"
    clear = (await Papers(reached.town).clear(person)).contact_points[0]
    assert clear.email == address.email
    assert clear.HasField("verify_time")


async def test_a_level_is_never_lowered(reached: Reached) -> None:
    number, person = phone(_number()), await reached.town.person()
    own = await reached.town.human_token(person)
    await reached.reach(person, own, number)
    code = await reached.code(person, number, own)
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    assert answer.person.assurance == 4


async def test_five_wrong_codes_spend_it(reached: Reached) -> None:
    number = phone(_number())
    person = await _newcomer(reached, number)
    own = await reached.town.human_token(person)
    code = await reached.code(person, number, own)
    request = reached.confirm(person, number, _not(code))
    first = await reached.call("ConfirmContactVerification", request, own)
    assert (first.confirmed, first.remaining_tries) == (False, 4)
    # A repeat is no other try.
    assert await reached.call("ConfirmContactVerification", request, own) == first
    left = []
    for _ in range(4):
        tried = reached.confirm(person, number, _not(code))
        left.append((await reached.call("ConfirmContactVerification", tried, own)).remaining_tries)
    assert left == [3, 2, 1, 0]
    late = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    assert not late.confirmed
    assert not late.person.contact_points[0].HasField("verify_time")


async def test_a_code_is_good_for_five_minutes(reached: Reached) -> None:
    number = phone(_number())
    person = await _newcomer(reached, number)
    own = await reached.town.human_token(person)
    code = await reached.code(person, number, own)
    await reached.later(person, 5)
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    assert (answer.confirmed, answer.remaining_tries) == (False, 0)


async def test_a_new_code_replaces_the_one_before_and_a_repeat_sends_none(reached: Reached) -> None:
    number = phone(_number())
    person = await _newcomer(reached, number)
    own = await reached.town.human_token(person)
    before, request = set(reached.files()), reached.start(person, number)
    answer = await reached.call("StartContactVerification", request, own)
    await reached.arrived(before)
    first = set(reached.files())
    assert await reached.call("StartContactVerification", request, own) == answer
    await reached.later(person, 2)
    second = await reached.code(person, number, own)
    # One file for the first request and its repeat, one for the second.
    assert len(set(reached.files()) - first) == 1
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, number, second), own)
    assert answer.confirmed


async def test_codes_are_sent_in_measure(reached: Reached) -> None:
    number, another = phone(_number()), phone(_number())
    person, neighbour = await _newcomer(reached, number, another), await _newcomer(reached, number)
    own, theirs = await reached.town.human_token(person), await reached.town.human_token(neighbour)
    await reached.code(person, number, own)
    start = reached.start(person, number)
    with pytest.raises(ResourceExhausted) as soon:
        await reached.call("StartContactVerification", start, own)
    assert soon.value.retry_after is not None
    assert 50 < soon.value.retry_after <= 60
    # The phone is left in peace by whoever asks, also by a number that is written otherwise.
    assert await refused(reached.call("StartContactVerification", reached.start(neighbour, number), theirs)) == (
        "RATE_LIMITED"
    )
    for _ in range(4):
        await reached.later(person, 2)
        await reached.code(person, number, own)
    await reached.later(person, 2)
    for whose, point, token in ((person, number, own), (person, another, own), (neighbour, number, theirs)):
        asking = reached.call("StartContactVerification", reached.start(whose, point), token)
        assert await refused(asking) == "RATE_LIMITED"
    await reached.later(person, 60)
    await reached.code(person, another, own)
    await reached.code(neighbour, number, theirs)


async def test_how_one_is_reached_is_set_as_a_whole_and_what_was_shown_stays(reached: Reached) -> None:
    first, second, third = phone(_number()), email(_address()), phone(f"+86{_number()}")
    person = await _newcomer(reached, first)
    own = await reached.town.human_token(person)
    code = await reached.code(person, first, own)
    await reached.call("ConfirmContactVerification", reached.confirm(person, first, code), own)
    told = await reached.reach(person, own, third, second, phone(f"+86{first.phone}"))
    assert [each.HasField("verify_time") for each in told.contact_points] == [False, False, True]
    found = (await Papers(reached.town).clear(person)).contact_points
    assert [each.phone or each.email for each in found] == [third.phone, second.email, first.phone]
    await reached.reach(person, own, second)
    told = await reached.reach(person, own, second, first)
    assert [each.HasField("verify_time") for each in told.contact_points] == [False, False]
    assert not (await reached.reach(person, own)).contact_points


async def test_a_code_for_what_was_taken_away_shows_nothing(reached: Reached) -> None:
    number = phone(_number())
    person = await _newcomer(reached, number)
    own = await reached.town.human_token(person)
    code = await reached.code(person, number, own)
    await reached.reach(person, own)
    await reached.reach(person, own, number)
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    assert not answer.confirmed


async def test_an_account_of_before_keeps_its_phone_and_has_it_shown(reached: Reached) -> None:
    """The phone of an account that was opened by 0.2.0 stands in its own row."""
    number = phone(_number())
    person = await _newcomer(reached)
    process = reached.town.service.process
    async with process.database.transaction() as connection:
        stored = process.cipher.encrypt_text(PHONE, person[8:], number.phone)
        await sql.execute(connection, f"UPDATE persons SET phone = '\\x{stored.hex()}' WHERE id = '{person[8:]}'")
    own = await reached.town.human_token(person)
    assert [each.phone for each in (await Papers(reached.town).clear(person)).contact_points] == [number.phone]
    code = await reached.code(person, number, own)
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    assert answer.confirmed
    assert [each.HasField("verify_time") for each in answer.person.contact_points] == [True]
    assert not (await reached.reach(person, own)).contact_points


async def test_a_code_stands_in_no_table_and_in_no_record(reached: Reached) -> None:
    number = phone(_number())
    person = await _newcomer(reached, number)
    own = await reached.town.human_token(person)
    code = await reached.code(person, number, own)
    await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), own)
    process = reached.town.service.process
    async with process.database.read() as connection:
        rows = await sql.scalars(connection, f"SELECT c::text FROM contact_codes c WHERE person = '{person[8:]}'")
    # The time of day may hold six digits that are the code's by chance.
    assert len(rows) == 1
    assert f",{code}," not in rows[0]
    assert number.phone not in rows[0]
    for record in await records_of(process, "ConfirmContactVerification"):
        assert code not in str(record)


async def test_what_is_no_contact_point_of_the_account_gets_no_code(reached: Reached) -> None:
    person = await _newcomer(reached, phone(_number()))
    own = await reached.town.human_token(person)
    start = reached.start(person, phone(_number()))
    assert await refused(reached.call("StartContactVerification", start, own)) == "FIELD_INVALID"
    twice = reached.reach(person, own, email("a@example.com"), email("A@Example.com"))
    assert await refused(twice) == "FIELD_INVALID"


async def test_a_region_that_sends_nothing_says_so(home: Town) -> None:
    nothing, person = Reached(home, home.credentials.parent), await home.person()
    own, number = await home.human_token(person), phone(_number())
    await nothing.reach(person, own, number)
    start = nothing.start(person, number)
    assert await refused(nothing.call("StartContactVerification", start, own)) == "DEPENDENCY_UNAVAILABLE"


async def test_nobody_changes_how_another_is_reached(reached: Reached) -> None:
    there, number = reached.town, phone(_number())
    person, other = await _newcomer(reached, number), await there.person()
    stranger, clerk = await there.human_token(other), await there.staff_token()
    nobody = "persons/00000000-0000-7000-8000-0000000000aa"

    async def each(name: str, token: str) -> list[str]:
        setting = asked("SetContactPoints", name, OLD)
        requests = (setting, reached.start(name, number), reached.confirm(name, number, "123456"))
        return [await reason_of(reached.call(rpc, one, token)) for rpc, one in zip(STEPS, requests, strict=True)]

    assert await each(person, stranger) == ["RESOURCE_NOT_FOUND"] * 3
    assert await each(nobody, clerk) == ["RESOURCE_NOT_FOUND"] * 3
    setting = asked("SetContactPoints", person, OLD)
    assert await refused(reached.call("SetContactPoints", setting, clerk)) == "ETAG_MISMATCH"
    async with there.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person[8:]}'")
    assert await each(person, clerk) == ["PERSON_NOT_ACTIVE"] * 3


async def test_who_signed_in_weakly_diverts_nothing_of_whom_is_known_by_name(reached: Reached) -> None:
    person = await reached.town.person()
    weak = await reached.town.human_token(person, acr="1")
    assert await refused(reached.reach(person, weak, phone(_number()))) == "ASSURANCE_TOO_LOW"


async def test_a_clerk_helps_at_the_window(reached: Reached) -> None:
    number = phone(_number())
    person, clerk = await _newcomer(reached), await reached.town.staff_token()
    await reached.reach(person, clerk, number)
    code = await reached.code(person, number, clerk)
    answer = await reached.call("ConfirmContactVerification", reached.confirm(person, number, code), clerk)
    assert answer.confirmed
