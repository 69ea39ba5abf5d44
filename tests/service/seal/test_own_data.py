"""A firm is told of each use of its seal, by whoever acts for it."""

import pytest

from libs.errors import InvalidArgument
from tests.support.seal_office import LICENSE, SealOffice, document_request, order
from tests.support.seals import ofd_document
from tongban.common.v1 import use_pb2
from tongban.owndata.v1 import own_data_service_pb2 as pb
from tongban.owndata.v1.own_data_service_pb2_grpc import OwnDataServiceStub

FIRM = "organizations/01890000-0000-7000-8000-000000000009"
PERSON = "persons/01890000-0000-7000-8000-00000000000a"


async def test_a_firm_is_told_of_each_use_of_its_seal(office: SealOffice) -> None:
    seal = await office.make(order(LICENSE, owner=FIRM))
    await office.seal_document(document_request(seal, ofd_document()))
    stub = OwnDataServiceStub(office.service.channel)
    token = office.token(PERSON, "PERSON", org=FIRM, acr=4)
    told = await office.ask(stub.ListUses, pb.ListUsesRequest(parent="seal"), pb.ListUsesResponse, token)
    assert [(each.subject, each.resource, each.way) for each in told.uses] == [
        (FIRM, seal.name, use_pb2.USE_WAY_SEALED)
    ]
    # A token of one list is none of another one, whoever brings it.
    await office.seal_document(document_request(seal, ofd_document()))
    asked = pb.ListUsesRequest(parent="seal", page_size=1)
    asked.page_token = (await office.ask(stub.ListUses, asked, pb.ListUsesResponse, token)).next_page_token
    asked.filter = f"resource = {seal.name}"
    with pytest.raises(InvalidArgument, match="PAGE_TOKEN_INVALID"):
        await office.ask(stub.ListUses, asked, pb.ListUsesResponse, token)
    held = await office.ask(stub.CountHoldings, pb.CountHoldingsRequest(parent="seal"), pb.CountHoldingsResponse, token)
    assert [(each.type, each.count) for each in held.holdings] == [("tongban.cn/Seal", 1)]
