"""Personal codes on line: shown by their holder alone, scanned once in each scene, and telling what the scene allows."""

import asyncio
import base64
import time
import uuid

import pytest

from libs.personal_codes import read
from tests.support import sql
from tests.support.codes import SCENES, Codes
from tests.support.silence import records, silenced
from tests.support.town import Town, reason_of
from tongban.identity.v1 import code_service_pb2 as pb
from tongban.identity.v1 import resources_pb2, staff_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANYBODY = "00000000-0000-7000-8000-0000000000aa"
DISCLOSING = [scene for scene in SCENES if scene != "Transport"]


@pytest.fixture(scope="module")
def codes(home: Town) -> Codes:
    return Codes(home)


async def test_a_person_shows_a_code_that_tells_nothing_of_them(codes: Codes) -> None:
    person = await codes.town.person()
    token = await codes.town.human_token(person, acr="3")
    first, second = [await codes.issue(token) for _ in range(2)]
    assert len(first.code) < 230
    assert first.expire_time.seconds - first.issue_time.seconds == 60
    assert abs(first.issue_time.seconds - time.time()) < 30
    opened = [codes.mint().opened(read(each.code), codes.mint().public()) for each in (first, second)]
    assert [each.person for each in opened] == [person.removeprefix("persons/")] * 2
    assert [each.code.content.assurance for each in opened] == [3, 3]
    one, other = (each.code.content.handle for each in opened)
    # What two codes of one person have in common is the form of a handle: format and version of the key.
    assert one[:5] == other[:5]
    assert not any(a == b for a, b in zip(_eighths(one[5:]), _eighths(other[5:]), strict=True))
    assert uuid.UUID(person.removeprefix("persons/")).bytes not in one


def _eighths(data: bytes) -> list[bytes]:
    return [data[place : place + 4] for place in range(0, len(data) - 3, 4)]


async def test_only_a_person_who_is_known_well_enough_gets_one(codes: Codes) -> None:
    home = codes.town
    person = await home.person()
    assert await reason_of(codes.issue(await home.human_token(person, acr="1"))) == "ASSURANCE_TOO_LOW"
    window = await home.at_window(await home.human_token(person), await home.staff_token())
    for token in (window, await home.staff_token(), await home.admin_token()):
        assert await reason_of(codes.issue(token)) in ("ACTOR_NOT_ALLOWED", "PERMISSION_MISSING")


async def test_each_scene_tells_what_it_may_and_no_more(codes: Codes) -> None:
    home = codes.town
    person = await home.person()
    await codes.bind(person, "YB3415000001")
    gate = await codes.scan("Transport", await codes.shown(person))
    assert (list(gate.bound_kinds), gate.code.region, gate.code.assurance) == (
        [pb.CREDENTIAL_KIND_MEDICAL_INSURANCE_VOUCHER],
        home.region.id,
        4,
    )
    assert list(gate.code.unreachable) == []
    assert (await codes.scan("Pharmacy", await codes.shown(person))).medical_insurance_voucher == "YB3415000001"
    seen = await codes.scan("Visit", await codes.shown(person))
    assert seen.full_name[1:] == "*" * (len(seen.full_name) - 1)
    assert len(seen.full_name) > 1
    assert (seen.document.type_code, seen.document.number[3:-4]) == ("111", "*" * 11)
    window = await codes.scan("Office", await codes.shown(person), await home.staff_token())
    assert window.person == person


async def test_a_till_learns_nothing_where_no_voucher_is_bound(codes: Codes) -> None:
    person = await codes.town.person()
    assert (await codes.scan("Pharmacy", await codes.shown(person))).medical_insurance_voucher == ""


@pytest.mark.parametrize("scene", SCENES)
async def test_who_scans_in_one_scene_scans_in_no_other(codes: Codes, scene: str) -> None:
    token = await codes.scanner(*(each for each in SCENES if each != scene))
    code = await codes.shown(await codes.town.person())
    assert await reason_of(codes.scan(scene, code, token)) == "PERMISSION_MISSING"
    await codes.scan(scene, code)  # and it was not used up


@pytest.mark.parametrize("scene", SCENES)
async def test_a_code_is_used_once_in_each_scene(codes: Codes, scene: str) -> None:
    code, token = await codes.shown(await codes.town.person()), await codes.scanner(*SCENES)
    scan = str(uuid.uuid4())
    first = await codes.scan(scene, code, token, scan)
    assert await reason_of(codes.scan(scene, code, token)) == "CODE_REPLAYED"
    # A repeat of the same scan is answered as it was, in whichever case the UUID is written.
    assert await codes.scan(scene, code, token, scan.upper()) == first
    other = next(each for each in SCENES if each != scene)
    await codes.scan(other, code, token)


async def test_a_scan_of_one_is_no_repeat_of_anothers(codes: Codes) -> None:
    code, scan = await codes.shown(await codes.town.person()), str(uuid.uuid4())
    await codes.scan("Visit", code, scan=scan)
    assert await reason_of(codes.scan("Visit", code, await codes.town.staff_token(), scan)) == "CODE_REPLAYED"


async def test_of_many_at_once_one_gets_through(codes: Codes) -> None:
    code, token = await codes.shown(await codes.town.person()), await codes.scanner("Office")
    found = await asyncio.gather(*(codes.scan("Office", code, token) for _ in range(8)), return_exceptions=True)
    assert sorted(getattr(each, "reason", "OK") for each in found) == ["CODE_REPLAYED"] * 7 + ["OK"]


async def test_a_second_signature_of_the_same_code_is_the_same_code(codes: Codes) -> None:
    """ECDSA has two signatures for each: (r, s) and (r, n - s)."""
    code = await codes.shown(await codes.town.person())
    await codes.scan("Transport", code)
    assert await reason_of(codes.scan("Transport", twisted(code))) == "CODE_REPLAYED"


@pytest.mark.parametrize("scene", SCENES)
async def test_what_is_no_code_of_ours_is_told_why(codes: Codes, scene: str) -> None:
    person = (await codes.town.person()).removeprefix("persons/")
    good, _ = codes.mint().make(person, 3)
    for wrong, rule in (
        ("https://example.cn/", "form"),
        (good[:-6] + "AAAAAA", "signature"),
        (codes.mint(later=30).make(person, 3)[0], "early"),
        (codes.mint().make(ANYBODY, 3)[0], "holder"),
        (twisted(good).replace("tbc1.", "tbc2."), "form"),
    ):
        with pytest.raises(Exception, match="no valid") as refusal:
            await codes.scan(scene, wrong)
        assert (refusal.value.reason, refusal.value.metadata) == ("CODE_INVALID", {"rule": rule})  # type: ignore[attr-defined]
    old, _ = codes.mint(later=-66).make(person, 3)
    assert await reason_of(codes.scan(scene, old)) == "CODE_EXPIRED"
    late, _ = codes.mint(later=-58).make(person, 3)
    await codes.scan(scene, late)
    await codes.scan(scene, good)


@pytest.mark.parametrize("scene", DISCLOSING)
async def test_no_record_no_answer_and_the_code_is_not_used_up(codes: Codes, scene: str) -> None:
    person = await codes.town.person()
    code, token = await codes.shown(person), await codes.scanner(scene)
    async with silenced(codes.town.service, "identity"):
        assert await reason_of(codes.scan(scene, code, token)) in ("INTERNAL", "AUDIT_UNAVAILABLE")
    await codes.scan(scene, code, token)
    assert (await records(codes.town.service))[-1] == person


async def test_a_gate_leaves_a_record_of_nobody(codes: Codes) -> None:
    code = await codes.shown(await codes.town.person())
    await codes.scan("Transport", code)
    assert (await records(codes.town.service))[-1] == "codes"


async def test_a_code_of_a_closed_account_is_none(codes: Codes) -> None:
    person = await codes.town.person()
    code, token = await codes.shown(person), await codes.town.human_token(person)
    async with codes.town.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person[8:]}'")
    assert await reason_of(codes.issue(token)) == "PERSON_NOT_ACTIVE"
    for scene in SCENES:
        assert await reason_of(codes.scan(scene, code)) == "CODE_INVALID"


@pytest.mark.parametrize("scene", ["Visit", "Office"])
async def test_staff_scan_no_code_of_their_own(codes: Codes, scene: str) -> None:
    home = codes.town
    get = staff_service_pb2.GetStaffRequest(name=home.staff["receiving"])
    me = (await home.call(home.offices.GetStaff, get, resources_pb2.Staff, await home.admin_token())).person
    code = await codes.shown(me)
    assert await reason_of(codes.scan(scene, code, await home.staff_token())) == "ACTING_ON_SELF"
    await codes.scan(scene, code)  # it was not used up


def twisted(code: str) -> str:
    """The same code by the other signature that holds."""
    head, _, tail = code.rpartition(".")
    signature = base64.urlsafe_b64decode(tail + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = (order - int.from_bytes(signature[32:])).to_bytes(32)
    return f"{head}.{base64.urlsafe_b64encode(signature[:32] + other).decode().rstrip('=')}"
