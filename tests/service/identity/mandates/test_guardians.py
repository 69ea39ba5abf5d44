"""Guardians: recorded by one member of staff, approved by another, ended by staff or the guardian and never by the ward."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support import sql
from tests.support.town import FIRST, Town, reason_of, request_id
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVIDENCE = "materials/00000000-0000-7000-8000-000000000001"
REQUESTED, ACTIVE = resources_pb2.MANDATE_STATE_REQUESTED, resources_pb2.MANDATE_STATE_ACTIVE
_CHINA = timezone(timedelta(hours=8))


def _born(home: Town, years: int) -> date:
    """The birth date of somebody who was so old on the first of January."""
    return date(home.service.process.clock.now().year - years, 1, 1)


async def record(home: Town, ward: str, guardian: str, token: str = "", **fields: Any) -> resources_pb2.Mandate:
    """Records a guardian for a year."""
    scope = resources_pb2.MandateScope(
        all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY, options_pb2.MANDATE_POWER_PRESENT]
    )
    given = {"scope": scope, "evidence": EVIDENCE, **fields}
    end = given.pop("end", home.service.process.clock.now() + timedelta(days=365))
    draft = resources_pb2.Mandate(principal=ward, agent=guardian, **given)
    draft.end_time.FromDatetime(end.astimezone(UTC).replace(tzinfo=None))
    request = pb.RecordGuardianRequest(mandate=draft, request_id=request_id())
    token = token or await home.staff_token()
    return await home.call(home.mandates.RecordGuardian, request, resources_pb2.Mandate, token)


async def approve(home: Town, name: str, token: str = "", etag: str = FIRST) -> resources_pb2.Mandate:
    """Approves a guardian as reviewing staff."""
    request = pb.ApproveGuardianRequest(name=name, etag=etag, request_id=request_id())
    token = token or await home.staff_token("reviewing")
    return await home.call(home.mandates.ApproveGuardian, request, resources_pb2.Mandate, token)


async def revoke(home: Town, name: str, token: str) -> resources_pb2.Mandate:
    """Ends a guardian's mandate."""
    request = pb.RevokeMandateRequest(name=name, reason="监护关系终止", request_id=request_id())
    return await home.call(home.mandates.RevokeMandate, request, resources_pb2.Mandate, token)


async def _act(home: Town, guardian: str, ward: str, mandate: str) -> str:
    return await home.exchange(await home.human_token(guardian), on_behalf_of=ward, mandate=mandate)


async def test_a_guardian_acts_once_two_members_of_staff_saw_the_evidence(home: Town) -> None:
    child, parent = await home.person(born=_born(home, 10)), await home.person()
    made = await record(home, child, parent)
    assert (made.state, made.kind, made.granter) == (REQUESTED, resources_pb2.MANDATE_KIND_GUARDIAN, "")
    assert (made.evidence, [*made.witnesses]) == (EVIDENCE, [home.staff["receiving"]])
    assert await reason_of(_act(home, parent, child, made.name)) == "MANDATE_NOT_ACTIVE"
    accept = pb.AcceptMandateRequest(name=made.name, etag=made.etag, request_id=request_id())
    own = await home.human_token(parent)
    refused = home.call(home.mandates.AcceptMandate, accept, resources_pb2.Mandate, own)
    assert await reason_of(refused) == "STATE_CONFLICT"
    assert await reason_of(approve(home, made.name, await home.staff_token())) == "ACTING_ON_SELF"
    assert await reason_of(approve(home, made.name, etag='"7"')) == "ETAG_MISMATCH"
    held = await approve(home, made.name)
    assert (held.state, [*held.witnesses]) == (ACTIVE, [home.staff["receiving"], home.staff["reviewing"]])
    claims = (await home.verifier().verify(await _act(home, parent, child, made.name))).claims
    assert (claims["sub"], claims["org"], claims["mandate"]) == (parent, child, made.name)
    assert await reason_of(approve(home, made.name, etag=held.etag)) == "STATE_CONFLICT"
    # The ward needs no session for any of it, and sees it where they have one.
    seen = pb.GetMandateRequest(name=made.name)
    ward = await home.human_token(child)
    assert await home.call(home.mandates.GetMandate, seen, resources_pb2.Mandate, ward) == held


async def test_staff_and_the_guardian_end_it_and_the_ward_does_not(home: Town) -> None:
    child, parent = await home.person(born=_born(home, 10)), await home.person()
    first, second, third = [await record(home, child, parent) for _ in range(3)]
    await approve(home, first.name)
    own, ward, stranger = [await home.human_token(each) for each in (parent, child, await home.person())]
    assert await reason_of(revoke(home, first.name, ward)) == "NOT_OWNER"
    assert await reason_of(revoke(home, first.name, stranger)) == "RESOURCE_NOT_FOUND"
    revoked = resources_pb2.MANDATE_STATE_REVOKED
    assert (await revoke(home, first.name, own)).state == revoked
    assert await reason_of(_act(home, parent, child, first.name)) == "MANDATE_NOT_ACTIVE"
    # One alone refuses what waits, as one alone ends any right.
    assert (await revoke(home, second.name, await home.staff_token())).state == revoked
    assert await reason_of(approve(home, second.name, etag='"2"')) == "STATE_CONFLICT"
    window = await home.at_window(ward, await home.staff_token())
    assert await reason_of(revoke(home, third.name, window)) == "NOT_OWNER"
    # Staff end nobody's own mandates.
    plain = await home.mandate(parent, await home.person(), own)
    assert await reason_of(revoke(home, plain.name, await home.staff_token())) == "NOT_OWNER"


async def test_a_minors_ends_on_the_eighteenth_birthday(home: Town) -> None:
    born = _born(home, 10)
    child, parent = await home.person(born=born), await home.person()
    birthday = datetime(born.year + 18, 1, 1, tzinfo=_CHINA)
    made = await record(home, child, parent, end=birthday)
    assert made.end_time.ToDatetime(tzinfo=UTC) == birthday
    late = record(home, child, parent, end=birthday + timedelta(seconds=1))
    assert await reason_of(late) == "FIELD_INVALID"
    old, in_six_years = await home.person(born=_born(home, 80)), birthday.replace(year=birthday.year - 2)
    assert await reason_of(record(home, old, parent, end=in_six_years)) == "FIELD_INVALID"


async def test_who_can_be_recorded(home: Town) -> None:
    child, parent = await home.person(born=_born(home, 10)), await home.person()
    unknown = "persons/00000000-0000-7000-8000-0000000000aa"
    weak = await home.person(verified=False)
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ((await home.firm(parent)).name, parent, {}, "FIELD_INVALID"),
        (child, await home.person(born=_born(home, 16)), {}, "FIELD_INVALID"),
        (child, parent, {"evidence": ""}, "FIELD_INVALID"),
        (child, parent, {"kind": resources_pb2.MANDATE_KIND_HELPER}, "FIELD_INVALID"),
        (child, parent, {"acceptance_required": True}, "FIELD_INVALID"),
        (child, parent, {"sub_delegable": True}, "FIELD_INVALID"),
        (child, weak, {}, "ASSURANCE_TOO_LOW"),
        (child, unknown, {}, "RESOURCE_NOT_FOUND"),
        (unknown, parent, {}, "RESOURCE_NOT_FOUND"),
        (child, f"//440106/{parent}", {}, "REGION_NOT_TRUSTED"),
    ]
    for ward, guardian, fields, reason in cases:
        assert await reason_of(record(home, ward, guardian, **fields)) == reason, (fields, reason)
    # Nobody makes one of themselves, nor gives one as they give a mandate.
    assert await reason_of(record(home, child, parent, await home.human_token(parent))) == "ACTOR_NOT_ALLOWED"
    own = await home.human_token(parent)
    by_themselves = home.mandate(parent, child, own, kind=resources_pb2.MANDATE_KIND_GUARDIAN)
    assert await reason_of(by_themselves) == "FIELD_INVALID"
    assert await reason_of(home.mandate(parent, child, own, evidence=EVIDENCE)) == "FIELD_INVALID"
    made = await record(home, child, parent)
    assert await reason_of(approve(home, made.name.replace("mandates/0", "mandates/1"))) == "RESOURCE_NOT_FOUND"


async def test_whose_account_is_closed_has_no_guardian_and_is_none(home: Town) -> None:
    for closed in (0, 1):
        people = [await home.person(born=_born(home, 10)), await home.person()]
        made = await record(home, *people)
        async with home.service.process.database.transaction() as connection:
            await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{people[closed][8:]}'")
        assert await reason_of(record(home, *people)) == "PERSON_NOT_ACTIVE"
        assert await reason_of(approve(home, made.name)) == "PERSON_NOT_ACTIVE"


async def test_recorded_once_whatever_is_repeated(home: Town) -> None:
    child, parent = await home.person(born=_born(home, 10)), await home.person()
    token, draft = await home.staff_token(), await record(home, child, parent)
    draft.ClearField("start_time")
    request = pb.RecordGuardianRequest(mandate=draft, request_id=request_id())
    first = await home.call(home.mandates.RecordGuardian, request, resources_pb2.Mandate, token)
    assert await home.call(home.mandates.RecordGuardian, request, resources_pb2.Mandate, token) == first
    again = pb.ApproveGuardianRequest(name=first.name, etag=first.etag, request_id=request_id())
    second = await home.staff_token("reviewing")
    held = await home.call(home.mandates.ApproveGuardian, again, resources_pb2.Mandate, second)
    assert await home.call(home.mandates.ApproveGuardian, again, resources_pb2.Mandate, second) == held
    listed = pb.ListMandatesRequest(filter=f"principal = {child} AND kind = MANDATE_KIND_GUARDIAN")
    page = await home.call(home.mandates.ListMandates, listed, pb.ListMandatesResponse, await home.human_token(child))
    assert [each.name for each in page.mandates] == [first.name, draft.name]
    listed.filter += " AND state = MANDATE_STATE_REQUESTED"
    page = await home.call(home.mandates.ListMandates, listed, pb.ListMandatesResponse, await home.human_token(child))
    assert [each.name for each in page.mandates] == [draft.name]


async def test_staff_handle_no_affair_of_their_ward_or_guardian(home: Town) -> None:
    """The kernel of separation counts guardians, from when one is recorded on."""
    admin, child = await home.admin_token(), await home.person(born=_born(home, 10))
    for state in ("requested", "held"):
        parent = await home.person()
        clerk = (await home.make_staff(f"G-{request_id()[:8]}", admin, parent)).name
        await home.assign(clerk, home.posts["receiving"], admin)
        made = await record(home, child, parent)
        if state == "held":
            await approve(home, made.name)
        token = await home.human_token(clerk)
        other = await home.person()
        assert await reason_of(record(home, child, other, token)) == "ACTING_ON_SELF", state
        assert await reason_of(record(home, other, child, token)) == "ACTING_ON_SELF", state
        assert await reason_of(home.at_window(await home.human_token(child), token)) == "ACTING_ON_SELF", state
        waits = await record(home, child, other)
        assert await reason_of(approve(home, waits.name, token)) == "ACTING_ON_SELF", state
        assert await reason_of(revoke(home, waits.name, token)) == "ACTING_ON_SELF", state
