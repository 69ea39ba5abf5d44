"""People are told who used their data, for what, and how much is held on them: what they ask of themselves, and nobody else."""

import json
from typing import Any

import pytest

from libs.crypto.sm3 import sm3
from libs.crypto.tongsuo import TongsuoProvider
from libs.crypto.x509.certificate import Certificate
from libs.owndata import copies
from tests.support.town import Town, reason_of
from tongban.audit.v1 import audit_service_pb2, audit_service_pb2_grpc
from tongban.common.v1 import common_pb2, use_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    mandate_service_pb2,
    resources_pb2,
    verification_service_pb2,
)
from tongban.owndata.v1 import own_data_service_pb2 as pb
from tongban.owndata.v1.own_data_service_pb2_grpc import OwnDataServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对身份")


async def _uses(town: Town, token: str, **asked: Any) -> pb.ListUsesResponse:
    request = pb.ListUsesRequest(parent="identity", **asked)
    return await town.call(OwnDataServiceStub(town.service.channel).ListUses, request, pb.ListUsesResponse, token)


async def _held(town: Town, token: str, **asked: Any) -> dict[str, int]:
    request = pb.CountHoldingsRequest(**{"parent": "identity", **asked})
    method = OwnDataServiceStub(town.service.channel).CountHoldings
    found = await town.call(method, request, pb.CountHoldingsResponse, token)
    return {each.type.removeprefix("tongban.cn/"): each.count for each in found.holdings}


async def _file(town: Town, token: str, **asked: Any) -> pb.DownloadOwnDataResponse:
    request = pb.DownloadOwnDataRequest(**{"parent": "identity", **asked})
    method = OwnDataServiceStub(town.service.channel).DownloadOwnData
    return await town.call(method, request, pb.DownloadOwnDataResponse, token)


async def _seen(town: Town, person: str, token: str, why: common_pb2.UseContext = WHY) -> resources_pb2.Person:
    request = account_service_pb2.GetPersonRequest(name=person, use_context=why)
    return await town.call(town.accounts.GetPerson, request, resources_pb2.Person, token)


async def test_a_person_is_told_which_office_read_their_account_and_why(home: Town) -> None:
    person = await home.person()
    own, clerk = await home.human_token(person), await home.staff_token("receiving")
    await _seen(home, person, own)
    assert not (await _uses(home, own)).uses
    await _seen(home, person, clerk)
    (use,) = (await _uses(home, own)).uses
    assert (use.subject, use.resource, [*use.fields]) == (person, person, ["person.masked"])
    assert (use.way, use.service, use.region, use.client, use.agent) == (use_pb2.USE_WAY_SHOWN, "identity", "", "", "")
    context = use.use_context
    assert (context.purpose_code, context.purpose) == ("IDENTITY_CHECK", "核对身份")
    assert context.department == home.department
    assert not context.operator
    assert home.staff["receiving"] not in str(use)


async def test_what_is_told_is_what_the_log_proves(home: Town) -> None:
    person = await home.person()
    own = await home.human_token(person)
    await _seen(home, person, await home.staff_token())
    (use,) = (await _uses(home, own)).uses
    log = audit_service_pb2_grpc.AuditServiceStub(home.service.channel)
    auditor = await home.staff_token("auditing")
    asked = audit_service_pb2.GetAuditRecordRequest(name=use.record)
    record = await home.call(log.GetAuditRecord, asked, audit_service_pb2.AuditRecord, auditor)
    assert (record.object, record.purpose, record.record_time) == (person, "核对身份", use.use_time)


async def test_every_read_of_ones_affairs_is_told(home: Town) -> None:
    person, agent = await home.person(), await home.person()
    own, other, clerk = await home.human_token(person), await home.human_token(agent), await home.staff_token()
    shown = await home.call(
        home.accounts.RevealPerson,
        account_service_pb2.RevealPersonRequest(name=person, use_context=WHY),
        resources_pb2.Person,
        clerk,
    )
    lookup = account_service_pb2.LookupPersonRequest(document=shown.documents[0].document, use_context=WHY)
    await home.call(home.accounts.LookupPerson, lookup, resources_pb2.Person, clerk)
    mandate = await home.mandate(person, agent, own)
    get = mandate_service_pb2.GetMandateRequest(name=mandate.name)
    await home.call(home.mandates.GetMandate, get, resources_pb2.Mandate, clerk)
    consents = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    listing = consent_service_pb2.ListConsentsRequest(subject=person)
    await home.call(consents.ListConsents, listing, consent_service_pb2.ListConsentsResponse, clerk)
    checks = verification_service_pb2.ListVerificationsRequest(parent=person)
    await home.call(home.checks.ListVerifications, checks, verification_service_pb2.ListVerificationsResponse, clerk)
    told = (await _uses(home, own)).uses
    assert [each.fields[0] for each in told] == ["verification", "consent", "mandate", "person.masked", "full_name"]
    assert [each.resource for each in (await _uses(home, other)).uses] == [mandate.name]
    assert {each.subject for each in told} == {person}


async def test_a_search_that_finds_nobody_is_told_to_nobody(home: Town) -> None:
    person = await home.person()
    wrong = common_pb2.IdentityDocument(type_code="111", number="11010519491231002X")
    lookup = account_service_pb2.LookupPersonRequest(document=wrong, use_context=WHY)
    found = home.call(home.accounts.LookupPerson, lookup, resources_pb2.Person, await home.staff_token())
    assert await reason_of(found) == "RESOURCE_NOT_FOUND"
    assert not (await _uses(home, await home.human_token(person))).uses


async def test_at_a_window_it_is_the_office_that_read(home: Town) -> None:
    person = await home.person()
    own = await home.human_token(person)
    window = await home.at_window(own, await home.staff_token("receiving"))
    await _seen(home, person, window)
    reads = [each for each in (await _uses(home, own)).uses if each.fields == ["person.masked"]]
    assert [each.use_context.department for each in reads] == [home.department]
    assert await reason_of(_uses(home, window)) == "ACTOR_NOT_ALLOWED"


async def test_nobody_asks_for_anothers(home: Town) -> None:
    person, other = await home.person(), await home.person()
    await _seen(home, person, await home.staff_token())
    stranger = await home.human_token(other)
    assert not (await _uses(home, stranger)).uses
    assert await reason_of(_uses(home, stranger, subject=person)) == "NOT_OWNER"
    assert await reason_of(_held(home, stranger, subject=person)) == "NOT_OWNER"
    assert not (await _uses(home, stranger, filter=f"resource = {person}")).uses
    assert await reason_of(_uses(home, await home.staff_token("auditing"))) == "ACTOR_NOT_ALLOWED"


async def test_another_services_is_asked_there(home: Town) -> None:
    own = await home.human_token(await home.person())
    request = pb.ListUsesRequest(parent="license")
    stub = OwnDataServiceStub(home.service.channel)
    assert await reason_of(home.call(stub.ListUses, request, pb.ListUsesResponse, own)) == "FIELD_INVALID"
    assert await reason_of(_held(home, own, parent="cases")) == "FIELD_INVALID"


async def test_pages_follow_one_another_newest_first(home: Town) -> None:
    person = await home.person()
    own, clerk = await home.human_token(person), await home.staff_token()
    for number in range(3):
        await _seen(home, person, clerk, common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose=f"第{number}次"))
    first = await _uses(home, own, page_size=2)
    second = await _uses(home, own, page_size=2, page_token=first.next_page_token)
    assert [each.use_context.purpose for each in (*first.uses, *second.uses)] == ["第2次", "第1次", "第0次"]
    assert not second.next_page_token
    since = first.uses[1].use_time.ToJsonString()
    later = await _uses(home, own, filter=f'use_time > "{since}"')
    assert [each.use_context.purpose for each in later.uses] == ["第2次"]
    assert not (await _uses(home, own, filter="use_context.purpose_code = CASE_HANDLING")).uses


async def test_what_is_held_is_counted_by_kind(home: Town) -> None:
    person, agent = await home.person(), await home.person()
    own = await home.human_token(person)
    before = await _held(home, own)
    assert (before["Person"], before["Mandate"], before["Session"]) == (1, 0, 0)
    assert "Organization" not in before
    await home.mandate(person, agent, own)
    assert (await _held(home, own))["Mandate"] == 1
    assert (await _held(home, await home.human_token(agent), subject=agent))["Mandate"] == 1


async def test_a_firm_is_told_of_by_whoever_acts_for_it(home: Town) -> None:
    person = await home.person()
    firm, own = await home.firm(person), await home.human_token(person)
    acting = await home.exchange(own, on_behalf_of=firm.name)
    assert (await _held(home, acting))["Organization"] == 1
    assert (await _held(home, acting, subject=person))["Person"] == 1
    assert "Organization" not in await _held(home, own)
    assert await reason_of(_held(home, own, subject=firm.name)) == "NOT_OWNER"


async def test_all_that_is_held_is_one_file_that_the_service_signs(home: Town) -> None:
    person, agent = await home.person(), await home.person()
    own = await home.human_token(person)
    mandate = await home.mandate(person, agent, own)
    await _seen(home, person, await home.staff_token())
    given = await _file(home, own)
    assert given.complete
    assert given.digest == "sm3:" + sm3(given.content).hex()
    certificate = Certificate.parse(given.certificate)
    TongsuoProvider().sm2_verify(certificate.public_key, given.content, given.signature)
    told = json.loads(given.content)
    assert (told["format"], told["service"], told["subject"]) == ("tongban-own-data 1", "identity", person)
    kinds = {each["type"]: each for each in told["kinds"]}
    assert [each["name"] for each in kinds["tongban.cn/Person"]["items"]] == [person]
    assert [each["name"] for each in kinds["tongban.cn/Mandate"]["items"]] == [mandate.name]
    assert "tongban.cn/Organization" not in kinds
    assert [each["useContext"]["purpose"] for each in told["uses"]["items"]] == ["核对身份"]
    assert agent not in kinds["tongban.cn/Person"]["items"][0].values()


async def test_the_file_is_ones_own_alone(home: Town) -> None:
    person, other = await home.person(), await home.human_token(await home.person())
    assert await reason_of(_file(home, other, subject=person)) == "NOT_OWNER"
    assert await reason_of(_file(home, other, parent="license")) == "FIELD_INVALID"
    unproven = await home.human_token(person, acr="1")
    assert await reason_of(_file(home, unproven)) == "ASSURANCE_TOO_LOW"


async def test_where_there_is_more_than_a_file_takes_it_says_so(home: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_MOST_BYTES", 1)
    own = await home.human_token(await home.person())
    given = await _file(home, own)
    kinds = {each["type"]: each for each in json.loads(given.content)["kinds"]}
    assert not given.complete
    assert not kinds["tongban.cn/Verification"]["complete"]
    assert kinds["tongban.cn/Mandate"]["complete"]
