"""A face, or a bank's word, raises somebody to level 3, through the gateway, and their next sign-in bears it; no service tells who they are."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from deploy.local.launch import Cluster
from libs.errors import TongbanError
from libs.ids.synthetic import SyntheticPopulation
from tests.support.regions import Regions
from tests.support.verifier_server import VerifierServer
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.identity.v1 import verification_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize(
    ("check", "method", "name"),
    [
        ({"face": pb.FaceCheck()}, "FACE", "verifiers/face"),
        ({"bank_card": pb.BankCardCheck()}, "BANK_CARD", "verifiers/bank-card"),
    ],
    ids=["face", "bank card"],
)
async def test_who_was_recognised_is_at_level_3_from_the_next_sign_in_on(
    regions: Regions,
    verifier: VerifierServer,
    running_cluster: tuple[Path, Cluster],
    check: dict[str, Any],
    method: str,
    name: str,
) -> None:
    office = regions.handling
    drawn = SyntheticPopulation(f"7501 {method}", province="32").person()
    asked = resources_pb2.Person(full_name=drawn.name)
    asked.documents.add().document.CopyFrom(common_pb2.IdentityDocument(type_code="111", number=drawn.citizen_id))
    clerk = office.gateway.using(await office.token_of("receiving"))
    newcomer = await clerk.call(
        account_service_pb2.CreatePersonRequest(person=asked, request_id=_id()), resources_pb2.Person
    )
    phone = office.gateway.human(office.channel, newcomer.name, "PERSON", acr="4")
    start = pb.StartVerificationRequest(person=newcomer.name, request_id=_id(), **check)
    started = await phone.call(start, pb.StartVerificationResponse)
    assert (verifier.asked[-1]["document_number"], verifier.asked[-1]["method"]) == (drawn.citizen_id, method)
    finish = pb.FinishVerificationRequest(person=newcomer.name, attempt=started.attempt, request_id=_id())
    with pytest.raises(TongbanError) as waiting:
        await phone.call(finish, resources_pb2.Verification)
    assert (waiting.value.reason, waiting.value.retry_after) == ("VERIFICATION_PENDING", 3.0)
    verifier.states[started.attempt] = "PASSED"
    # Both replicas: whichever is asked, it is recorded once and told alike.
    made = [await phone.call(finish, resources_pb2.Verification) for _ in range(4)]
    assert {(each.name, each.assurance, each.verifier) for each in made} == {(made[0].name, 3, name)}
    shown = await phone.call(account_service_pb2.GetPersonRequest(name=newcomer.name), resources_pb2.Person)
    assert shown.assurance == 3
    state, _ = running_cluster
    logs = "".join(file.read_text("utf-8") for file in state.rglob("identity*.log"))
    assert drawn.citizen_id not in logs
    assert started.uri not in logs
