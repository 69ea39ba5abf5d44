"""What a region knows of people, through the gateways of two regions: how they are reached, their codes, who acts for them."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from libs import personal_codes
from libs.errors import TongbanError
from tests.support.contact_codes import code_in
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, code_service_pb2, mandate_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
_WHY = common_pb2.UseContext(purpose_code="OWN_USE", purpose="查询本人办件")


def _id() -> str:
    return str(uuid.uuid4())


async def _scanned(office: Office, code: str, scan: str) -> code_service_pb2.ScanOfficeCodeResponse:
    """What the window learns of a code."""
    clerk = office.gateway.using(await office.token_of("receiving"))
    request = code_service_pb2.ScanOfficeCodeRequest(code=code, scan=scan)
    return await clerk.call(request, code_service_pb2.ScanOfficeCodeResponse)


async def test_a_code_is_scanned_once_known_in_the_partner_city_and_checked_without_a_network(
    regions: Regions,
) -> None:
    office, partner = regions.handling, regions.home
    resident = await Registry(office, 501).person()
    phone = office.gateway.human(office.channel, resident.name, "PERSON", acr="4")
    shown = await phone.call(code_service_pb2.IssueCodeRequest(), code_service_pb2.IssueCodeResponse)
    # The scanner of the partner city: signature, time and level by the keys that two people pinned, and nothing of the holder.
    abroad = await _scanned(partner, shown.code, _id())
    assert (abroad.code.region, list(abroad.code.unreachable), abroad.person) == (
        office.gateway.id,
        [office.gateway.id],
        "",
    )
    scan = _id()
    known = [await _scanned(office, shown.code, scan) for _ in range(4)]  # a repeat, at either replica
    assert {each.person for each in known} == {resident.name}
    with pytest.raises(TongbanError) as refused:
        await _scanned(office, shown.code, _id())
    assert refused.value.reason == "CODE_REPLAYED"
    # Without a network: by the keys that anybody may have.
    told = (await office.gateway.http.get("/v1/codeKeys")).json()
    keys = personal_codes.keys_of(office.gateway.id, told["keys"])
    content = personal_codes.check(shown.code, keys, shown.issue_time.seconds)
    assert (content.region, content.assurance) == (office.gateway.id, 4)
    assert resident.name.partition("/")[2].replace("-", "") not in shown.code


async def test_a_code_that_was_sent_shows_by_what_somebody_is_reached(regions: Regions) -> None:
    office = regions.home
    resident = await Registry(office, 502).person()
    person = office.gateway.human(office.channel, resident.name, "PERSON", acr="4")
    point = resources_pb2.ContactPoint(email=f"{_id()}@example.com")
    points = account_service_pb2.SetContactPointsRequest(
        name=resident.name,
        contact_points=[point],
        etag=(await person.identity.get_person(name=resident.name)).etag,
        request_id=_id(),
    )
    await person.call(points, resources_pb2.Person)
    start = account_service_pb2.StartContactVerificationRequest(
        name=resident.name, contact_point=point, request_id=_id()
    )
    await person.call(start, account_service_pb2.StartContactVerificationResponse)
    folder = regions.state / office.gateway.id / "sent"
    async with asyncio.timeout(PATIENCE):
        while not (found := [each for each in folder.glob("*.eml") if point.email in each.read_text()]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # another process writes it
    confirm = account_service_pb2.ConfirmContactVerificationRequest(
        name=resident.name, contact_point=point, code=code_in(found[0]), request_id=_id()
    )
    await person.call(confirm, account_service_pb2.ConfirmContactVerificationResponse)
    (held,) = (await person.identity.get_person(name=resident.name)).contact_points
    assert held.HasField("verify_time")


async def test_a_guardian_acts_when_two_of_staff_saw_the_evidence_and_not_a_moment_longer(regions: Regions) -> None:
    office = regions.handling
    registry = Registry(office, 503)
    ward, guardian = await registry.person(), await registry.person()
    scope = resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY])
    draft = resources_pb2.Mandate(
        principal=ward.name, agent=guardian.name, scope=scope, evidence="materials/00000000-0000-7000-8000-000000000001"
    )
    now = office.gateway.using(await office.token_of("receiving"))
    draft.end_time.FromDatetime(datetime.now(UTC).replace(tzinfo=None) + timedelta(days=30))
    record = mandate_service_pb2.RecordGuardianRequest(mandate=draft, request_id=_id())
    made = await now.call(record, resources_pb2.Mandate)
    approve = mandate_service_pb2.ApproveGuardianRequest(name=made.name, etag=made.etag, request_id=_id())
    with pytest.raises(TongbanError) as alone:
        await now.call(approve, resources_pb2.Mandate)
    assert alone.value.reason == "ACTING_ON_SELF"
    second = office.gateway.using(await office.token_of("reviewing"))
    held = await second.call(approve, resources_pb2.Mandate)
    own = office.gateway.human(office.channel, guardian.name, "PERSON", acr="4")
    acting = own.on_behalf_of(ward.name, held.name)
    assert list((await acting.cases.list_cases(use_context=_WHY)).cases) == []
    token = await acting.token()
    end = mandate_service_pb2.RevokeMandateRequest(name=held.name, reason="监护关系终止", request_id=_id())
    await now.call(end, resources_pb2.Mandate)
    # The token that was given is refused by the service of cases, at each replica, within moments.
    async with asyncio.timeout(PATIENCE):
        in_a_row = 0
        while in_a_row < 4:
            answer = await office.gateway.http.post(
                "/v1/cases:read",
                json={"useContext": {"purposeCode": "OWN_USE", "purpose": "查询"}},
                headers={"authorization": f"Bearer {token}"},
            )
            in_a_row = in_a_row + 1 if answer.status_code == 401 else 0
            await asyncio.sleep(0.1)
    assert answer.json()["details"][0]["reason"] == "TOKEN_INVALID"
