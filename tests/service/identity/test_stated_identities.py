"""Whether stated names and documents are those of accounts."""

import pytest

from tests.support.town import Town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _stated(subject: str, name: str, type_code: str, number: str) -> pb.StatedIdentity:
    document = common_pb2.IdentityDocument(type_code=type_code, number=number)
    return pb.StatedIdentity(subject=subject, display_name=name, document=document)


async def test_what_is_stated_is_compared_with_the_account(home: Town) -> None:
    person, other, firm = await home.person(), await home.person(), await home.firm()
    reveal = pb.RevealPersonRequest(name=person, context=common_pb2.UseContext(purpose="核对"))
    token = await home.human_token(person)
    known = (await home.call(home.accounts.RevealPerson, reveal, pb.RevealPersonResponse, token)).person
    name, number, stranger = known.full_name, known.document.number, home.people.person()
    stated = {
        _key(each): (each, so) for each, so in (
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
    }  # fmt: skip
    channel = home.neighbour("cases")
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    request = pb.CheckIdentitiesRequest(identities=[each for each, _ in stated.values()])
    answer = await home.call(stub.CheckIdentities, request, pb.CheckIdentitiesResponse, "")
    assert list(answer.matches) == [so for _, so in stated.values()]
    await channel.close()


def _key(stated: pb.StatedIdentity) -> bytes:
    return stated.SerializeToString()
