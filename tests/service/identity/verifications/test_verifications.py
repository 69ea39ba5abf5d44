"""VerificationService: what raises a person's level, who may vouch, and the register behind it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.population import NAME, NUMBER, Checked, registered
from tests.support.service import Ground
from tests.support.town import Town, reason_of, request_id
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import verification_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSED, FAILED = resources_pb2.VERIFICATION_OUTCOME_PASSED, resources_pb2.VERIFICATION_OUTCOME_FAILED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checked(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checked]:
    """A region with a population register."""
    async with registered(ground, tmp_path_factory.mktemp("checked")) as found:
        yield found


async def _open(town: Town, number: str, name: str = NAME) -> str:
    document = common_pb2.IdentityDocument(type_code="111", number=number)
    request = account_service_pb2.CreatePersonRequest(
        person=resources_pb2.Person(full_name=name, documents=[resources_pb2.HeldDocument(document=document)]),
        request_id=request_id(),
    )
    made = await town.call(town.accounts.CreatePerson, request, resources_pb2.Person, await town.staff_token())
    return made.name


def _match(person: str, number: str, name: str = NAME) -> pb.RecordVerificationRequest:
    request = pb.RecordVerificationRequest(person=person, request_id=request_id())
    request.document_match.full_name = name
    request.document_match.document.type_code = "111"
    request.document_match.document.number = number
    return request


async def _record(town: Town, request: pb.RecordVerificationRequest, token: str) -> resources_pb2.Verification:
    return await town.call(town.checks.RecordVerification, request, resources_pb2.Verification, token)


async def _listed(town: Town, token: str, **asked: str) -> list[str]:
    request = pb.ListVerificationsRequest(**asked)  # type: ignore[arg-type]
    found = await town.call(town.checks.ListVerifications, request, pb.ListVerificationsResponse, token)
    return [each.name for each in found.verifications]


async def test_checks_are_listed_to_the_person(home: Town) -> None:
    person, other = await home.person(), await home.person()
    own = await home.human_token(person)
    assert await _listed(home, own, parent=person, filter="method = VERIFICATION_METHOD_IN_PERSON") != []
    assert await reason_of(_listed(home, own, parent=other)) == "RESOURCE_NOT_FOUND"


async def test_name_and_number_are_compared_with_account_and_register(checked: Checked) -> None:
    there = checked.town
    person, token = await _open(there, NUMBER), await there.machine_token(there.channel)
    request = _match(person, NUMBER.lower())
    made = await _record(there, request, token)
    assert (made.outcome, made.assurance, made.verifier) == (PASSED, 2, "verifiers/register")
    asked = len(checked.register.asked)
    assert await _record(there, request, token) == made
    wrong = await _record(there, _match(person, NUMBER, "别人"), token)
    assert (wrong.outcome, wrong.assurance) == (FAILED, 2)
    # A repeat, and what does not even agree with the account, never reach the register.
    assert len(checked.register.asked) == asked
    clerk = await there.staff_token()
    assert await _listed(there, clerk, parent=person) == [wrong.name, made.name]
    assert await _listed(there, clerk, parent=person, filter="outcome = VERIFICATION_OUTCOME_FAILED") == [wrong.name]


async def test_the_register_has_the_last_word_and_five_failures_are_enough(checked: Checked) -> None:
    there = checked.town
    number = there.people.citizen_id()
    person, token = await _open(there, number), await there.machine_token(there.channel)
    for _ in range(5):
        failed = await _record(there, _match(person, number), token)
        assert (failed.outcome, failed.assurance) == (FAILED, 0)
    assert await reason_of(_record(there, _match(person, number), token)) == "RATE_LIMITED"
    seen = pb.RecordVerificationRequest(person=person, request_id=request_id())
    seen.in_person.place = "大厅"
    assert (await _record(there, seen, await there.staff_token())).assurance == 4


async def test_without_an_answer_nothing_is_recorded(checked: Checked, home: Town) -> None:
    there = checked.town
    number = there.people.citizen_id()
    person, token = await _open(there, number), await there.machine_token(there.channel)
    checked.register.broken = True
    assert await reason_of(_record(there, _match(person, number), token)) == "DEPENDENCY_UNAVAILABLE"
    checked.register.broken = False
    own = home.people.citizen_id()
    theirs = await _open(home, own)
    unconfigured = _record(home, _match(theirs, own), await home.machine_token(home.channel))
    assert await reason_of(unconfigured) == "DEPENDENCY_UNAVAILABLE"


async def test_only_staff_vouch_in_person_and_not_for_themselves(home: Town) -> None:
    person = await home.person(verified=False)
    request = pb.RecordVerificationRequest(person=person, request_id=request_id())
    request.in_person.place = "大厅 A1"
    request.in_person.evidence.append("materials/00000000-0000-7000-8000-000000000001")
    machine = await home.machine_token(home.channel)
    assert await reason_of(_record(home, request, machine)) == "ACTOR_NOT_ALLOWED"
    made = await _record(home, request, await home.staff_token())
    assert (made.assurance, made.verifier) == (4, home.staff["receiving"])
    admin = await home.admin_token()
    request.request_id = request_id()
    assert await reason_of(_record(home, request, admin)) == "ACTOR_NOT_ALLOWED"
    herself = await home.make_staff("V-1", admin, person)
    await home.assign(herself.name, home.posts["receiving"], admin)
    request.request_id = request_id()
    assert await reason_of(_record(home, request, await home.human_token(herself.name))) == "ACTING_ON_SELF"
    request.person = "persons/00000000-0000-7000-8000-0000000000aa"
    assert await reason_of(_record(home, request, await home.staff_token())) == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(
    ("kept", "stated", "told"),
    [
        ("阿卜杜拉•买买提", "阿卜杜拉・买买提", "阿卜杜拉·买买提"),
        ("Jose\u0301", "José", "José"),
        ("欧阳（甲）", " 欧阳(甲) ", "欧阳(甲)"),
    ],
)
async def test_a_name_is_compared_however_it_is_written(checked: Checked, kept: str, stated: str, told: str) -> None:
    there = checked.town
    number = there.people.citizen_id()
    person, token = await _open(there, number, kept), await there.machine_token(there.channel)
    asked = len(checked.register.asked)
    await _record(there, _match(person, number, stated), token)
    assert [each["full_name"] for each in checked.register.asked[asked:]] == [told]
    await _record(there, _match(person, number, stated + "一"), token)
    assert len(checked.register.asked) == asked + 1
