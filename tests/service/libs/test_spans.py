"""Spans of a call: the server's, and under it the database's; names only, nothing of the message."""

import uuid

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from libs.errors import AlreadyExists
from libs.ids.synthetic import SyntheticFirm, SyntheticPopulation
from libs.observability.tracing import Tracing
from libs.rpc.client import invoke
from tests.support.service import Ground, Service, serving
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import account_service_pb2_grpc, resources_pb2

_CREATE = "tongban.identity.v1.AccountService.CreateOrganization"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """What takes the spans of one process."""
    return InMemorySpanExporter()


def _to(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing.sending("identity", "341500", "", exporter)


def _request(firm: SyntheticFirm) -> pb.CreateOrganizationRequest:
    organization = resources_pb2.Organization(
        display_name=firm.name, uscc=firm.uscc, kind=party_pb2.PARTY_KIND_ENTERPRISE
    )
    return pb.CreateOrganizationRequest(organization=organization, request_id=str(uuid.uuid4()))


async def _create(identity: Service, request: pb.CreateOrganizationRequest) -> None:
    stub = account_service_pb2_grpc.AccountServiceStub(identity.channel)
    token = identity.issuer.token("staff/00000000-0000-7000-8000-000000000001", "STAFF")
    await invoke(stub.CreateOrganization, request, resources_pb2.Organization, to="identity", token=token)


async def test_a_call_and_its_transaction_are_one_trace(ground: Ground, exporter: InMemorySpanExporter) -> None:
    firm = SyntheticPopulation("spans").firm()
    async with serving(ground, "identity", tracing=_to(exporter)) as identity:
        await _create(identity, _request(firm))
    spans = {span.name: span for span in exporter.get_finished_spans()}
    server, transaction = spans[_CREATE], spans["postgresql transaction"]
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


async def test_two_processes_in_one_interpreter_keep_their_spans_apart(
    ground: Ground, exporter: InMemorySpanExporter
) -> None:
    other = InMemorySpanExporter()
    async with (
        serving(ground, "identity", tracing=_to(exporter)) as first,
        serving(ground, "identity", tracing=_to(other)) as second,
        serving(ground, "identity") as silent,
    ):
        drawn = SyntheticPopulation("spans apart")
        for identity, calls in ((first, 1), (second, 2), (silent, 3)):
            for _ in range(calls):
                await _create(identity, _request(drawn.firm()))
    kept = [[span.name for span in each.get_finished_spans()].count(_CREATE) for each in (exporter, other)]
    assert kept == [1, 2]


async def test_a_failure_tells_its_span_that_it_failed_and_nothing_else(
    ground: Ground, exporter: InMemorySpanExporter
) -> None:
    """The second organisation breaks a unique key: the database's own words name the number."""
    firm, tracing = SyntheticPopulation("spans of failures").firm(), _to(exporter)
    async with serving(ground, "identity", tracing=tracing) as identity:
        await _create(identity, _request(firm))
        with pytest.raises(AlreadyExists):
            await _create(identity, _request(firm))
        with pytest.raises(ValueError, match="secret"), tracing.span("by hand"):
            raise ValueError(f"secret {firm.uscc}")
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans if span.status.status_code is StatusCode.ERROR} >= {"by hand"}
    written = "".join(span.to_json() for span in spans)
    assert firm.name not in written
    assert firm.uscc not in written
    assert "Traceback" not in written
