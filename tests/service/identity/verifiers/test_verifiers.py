"""VerificationService about checks that people take part in: started, finished once, and never for somebody else."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.config import HttpConfig
from services.identity.config import PopulationRegister, Verifiers, VerifierSection
from services.identity.oauth.server import HttpServer
from services.identity.verifications import population
from tests.support import sql
from tests.support.backends import HOST, free_port
from tests.support.service import Ground
from tests.support.town import Town, reason_of, request_id, town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import verification_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSED, FAILED = resources_pb2.VERIFICATION_OUTCOME_PASSED, resources_pb2.VERIFICATION_OUTCOME_FAILED
NAME, NUMBER = "阿卜杜拉•买买提", "11010519491231002X"
NOBODY = "persons/00000000-0000-7000-8000-0000000000aa"


@dataclass
class Faces:
    """A verifier that is not ours: says ``state`` of every check, or nonsense."""

    asked: list[dict[str, str]] = field(default_factory=list)
    state: str = "PENDING"
    nonsense: object = None

    async def checks(self, request: Request) -> Response:
        """Starts a check."""
        assert request.headers["authorization"] == "Bearer geheim"
        self.asked.append(await request.json())
        if self.nonsense is not None:
            return JSONResponse(self.nonsense)
        return JSONResponse({"reference": f"r{len(self.asked)}", "uri": f"https://faces.test/{len(self.asked)}"})

    async def results(self, request: Request) -> Response:
        """Tells what came of it."""
        self.asked.append(await request.json())
        return JSONResponse({"state": self.state} if self.nonsense is None else self.nonsense)


@dataclass(frozen=True)
class Checked:
    """A region, and its verifier of faces; banks are asked by a double, names by a table of the operator's."""

    town: Town
    faces: Faces

    async def newcomer(self, name: str = NAME, number: str = "") -> tuple[str, str]:
        """Somebody at level 0, and their own token."""
        there = self.town
        person = resources_pb2.Person(full_name=name)
        number = number or there.people.citizen_id()
        person.documents.add().document.CopyFrom(common_pb2.IdentityDocument(type_code="111", number=number))
        request = account_service_pb2.CreatePersonRequest(person=person, request_id=request_id())
        clerk = await there.staff_token()
        made = await there.call(there.accounts.CreatePerson, request, resources_pb2.Person, clerk)
        return made.name, await there.human_token(made.name)

    async def start(self, request: pb.StartVerificationRequest, token: str) -> pb.StartVerificationResponse:
        """Starts a check."""
        return await self.town.call(self.town.checks.StartVerification, request, pb.StartVerificationResponse, token)

    async def finish(self, request: pb.FinishVerificationRequest, token: str) -> resources_pb2.Verification:
        """Asks what came of it."""
        return await self.town.call(self.town.checks.FinishVerification, request, resources_pb2.Verification, token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checked(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checked]:
    """A region with verifiers."""
    folder, faces, port = tmp_path_factory.mktemp("verified"), Faces(), free_port()
    app = Starlette(
        routes=[Route(f"/v/{name}", getattr(faces, name), methods=["POST"]) for name in ("checks", "results")]
    )
    serving = asyncio.ensure_future(HttpServer(app, HttpConfig(host=HOST, port=port)).run())
    (folder / "token").write_text("geheim\n", encoding="utf-8")
    (folder / "key").write_bytes(b"k" * 32)
    rows = [list(population.COLUMNS), [NAME, "111", NUMBER]]
    population.write(folder / "table", population.prepare(rows, b"k" * 32, date(2024, 1, 9)))
    sections: dict[str, Any] = {
        "population_register": PopulationRegister(table=folder / "table", key_file=folder / "key"),
        "verifiers": Verifiers(
            face=VerifierSection(url=f"http://{HOST}:{port}/v/", token_file=folder / "token"),
            bank_card=VerifierSection(insecure_double=True),
        ),
    }
    async with town(ground, folder, **sections) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        yield Checked(found, faces)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture(autouse=True)
def faces(checked: Checked) -> Faces:
    """The verifier, as it is before each test."""
    checked.faces.state, checked.faces.nonsense = "PENDING", None
    checked.faces.asked.clear()
    return checked.faces


def face(person: str) -> pb.StartVerificationRequest:
    return pb.StartVerificationRequest(person=person, face=pb.FaceCheck(), request_id=request_id())


def done(person: str, attempt: str) -> pb.FinishVerificationRequest:
    return pb.FinishVerificationRequest(person=person, attempt=attempt, request_id=request_id())


async def test_a_face_raises_the_level_to_three_once_it_was_recognised(checked: Checked, faces: Faces) -> None:
    number = checked.town.people.citizen_id()
    person, own = await checked.newcomer(number=number)
    request = face(person)
    started = await checked.start(request, own)
    assert started.uri == "https://faces.test/1"
    assert await checked.start(request, own) == started
    asked = {"method": "FACE", "full_name": "阿卜杜拉·买买提", "document_type": "111", "document_number": number}
    assert faces.asked == [{"id": started.attempt, **asked}]
    waiting = done(person, started.attempt)
    assert await reason_of(checked.finish(waiting, own)) == "VERIFICATION_PENDING"
    faces.state = "PASSED"
    made = await checked.finish(waiting, own)
    assert (made.outcome, made.assurance, made.verifier) == (PASSED, 3, "verifiers/face")
    assert made.method == resources_pb2.VERIFICATION_METHOD_FACE
    known = len(faces.asked)
    assert await checked.finish(waiting, own) == made
    # It is recorded once, however it is asked for again.
    assert await reason_of(checked.finish(done(person, started.attempt), own)) == "RESOURCE_NOT_FOUND"
    assert len(faces.asked) == known
    get = account_service_pb2.GetPersonRequest(name=person)
    account = await checked.town.call(checked.town.accounts.GetPerson, get, resources_pb2.Person, own)
    assert account.assurance == 3
    assert account.documents[0].HasField("verify_time")


async def test_of_many_that_finish_one_check_one_records_it(checked: Checked, faces: Faces) -> None:
    person, own = await checked.newcomer()
    started = await checked.start(face(person), own)
    faces.state = "PASSED"
    tried = (checked.finish(done(person, started.attempt), own) for _ in range(5))
    answers = await asyncio.gather(*tried, return_exceptions=True)
    assert sorted(type(each).__name__ for each in answers) == ["NotFound"] * 4 + ["Verification"]


async def test_a_check_that_fails_is_recorded_and_lowers_nothing(checked: Checked, faces: Faces) -> None:
    person = await checked.town.person()
    own = await checked.town.human_token(person)
    started = await checked.start(face(person), own)
    faces.state = "FAILED"
    made = await checked.finish(done(person, started.attempt), own)
    assert (made.outcome, made.assurance) == (FAILED, 4)


async def test_five_are_started_within_an_hour(checked: Checked, faces: Faces) -> None:
    person, own = await checked.newcomer()
    for _ in range(5):
        await checked.start(face(person), own)
    assert await reason_of(checked.start(face(person), own)) == "RATE_LIMITED"
    assert len(faces.asked) == 5


async def test_after_five_failures_nothing_is_started_or_finished(checked: Checked, faces: Faces) -> None:
    person, own = await checked.newcomer()
    started = [await checked.start(face(person), own) for _ in range(4)]
    faces.state = "FAILED"
    for each in started[:3]:
        await checked.finish(done(person, each.attempt), own)
    clerk = await checked.town.staff_token()
    for _ in range(2):
        stated = pb.RecordVerificationRequest(person=person, request_id=request_id())
        stated.document_match.full_name = "别人"
        stated.document_match.document.type_code, stated.document_match.document.number = "111", NUMBER
        await checked.town.call(checked.town.checks.RecordVerification, stated, resources_pb2.Verification, clerk)
    assert await reason_of(checked.finish(done(person, started[3].attempt), own)) == "RATE_LIMITED"
    assert await reason_of(checked.start(face(person), own)) == "RATE_LIMITED"


async def test_an_attempt_is_good_for_its_person_and_its_time(checked: Checked, faces: Faces) -> None:
    (person, own), (other, theirs) = await checked.newcomer(), await checked.newcomer()
    started = await checked.start(face(person), own)
    faces.state = "PASSED"
    assert await reason_of(checked.finish(done(other, started.attempt), theirs)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(checked.finish(done(person, started.attempt), theirs)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(checked.start(face(other), own)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(checked.finish(done(person, request_id()), own)) == "RESOURCE_NOT_FOUND"
    assert started.expire_time.seconds - time.time() == pytest.approx(15 * 60, abs=60)
    await _move(checked, started.attempt, "15 minutes")
    assert await reason_of(checked.finish(done(person, started.attempt), own)) == "RESOURCE_NOT_FOUND"
    assert [each for each in faces.asked if "reference" in each] == []
    # What has been over for a day is forgotten with the next one.
    await _move(checked, started.attempt, "1 day")
    await checked.start(face(person), own)
    assert await _attempts(checked, person) == 1


async def _move(checked: Checked, attempt: str, back: str) -> None:
    statement = f"""UPDATE verification_attempts SET expire_time = expire_time - INTERVAL '{back}',
        create_time = create_time - INTERVAL '{back}' WHERE id = '{attempt}'"""
    async with checked.town.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.text(statement))


async def _attempts(checked: Checked, person: str) -> int:
    statement = f"SELECT count(*) FROM verification_attempts WHERE person = '{person.removeprefix('persons/')}'"
    async with checked.town.service.process.database.read() as connection:
        return int(await sql.scalar(connection, sa.text(statement)))


@pytest.mark.parametrize(
    "nonsense",
    [
        [],
        {},
        {"reference": "", "uri": "https://faces.test/1"},
        {"reference": "r", "uri": "javascript:alert(1)"},
        {"reference": 1, "uri": "https://faces.test/1"},
    ],
)
async def test_a_verifier_that_does_not_answer_as_it_should_is_away(
    checked: Checked, faces: Faces, nonsense: object
) -> None:
    person, own = await checked.newcomer()
    faces.nonsense = nonsense
    assert await reason_of(checked.start(face(person), own)) == "DEPENDENCY_UNAVAILABLE"
    assert await _attempts(checked, person) == 0
    faces.nonsense = None
    started = await checked.start(face(person), own)
    faces.nonsense = {"state": "MAYBE"}
    assert await reason_of(checked.finish(done(person, started.attempt), own)) == "DEPENDENCY_UNAVAILABLE"


async def test_where_none_is_configured_nothing_is_checked(home: Town) -> None:
    person = await home.person()
    own = await home.human_token(person)
    started = home.call(home.checks.StartVerification, face(person), pb.StartVerificationResponse, own)
    assert await reason_of(started) == "DEPENDENCY_UNAVAILABLE"


async def test_only_a_living_account_is_checked(checked: Checked) -> None:
    person, own = await checked.newcomer()
    started = await checked.start(face(person), own)
    state = f"UPDATE persons SET state = 'SUSPENDED' WHERE id = '{person.removeprefix('persons/')}'"
    async with checked.town.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.text(state))
    assert await reason_of(checked.start(face(person), own)) == "PERSON_NOT_ACTIVE"
    assert await reason_of(checked.finish(done(person, started.attempt), own)) == "PERSON_NOT_ACTIVE"


async def test_a_double_says_wherever_one_looks_that_it_is_one(
    checked: Checked, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    person, own = await checked.newcomer()
    request = pb.StartVerificationRequest(person=person, bank_card=pb.BankCardCheck(), request_id=request_id())
    started = await checked.start(request, own)
    made = await checked.finish(done(person, started.attempt), own)
    assert (made.assurance, made.verifier) == (3, "verifiers/insecure-double-bank-card")
    assert "insecure" in caplog.text + "".join(capsys.readouterr())
    scraped = generate_latest().decode()
    assert 'tongban_insecure{what="verifiers/insecure-double-bank-card"} 1.0' in scraped


async def test_names_are_compared_with_the_operators_own_list(checked: Checked) -> None:
    there = checked.town
    token = await there.machine_token(there.channel)
    for number, outcome in ((NUMBER, PASSED), (there.people.citizen_id(), FAILED)):
        person, _ = await checked.newcomer(number=number)
        stated = pb.RecordVerificationRequest(person=person, request_id=request_id())
        stated.document_match.full_name = NAME
        stated.document_match.document.type_code, stated.document_match.document.number = "111", number
        made = await there.call(there.checks.RecordVerification, stated, resources_pb2.Verification, token)
        assert (made.outcome, made.verifier) == (outcome, "verifiers/population-table")
