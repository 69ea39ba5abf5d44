"""Spans of a call: the server's, and under it the database's; names only, nothing of the message."""

import uuid
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from libs.errors import AlreadyExists
from libs.ids.synthetic import SyntheticPopulation
from libs.observability import tracing
from libs.rpc.client import invoke
from tests.support.service import Ground, serving
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc, resources_pb2


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Spans are on for one test, and end here."""
    made = InMemorySpanExporter()
    tracing.configure("identity", "341500", exporter=made)
    yield made
    tracing.shutdown()


async def test_a_call_and_its_transaction_are_one_trace(ground: Ground, exporter: InMemorySpanExporter) -> None:
    firm = SyntheticPopulation("spans").firm()
    async with serving(ground, "identity") as identity:
        stub = account_service_pb2_grpc.AccountServiceStub(identity.channel)
        organization = resources_pb2.Organization(
            display_name=firm.name, uscc=firm.uscc, kind=resources_pb2.ORGANIZATION_KIND_ENTERPRISE
        )
        request = pb.CreateOrganizationRequest(organization=organization, request_id=str(uuid.uuid4()))
        token = identity.issuer.token("staff/00000000-0000-7000-8000-000000000001", "STAFF")
        await invoke(stub.CreateOrganization, request, resources_pb2.Organization, to="identity", token=token)
    tracing.shutdown()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    server = spans["tongban.identity.v1.AccountService.CreateOrganization"]
    transaction = spans["postgresql transaction"]
    assert server.context is not None
    assert transaction.parent is not None
    assert transaction.context is not None
    assert (transaction.parent.span_id, transaction.context.trace_id) == (
        server.context.span_id,
        server.context.trace_id,
    )
    written = str([(span.name, dict(span.attributes or {})) for span in spans.values()])
    assert firm.name not in written
    assert firm.uscc not in written


async def test_a_failure_tells_its_span_that_it_failed_and_nothing_else(
    ground: Ground, exporter: InMemorySpanExporter
) -> None:
    """The second organisation breaks a unique key: the database's own words name the number."""
    firm = SyntheticPopulation("spans of failures").firm()
    async with serving(ground, "identity") as identity:
        stub = account_service_pb2_grpc.AccountServiceStub(identity.channel)
        organization = resources_pb2.Organization(
            display_name=firm.name, uscc=firm.uscc, kind=resources_pb2.ORGANIZATION_KIND_ENTERPRISE
        )
        token = identity.issuer.token("staff/00000000-0000-7000-8000-000000000001", "STAFF")
        request = pb.CreateOrganizationRequest(organization=organization, request_id=str(uuid.uuid4()))
        await invoke(stub.CreateOrganization, request, resources_pb2.Organization, to="identity", token=token)
        request.request_id = str(uuid.uuid4())
        with pytest.raises(AlreadyExists):
            await invoke(stub.CreateOrganization, request, resources_pb2.Organization, to="identity", token=token)
        with pytest.raises(ValueError, match="secret"), tracing.span("by hand"):
            raise ValueError(f"secret {firm.uscc}")
    tracing.shutdown()
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans if span.status.status_code is StatusCode.ERROR} >= {"by hand"}
    written = "".join(span.to_json() for span in spans)
    assert firm.name not in written
    assert firm.uscc not in written
    assert "Traceback" not in written
