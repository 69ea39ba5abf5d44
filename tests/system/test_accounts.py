"""Accounts of people, through the gateway of a region with two replicas of everything: two become one, one is closed, a kiosk is signed in at."""

import asyncio
import re

import httpx
import pytest

from deploy.local.demo.gateway import CLIENT_ASSERTION, Machine, request_id
from deploy.local.demo.office import Office, open_person
from deploy.local.demo.people import Registry
from libs.ids.synthetic import SyntheticPopulation
from tests.support.at_gateway import resident, staff
from tests.support.client_keys import new_key, public_jwk
from tests.support.held import CITIZEN, PASSPORT, WHY, document
from tests.support.lost_passwords import LOST_PASSWORDS
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tests.support.town import reason_of
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, client_service_pb2, resources_pb2, sign_in_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_EVIDENCE = "materials/00000000-0000-7000-8000-000000000001"
_KIOSK, _DEVICE_CODE, _PASSWORD = "kiosk", "urn:ietf:params:oauth:grant-type:device_code", "春眠不觉晓处处闻啼鸟"
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')
_OWN = {"useContext": {"purposeCode": "OWN_USE", "purpose": "查询本人办件"}}


async def _account(office: Office, name: str, of: common_pb2.IdentityDocument) -> str:
    """Opens an account of somebody who was seen with this document."""
    draft = resources_pb2.Person(full_name=name, documents=[resources_pb2.HeldDocument(document=of)])
    return (await open_person(office.gateway, await office.token_of("receiving"), draft)).name


async def _found(office: Office, of: common_pb2.IdentityDocument) -> str:
    """Whose a document is, as a clerk asks."""
    request = account_service_pb2.LookupPersonRequest(document=of, use_context=WHY)
    return (await (await staff(office, "receiving")).call(request, resources_pb2.Person)).name


async def _refused_everywhere(http: httpx.AsyncClient, token: str) -> str:
    """Waits until each replica of cases refuses a token; returns why."""
    in_a_row, headers = 0, {"authorization": f"Bearer {token}"}
    async with asyncio.timeout(PATIENCE):
        while in_a_row < 4:
            answer = await http.post("/v1/cases:read", json=_OWN, headers=headers)
            in_a_row = in_a_row + 1 if answer.status_code == 401 else 0
    return str(answer.json()["details"][0]["reason"])


async def test_two_accounts_become_one_when_two_of_staff_saw_who_it_is(regions: Regions) -> None:
    office = regions.handling
    drawn = SyntheticPopulation("two accounts", province=office.gateway.code[:2]).person()
    card, passport = document(drawn.citizen_id, CITIZEN), document("EM4711001", PASSPORT)
    kept, merged = await _account(office, drawn.name, card), await _account(office, drawn.name, passport)
    token = await resident(office, merged).token()
    headers = {"authorization": f"Bearer {token}"}
    served = await office.gateway.http.post("/v1/cases:read", json=_OWN, headers=headers)
    assert served.status_code == 200
    clerk, reviewer = await staff(office, "receiving"), await staff(office, "reviewing")
    draft = resources_pb2.PersonMerge(kept=kept, merged=merged, evidence=[_EVIDENCE])
    asked = account_service_pb2.CreatePersonMergeRequest(person_merge=draft, request_id=request_id())
    made = await clerk.call(asked, resources_pb2.PersonMerge)
    assert await clerk.call(asked, resources_pb2.PersonMerge) == made
    approve = account_service_pb2.ApprovePersonMergeRequest(name=made.name, etag=made.etag, request_id=request_id())
    assert await reason_of(clerk.call(approve, resources_pb2.PersonMerge)) == "ACTING_ON_SELF"
    assert await _found(office, passport) == merged
    done = await reviewer.call(approve, resources_pb2.PersonMerge)
    assert done.state == resources_pb2.PERSON_MERGE_STATE_DONE
    # Both documents lead to the one that lives on; who was signed in to the other one is so no more.
    assert {await _found(office, each) for each in (card, passport, card, passport)} == {kept}
    assert await _refused_everywhere(office.gateway.http, token) == "TOKEN_INVALID"


async def test_a_closed_account_is_signed_in_to_no_more_and_its_document_is_free(regions: Regions) -> None:
    office = regions.handling
    person = await Registry(office, 621).person()
    own = resident(office, person.name)
    token = await own.token()
    close = account_service_pb2.ClosePersonRequest(name=person.name, request_id=request_id())
    closed = await own.call(close, resources_pb2.Person)
    assert closed.state == resources_pb2.PERSON_STATE_CLOSED
    assert await _refused_everywhere(office.gateway.http, token) == "TOKEN_INVALID"
    channel = office.gateway.region.as_client(office.channel)
    assert await reason_of(channel.asserting(person.name, "PERSON", acr="4").token()) == "PERSON_NOT_ACTIVE"
    of = document(person.number, CITIZEN)
    assert await reason_of(_found(office, of)) == "RESOURCE_NOT_FOUND"
    again = await _account(office, person.full_name, of)
    assert await _found(office, of) == again != person.name


async def _kiosk(office: Office) -> Machine:
    key = new_key("kiosk-1")
    client = resources_pb2.Client(
        display_name="自助办事",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["cases.cases.list"],
        device_sign_in=True,
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=_KIOSK, request_id=request_id())
    await office.gateway.using(await office.admin_token()).call(request, resources_pb2.Client)
    return Machine(_KIOSK, key)


def _ticket(page: httpx.Response) -> str:
    found = _TICKET.search(page.text)
    assert found, page.text
    return found[1]


async def _agreed(office: Office, number: str, phone: httpx.AsyncClient, code: str) -> None:
    """Types at a phone what the kiosk shows, signs in and agrees to this device."""
    page = await phone.post("/oauth/device", data={"user_code": code})
    signed = {"ticket": _ticket(page), "login": number, "password": _PASSWORD}
    page = await phone.post("/oauth/sign-in", data=signed)
    assert "一楼3号机" in page.text
    answer = await phone.post("/oauth/consent", data={"ticket": _ticket(page), "decision": "allow"})
    assert answer.headers["location"] == "/oauth/device/allowed", office.gateway.url


async def test_a_password_that_was_lost_elsewhere_is_not_taken_and_the_page_stays(regions: Regions) -> None:
    office = regions.handling
    own = resident(office, (await Registry(office, 623).person()).name)
    begin = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
    opened = await own.call(begin, sign_in_service_pb2.Enrollment)
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False) as http:
        ticket = _ticket(await http.get(opened.uri))
        for lost in LOST_PASSWORDS:
            form = {"ticket": ticket, "password": lost, "again": lost}
            answer = await http.post("/oauth/enroll", data=form)
            assert (answer.status_code, "这个密码已在别处泄露" in answer.text) == (400, True)
        assert list((await own.identity.list_authenticators()).authenticators) == []
        form = {"ticket": ticket, "password": _PASSWORD, "again": _PASSWORD}
        assert (await http.post("/oauth/enroll", data=form)).status_code == 200
    assert len((await own.identity.list_authenticators()).authenticators) == 1


async def test_who_stands_at_a_kiosk_signs_in_by_their_phone(regions: Regions) -> None:
    office = regions.handling
    person, kiosk = await Registry(office, 622).person(), await _kiosk(office)
    begin = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
    opened = await resident(office, person.name).call(begin, sign_in_service_pb2.Enrollment)
    async with (
        httpx.AsyncClient(base_url=office.gateway.url, trust_env=False) as phone,
        httpx.AsyncClient(base_url=office.gateway.url, trust_env=False) as device,
    ):

        async def asks(path: str, **form: str) -> httpx.Response:
            proof = kiosk.sign(f"{office.gateway.url}/oauth/token", _KIOSK)
            signed = {"client_assertion_type": CLIENT_ASSERTION, "client_assertion": proof}
            return await device.post(f"/oauth/{path}", data={**form, **signed})

        password = {"ticket": _ticket(await phone.get(opened.uri)), "password": _PASSWORD, "again": _PASSWORD}
        assert (await phone.post("/oauth/enroll", data=password)).status_code == 200
        shown = await asks("device_authorization", scope="openid cases.cases.list", device_name="一楼3号机")
        assert shown.status_code == 200, shown.text
        codes = shown.json()
        waits = await asks("token", grant_type=_DEVICE_CODE, device_code=codes["device_code"])
        assert (waits.status_code, waits.json()["error"]) == (400, "authorization_pending")
        await _agreed(office, person.number, phone, codes["user_code"])
        # The interval that the answer names is kept: who asks sooner is told to wait longer.
        async with asyncio.timeout(PATIENCE):
            await asyncio.sleep(codes["interval"])
            given = await asks("token", grant_type=_DEVICE_CODE, device_code=codes["device_code"])
        assert given.status_code == 200, given.text
        headers = {"authorization": f"Bearer {given.json()['access_token']}"}
        assert (await device.post("/v1/cases:read", json=_OWN, headers=headers)).status_code == 200
        again = await asks("token", grant_type=_DEVICE_CODE, device_code=codes["device_code"])
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
