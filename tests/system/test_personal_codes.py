"""Personal codes through the gateway of a region with two replicas of everything: three cards on one code, gates on one stream, what is counted."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from libs.client import AsyncTongban
from libs.rpc import status
from tests.support.at_gateway import resident, staff
from tests.support.codes import VOUCHER, gate
from tests.support.regions import OPENING, Regions
from tests.support.town import reason_of
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import code_service_pb2 as pb

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_HEALTH, _SOCIAL = pb.CREDENTIAL_KIND_HEALTH_CARD, pb.CREDENTIAL_KIND_SOCIAL_SECURITY_CARD


async def _machine(office: Office) -> AsyncTongban:
    """A system of the region that may scan in every scene."""
    return office.gateway.using(await office.admin_token())


async def _shown(phone: AsyncTongban) -> str:
    """The code that a phone shows."""
    return (await phone.call(pb.IssueCodeRequest(), pb.IssueCodeResponse)).code


def _card() -> str:
    """A card's number that no other card has."""
    return f"A{uuid.uuid4().int % 10**15:015}"


def _bound(person: str, kind: "pb.CredentialKind.ValueType", number: str) -> pb.BindCredentialRequest:
    return pb.BindCredentialRequest(person=person, kind=kind, number=number, request_id=request_id())


def _outcomes(answer: pb.ScanTransportCodesResponse) -> list[str]:
    """What became of each scan of a message: the region of the code, or the reason of a refusal."""
    assert answer.WhichOneof("result") == "answer"
    return [
        status.from_status(each.error).reason if each.HasField("error") else each.answer.code.region
        for each in answer.answer.scans
    ]


async def test_three_cards_are_one_code_and_each_scanner_learns_its_own_part(regions: Regions) -> None:
    office = regions.handling
    registry = Registry(office, 641)
    person, other = await registry.person(), await registry.person()
    phone, machine, clerk = resident(office, person.name), await _machine(office), await staff(office, "receiving")
    numbers = {VOUCHER: _card(), _SOCIAL: _card(), _HEALTH: _card()}
    for kind, number in numbers.items():
        made = await clerk.call(_bound(person.name, kind, number), pb.CredentialBinding)
        assert made.number == "*" * 12 + number[-4:]
    twice = clerk.call(_bound(other.name, VOUCHER, numbers[VOUCHER]), pb.CredentialBinding)
    assert await reason_of(twice) == "RESOURCE_EXISTS"
    own = phone.call(_bound(person.name, VOUCHER, _card()), pb.CredentialBinding)
    assert await reason_of(own) == "ACTOR_NOT_ALLOWED"  # nobody binds for themselves
    code = await _shown(phone)
    at_gate = await machine.call(
        pb.ScanTransportCodeRequest(code=code, scan=request_id()), pb.ScanTransportCodeResponse
    )
    assert set(at_gate.bound_kinds) == set(numbers)
    at_till = await machine.call(pb.ScanPharmacyCodeRequest(code=code, scan=request_id()), pb.ScanPharmacyCodeResponse)
    assert at_till.medical_insurance_voucher == numbers[VOUCHER]
    at_desk = await clerk.call(pb.ScanVisitCodeRequest(code=code, scan=request_id()), pb.ScanVisitCodeResponse)
    assert at_desk.full_name[0] == person.full_name[0]
    assert (at_desk.full_name, at_desk.document.number) != (person.full_name, person.number)
    at_window = await clerk.call(pb.ScanOfficeCodeRequest(code=code, scan=request_id()), pb.ScanOfficeCodeResponse)
    assert at_window.person == person.name
    # What is taken back is told to nobody any more.
    (voucher,) = (
        each
        for each in (
            await phone.call(pb.ListCredentialBindingsRequest(), pb.ListCredentialBindingsResponse)
        ).credential_bindings
        if each.kind == VOUCHER
    )
    await phone.call(pb.UnbindCredentialRequest(name=voucher.name, request_id=request_id()), pb.CredentialBinding)
    again = pb.ScanPharmacyCodeRequest(code=await _shown(phone), scan=request_id())
    assert (await machine.call(again, pb.ScanPharmacyCodeResponse)).medical_insurance_voucher == ""


async def _counted(office: Office) -> pb.QueryCodeStatisticsResponse:
    """What was counted around the day that the business clock shows."""
    day = common_pb2.Date(year=OPENING.year, month=OPENING.month, day=OPENING.day)
    request = pb.QueryCodeStatisticsRequest(start_date=day, end_date=day)
    return await (await staff(office, "receiving")).call(request, pb.QueryCodeStatisticsResponse)


async def test_gates_scan_over_one_stream_and_each_scan_is_counted_once(regions: Regions) -> None:
    """Both ways through the gateway: what one message is answered decides what the next one asks."""
    office, partner = regions.handling, regions.home
    phone = resident(office, (await Registry(office, 642).person()).name)
    abroad = resident(partner, (await Registry(partner, 642).person()).name)
    before = await _counted(office)
    own = await asyncio.gather(*(_shown(phone) for _ in range(20)))
    guest = await _shown(abroad)
    first, mixed = gate(*own), gate(own[0], guest, "no code")
    answered = asyncio.Queue[list[str]]()
    seen: list[list[str]] = []

    async def gates() -> AsyncIterator[pb.ScanTransportCodesRequest]:
        for message in (first, mixed, first):
            yield message
            seen.append(await answered.get())

    receipts = set()
    async for answer in (await _machine(office)).identity.scan_transport_codes(gates()):
        receipts.add(answer.receipt.record)
        answered.put_nowait(_outcomes(answer))
    here, there = office.gateway.id, partner.gateway.id
    assert seen == [[here] * 20, ["CODE_REPLAYED", there, "CODE_INVALID"], [here] * 20]
    assert len(receipts) == 3
    # A repeat and a refusal count for nothing, and the partner's code is a scan here.
    counted = await _counted(office)
    assert (counted.total_shows - before.total_shows, counted.total_scans - before.total_scans) == (20, 21)
    clerks = (await staff(office, "receiving")).identity.scan_transport_codes(iter([gate(*own)]))
    assert await reason_of(anext(aiter(clerks))) == "ACTOR_NOT_ALLOWED"
