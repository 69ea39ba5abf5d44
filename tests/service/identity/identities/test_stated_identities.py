"""Whether stated names and documents are those of accounts."""

import pytest

from tests.service.identity.conftest import Federation
from tests.support.town import Town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc, resources_pb2

JWT = "urn:ietf:params:oauth:token-type:jwt"
pytestmark = pytest.mark.asyncio(loop_scope="module")


def _stated(subject: str, name: str, type_code: str, number: str) -> pb.StatedIdentity:
    document = common_pb2.IdentityDocument(type_code=type_code, number=number)
    return pb.StatedIdentity(subject=subject, display_name=name, document=document)


async def test_what_is_stated_is_compared_with_the_account(home: Town) -> None:
    person, other, firm = await home.person(), await home.person(), await home.firm()
    reveal = pb.RevealPersonRequest(
        name=person, use_context=common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对")
    )
    token = await home.human_token(person)
    known = await home.call(home.accounts.RevealPerson, reveal, resources_pb2.Person, token)
    name, number, stranger = known.full_name, known.documents[0].document.number, home.people.person()
    stated = {
        _key(each): (each, so)
        for each, so in (
            (_stated(person, name, "111", number), True),
            (_stated(f"//341500/{person}", f" {name} ", "111", number), True),
            (_stated(person, name[::-1] + "某", "111", number), False),
            (_stated(person, name, "111", stranger.citizen_id), False),
            (_stated(person, name, "414", number), False),
            (_stated(other, name, "111", number), False),
            (_stated(f"//320402/{person}", name, "111", number), False),
            (_stated("", name, "111", number), False),
            (_stated("", stranger.name, "111", stranger.citizen_id), True),
            (_stated(firm.name, firm.display_name, "001", firm.uscc), True),
            (_stated(firm.name, "另一商行", "001", firm.uscc), False),
            (_stated(firm.name, firm.display_name, "001", home.people.uscc()), False),
            (_stated("", firm.display_name, "001", firm.uscc), False),
            (_stated(person, name, "111", "1"), False),
        )
    }
    channel = home.neighbour("cases")
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    request = pb.CheckIdentitiesRequest(identities=[each for each, _ in stated.values()])
    answer = await home.call(stub.CheckIdentities, request, pb.CheckIdentitiesResponse, "")
    assert list(answer.matches) == [so for _, so in stated.values()]
    await channel.close()


async def test_of_a_guest_what_their_region_said_is_believed(federation: Federation) -> None:
    home, away = federation.home, federation.away
    person, firm_of = await home.person(), await home.person()
    firm = await home.firm(firm_of)
    reveal = pb.RevealPersonRequest(
        name=person, use_context=common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对")
    )
    own = await home.human_token(person)
    known = await home.call(home.accounts.RevealPerson, reveal, resources_pb2.Person, own)
    guest, theirs = f"//341500/{person}", f"//341500/{firm.name}"
    stated = [
        _stated(guest, known.full_name, "111", known.documents[0].document.number),
        _stated(guest, "冒名", "111", known.documents[0].document.number),
        _stated(guest, known.full_name, "111", home.people.citizen_id()),
        _stated(theirs, firm.display_name, "001", firm.uscc),
    ]
    channel = away.neighbour("cases")
    stub = account_service_pb2_grpc.AccountServiceStub(channel)

    async def ask() -> list[bool]:
        request = pb.CheckIdentitiesRequest(identities=stated)
        return list((await away.call(stub.CheckIdentities, request, pb.CheckIdentitiesResponse, "")).matches)

    assert await ask() == [False] * 4
    await away.exchange(await home.exchange(own, audience="//320402"), JWT)
    assert await ask() == [True, False, False, False]
    acting = await home.exchange(await home.human_token(firm_of), on_behalf_of=firm.name)
    await away.exchange(await home.exchange(acting, audience="//320402"), JWT)
    assert await ask() == [True, False, False, True]
    await channel.close()


def _key(stated: pb.StatedIdentity) -> bytes:
    return stated.SerializeToString()
