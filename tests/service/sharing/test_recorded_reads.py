"""No record, no service: who answers for a request is told only after the reading was recorded."""

from typing import Any

import pytest

from libs.errors import Unavailable
from tests.service.sharing.conftest import Sharing, terms
from tests.support.silence import reads, records, silenced
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages

OF_DATA = {"Query", "Compare"}
"""Uses of data, whose records are the ledger's: test_data and test_regions drive them."""


async def test_no_record_no_answer(sharing: Sharing) -> None:
    resource = await sharing.published()
    name = (await sharing.requested(resource, terms())).name
    calls: dict[str, tuple[Any, Any, Any]] = {
        "GetDataRequest": (sharing.grants.GetDataRequest, pb.GetDataRequestRequest(name=name), messages.DataRequest),
        "ListDataRequests": (
            sharing.grants.ListDataRequests,
            pb.ListDataRequestsRequest(),
            pb.ListDataRequestsResponse,
        ),
    }
    assert reads("tongban.sharing.v1") - OF_DATA == calls.keys()
    for verb, (method, request, answer) in calls.items():
        before = len(await records(sharing.service))
        await sharing.call(method, request, answer, sharing.officer())
        assert len(await records(sharing.service)) > before, verb
        async with silenced(sharing.service, "sharing"):
            with pytest.raises(Unavailable) as refused:
                await sharing.call(method, request, answer, sharing.officer())
        assert refused.value.reason == "AUDIT_UNAVAILABLE", verb
