"""Changes through the real Envoy: a JSON caller gets CloudEvents, with their data as the schema says; gRPC the same as messages."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
import pytest
from jsonschema import Draft202012Validator

from services.gateway.contracts import read_image
from services.gateway.event_schemas import event_schemas
from tests.support.edge import Edge, token_of
from tests.support.patience import PATIENCE
from tongban.events.v1 import change_service_pb2 as pb
from tongban.identity.v1 import events_pb2

TYPE = "cn.tongban.identity.consent.withdrawn.v1"
TOLD = events_pb2.ConsentWithdrawn(consent="consents/1", subject="persons/1", recipient="clients/partner")


@pytest.fixture(autouse=True)
def _told(edge: Edge) -> Iterator[None]:
    change = pb.Change(
        id="1",
        source="//341500/identity",
        specversion="1.0",
        type=TYPE,
        subject="consents/1",
        dataschema=f"{edge.url}/schemas/{TYPE}.json",
        sequence="000000000000002",
    )
    change.time.FromDatetime(datetime(2026, 3, 2, 1, tzinfo=UTC))
    change.data.Pack(TOLD)
    edge.seen.changes = pb.ListChangesResponse(changes=[change], next_cursor="c", at_end=True)
    yield
    edge.seen.changes = pb.ListChangesResponse()


def test_json_callers_get_cloud_events_with_their_data(client: httpx.Client, edge: Edge) -> None:
    headers = {"authorization": f"Bearer {token_of(edge.url)}"}
    answer = client.get("/v1/events/identity/changes", params={"types": TYPE, "pageSize": 10}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["nextCursor"], answer.json()["atEnd"]) == ("c", True)
    (told,) = answer.json()["changes"]
    kept = {
        "specversion": "1.0",
        "id": "1",
        "type": TYPE,
        "sequence": "000000000000002",
        "time": "2026-03-02T01:00:00Z",
    }
    assert told.items() >= kept.items()
    schema = event_schemas(read_image(), edge.url)[TYPE]
    assert [error.message for error in Draft202012Validator(schema).iter_errors(told["data"])] == []
    assert told["data"] == {
        "@type": "type.googleapis.com/tongban.identity.v1.ConsentWithdrawn",
        "consent": "consents/1",
        "subject": "persons/1",
        "recipient": "clients/partner",
    }
    assert schema["$id"] == told["dataschema"]


def test_grpc_callers_reach_the_service_that_they_name(edge: Edge) -> None:
    with grpc.insecure_channel(edge.target) as channel:
        call: Any = channel.unary_unary("/tongban.events.v1.ChangeService/ListChanges")
        request = pb.ListChangesRequest(service="identity").SerializeToString()
        metadata = (("authorization", f"Bearer {token_of(edge.url)}"),)
        answer = pb.ListChangesResponse.FromString(call(request, timeout=PATIENCE, metadata=metadata))
    told = events_pb2.ConsentWithdrawn()
    assert answer.changes[0].data.Unpack(told)
    assert told == TOLD
