"""A consent that a read of an account names must be one that covers it; which of all it lacks is not told."""

from typing import Any

import pytest

from libs.errors import InvalidArgument
from tests.service.identity.consents.test_consents import _grant, _withdraw
from tests.support.town import Town, reason_of
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
_NOWHERE = "consents/00000000-0000-7000-8000-0000000000aa"


async def _read(home: Town, person: str, **said: str) -> resources_pb2.Person:
    context = common_pb2.UseContext(**{"purpose_code": "IDENTITY_CHECK", **said})
    stub = account_service_pb2_grpc.AccountServiceStub(home.service.channel)
    request = pb.RevealPersonRequest(name=person, use_context=context)
    return await home.call(stub.RevealPerson, request, resources_pb2.Person, await home.staff_token())


async def _consent(home: Town, person: str, **fields: Any) -> resources_pb2.Consent:
    given = {"purpose_code": "IDENTITY_CHECK", "resources": [person], **fields}
    return await _grant(home, person, await home.human_token(person), **given)


async def _refused(home: Town, person: str, **said: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await _read(home, person, **said)
    assert [(each.field, each.rule) for each in error.value.violations] == [("use_context.consent", "consent.covers")]


async def test_a_consent_that_covers_the_read_carries_it(home: Town) -> None:
    person = await home.person()
    made = await _consent(home, person)
    assert (await _read(home, person, consent=made.name)).name == person
    assert (await _read(home, person, consent=f"//{home.code}/{made.name}")).name == person


async def test_no_other_consent_does(home: Town) -> None:
    person, other = await home.person(), await home.person()
    theirs = await _consent(home, other)
    await _refused(home, person, consent=theirs.name)
    await _refused(home, person, consent=_NOWHERE)
    await _refused(home, person, consent=f"//320402/{theirs.name}")
    for lacking in (
        {"purpose_code": "ASSISTANCE"},
        {"recipient": "departments/00000000-0000-7000-8000-0000000000bb"},
        {"resources": ["licenses/-"]},
        {"case": "cases/1"},
    ):
        made = await _consent(home, person, **lacking)
        await _refused(home, person, consent=made.name)
    for_one_case = await _consent(home, person, case="cases/1")
    await _refused(home, person, consent=for_one_case.name, case="cases/2")
    assert (await _read(home, person, consent=for_one_case.name, case="cases/1")).name == person


async def test_one_that_was_taken_back_carries_nothing(home: Town) -> None:
    person = await home.person()
    made = await _consent(home, person)
    await _withdraw(home, made.name, await home.human_token(person))
    await _refused(home, person, consent=made.name)


async def test_what_identity_cant_have_checked_is_no_basis_of_its_reads(home: Town) -> None:
    person = await home.person()
    for basis in (
        {"item": "serviceItems/00000000-0000-7000-8000-000000000001"},
        {"grant": _NOWHERE.replace("consents", "dataGrants")},
    ):
        assert await reason_of(_read(home, person, **basis)) == "FIELD_INVALID"
    assert (await _read(home, person, law="《中华人民共和国居民身份证法》第十五条")).name == person
