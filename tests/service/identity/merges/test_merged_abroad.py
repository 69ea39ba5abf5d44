"""Another region is told who somebody was before, and what waits to be sent there for the old name still goes."""

import pytest

from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import Federation
from tests.support.merging import Merging
from tests.support.patience import invoke
from tests.support.town import Town, reason_of
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, account_service_pb2_grpc, token_service_pb2_grpc
from tongban.identity.v1 import token_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"
AWAY = "//320402"


async def _service_token(home: Town) -> str:
    channel = home.neighbour("cases")
    stub = token_service_pb2_grpc.TokenServiceStub(channel)
    answer = pb.IssueServiceTokenResponse
    made = await invoke(stub.IssueServiceToken, pb.IssueServiceTokenRequest(), answer, to="identity", token="")
    await channel.close()
    return made.access_token


async def test_a_guest_is_known_by_the_former_name(federation: Federation) -> None:
    home, away = federation.home, federation.away
    merging = Merging(home)
    name, card = home.people.person().name, merging.citizen()
    kept, merged = await merging.account(name, card), await merging.account(name, merging.passport())
    await merging.merge(kept, merged)
    assertion = await home.exchange(await home.human_token(kept), audience=AWAY)
    guest = await away.verifier().verify(await away.exchange(assertion, ASSERTION))
    assert guest.speaks_for == {f"//341500/{kept}", f"//341500/{merged}"}
    # What was begun there under the old name names it: who that is, is what the assertion said.
    channel = away.neighbour("cases")
    stub = account_service_pb2_grpc.AccountServiceStub(channel)
    document = common_pb2.IdentityDocument(type_code="111", number=card.number)
    stated = [
        account_service_pb2.StatedIdentity(subject=f"//341500/{each}", display_name=name, document=document)
        for each in (kept, merged)
    ]
    request = account_service_pb2.CheckIdentitiesRequest(identities=stated)
    answer = await away.call(stub.CheckIdentities, request, account_service_pb2.CheckIdentitiesResponse, "")
    await channel.close()
    assert [*answer.matches] == [True, True]


async def test_what_waits_to_be_sent_for_the_old_name_still_goes(federation: Federation) -> None:
    home, away = federation.home, federation.away
    merging = Merging(home)
    kept, merged = await merging.two()
    own = await home.at_window(await home.human_token(merged), await home.staff_token())
    waits = await home.exchange(own, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)
    await merging.merge(kept, merged)
    service = await _service_token(home)
    assertion = await home.exchange(
        waits, DELEGATION, actor_token=service, actor_token_type=ACCESS_TOKEN, audience=AWAY, transfer=TRANSFER
    )
    guest = await away.verifier().verify(await away.exchange(assertion, ASSERTION))
    assert (guest.subject, [*guest.former]) == (f"//341500/{kept}", [f"//341500/{merged}"])
    assert guest.delegate == "//341500/services/cases"
    # The old name's own token begets nothing.
    again = home.exchange(own, audience=AWAY, transfer=TRANSFER, requested_token_type=DELEGATION)
    assert await reason_of(again) == "PERSON_NOT_ACTIVE"
