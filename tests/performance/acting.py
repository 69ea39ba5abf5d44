"""Who acts under a mandate, and who asks why somebody may or may not: exchanges and explanations."""

from datetime import timedelta

from deploy.local.demo.gateway import request_id
from deploy.local.demo.people import Registry
from libs.rpc.token_types import ACCESS_TOKEN
from tests.performance.ground import Ground
from tests.performance.load import Measured, measure
from tests.support.regions import OPENING
from tongban.identity.v1 import (
    access_service_pb2,
    access_service_pb2_grpc,
    mandate_service_pb2,
    resources_pb2,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.options.v1 import options_pb2

_CALLS, _WARM_UP, _SEED = 1600, 100, 57
_ITEM = "11340000MB1234567X4000101000001"


async def exchanges_and_explanations(ground: Ground) -> list[Measured]:
    """Exchanges an agent's token for one under a mandate, recorded; asks what a call under it would be told, recorded too."""
    office = ground.office
    registry = Registry(office, _SEED)
    agent = await registry.person()
    mandate = await _mandate(ground, agent.name)
    exchange = token_service_pb2.ExchangeTokenRequest(
        subject_token=await office.token_of_person(agent.name),
        subject_token_type=ACCESS_TOKEN,
        on_behalf_of=mandate.principal,
        mandate=mandate.name,
    )
    tokens = ground.stub(token_service_pb2_grpc.TokenServiceStub, "identity")

    async def acts(_number: int) -> None:
        assert (await tokens.ExchangeToken(exchange)).access_token

    question = access_service_pb2.ExplainAccessRequest(
        principal=agent.name,
        method="tongban.cases.v1.CaseService.CreateCase",
        on_behalf_of=mandate.principal,
        mandate=mandate.name,
        item_codes=[_ITEM],
    )
    access = ground.stub(access_service_pb2_grpc.AccessServiceStub, "identity")
    metadata = ground.metadata(await office.admin_token())

    async def explains(_number: int) -> None:
        answer = await access.ExplainAccess(question, metadata=metadata)
        assert answer.outcome == access_service_pb2.ACCESS_OUTCOME_POSSIBLE, answer

    return [
        await measure(name, operation, _CALLS, ground.meter, ("identity",), warm_up=_WARM_UP)
        for name, operation in (("exchange under a mandate", acts), ("explain access", explains))
    ]


async def _mandate(ground: Ground, agent: str) -> resources_pb2.Mandate:
    """A mandate of the firm's for the agent, for one item."""
    gateway, firm = ground.office.gateway, ground.firm
    acting = await gateway.exchanged(await ground.office.token_of_person(firm.representative.name), firm.name)
    mandate = resources_pb2.Mandate(
        principal=firm.name,
        agent=agent,
        scope=resources_pb2.MandateScope(item_codes=[_ITEM], powers=[options_pb2.MANDATE_POWER_APPLY]),
    )
    mandate.end_time.FromDatetime(OPENING + timedelta(days=30))
    request = mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id())
    made: resources_pb2.Mandate = await gateway.using(acting).call(request, resources_pb2.Mandate)
    return made
