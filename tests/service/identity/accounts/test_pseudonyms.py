"""Who reads an account gets a pseudonym of the person that is their own."""

import pytest

from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.held import WHY
from tests.support.town import Town, request_id
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import client_service_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _partner(home: Town, name: str) -> str:
    """The token of a partner's machine that may read accounts."""
    machine = Machine(name, new_key(f"{name}-1"))
    client = resources_pb2.Client(
        display_name="合作单位",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        scopes=["identity.persons.get"],
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=request_id())
    await home.call(home.clients.CreateClient, create, resources_pb2.Client, await home.admin_token())
    return await home.machine_token(machine)


async def _read(home: Town, person: str, token: str) -> str:
    get = pb.GetPersonRequest(name=person, use_context=WHY)
    return (await home.call(home.accounts.GetPerson, get, resources_pb2.Person, token)).pseudonym


async def test_each_reader_has_their_own_and_always_the_same(home: Town) -> None:
    person, other = await home.person(), await home.person()
    bank, hospital = await _partner(home, "bank"), await _partner(home, "hospital")
    clerk, own = await home.staff_token(), await home.human_token(person)
    found = [await _read(home, person, each) for each in (bank, hospital, clerk)]
    assert len(set(found)) == 3
    assert [len(each) for each in found] == [64, 64, 64]
    assert await _read(home, person, bank) == found[0]
    assert await _read(home, person, own) == found[2]
    assert await _read(home, other, bank) not in found
    reveal = pb.RevealPersonRequest(name=person, use_context=WHY)
    shown = await home.call(home.accounts.RevealPerson, reveal, resources_pb2.Person, clerk)
    assert shown.pseudonym == found[2]
    lookup = pb.LookupPersonRequest(document=shown.documents[0].document, use_context=WHY)
    known = await home.call(home.accounts.LookupPerson, lookup, resources_pb2.Person, clerk)
    assert known.pseudonym == found[2]
