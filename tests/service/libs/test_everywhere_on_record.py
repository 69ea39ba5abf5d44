"""What every service serves alike of its events and its log, asked of one that runs: no record no answer, no head no proof."""

from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from libs.audit import api as audit_api
from libs.events.cloud_event import Event
from libs.ids.uuid7 import uuid7
from tests.support.patience import invoke
from tests.support.refusing import refused
from tests.support.service import Ground, Service, serving
from tests.support.silence import reads, records, silenced
from tongban.audit.v1 import audit_service_pb2, audit_service_pb2_grpc
from tongban.events.v1 import parked_event_service_pb2 as pb
from tongban.events.v1.parked_event_service_pb2_grpc import ParkedEventServiceStub

ELSEWHERE = {"ListChanges"}
"""Driven of each service that has changes to follow (test_followed_changes.py)."""


@pytest_asyncio.fixture
async def office(ground: Ground) -> AsyncIterator[Service]:
    async with serving(ground, "license") as service:
        yield service


async def _parked(office: Service) -> str:
    """Sets an event aside; returns its name."""
    event = Event(uuid7(), "//341500/cases", "cn.tongban.x", "cases/1", datetime(2024, 3, 4, tzinfo=UTC), b"")
    await office.process.parking.park(event, "STATE_CONFLICT", 5)
    return f"license/parkedEvents/{event.id}"


def _asked(office: Service, verb: str, name: str) -> Awaitable[Any]:
    stub = ParkedEventServiceStub(office.channel)
    request, answer = {
        "GetParkedEvent": (pb.GetParkedEventRequest(name=name), pb.ParkedEvent),
        "ListParkedEvents": (pb.ListParkedEventsRequest(service="license"), pb.ListParkedEventsResponse),
    }[verb]
    token = office.issuer.token("clients/operator", "CLIENT")
    found: Awaitable[Any] = invoke(getattr(stub, verb), request, answer, to="license", token=token)
    return found


def test_every_read_that_the_contract_says_is_driven() -> None:
    assert reads("tongban.events.v1") == {"GetParkedEvent", "ListParkedEvents"} | ELSEWHERE


@pytest.mark.parametrize(("verb", "about"), [("GetParkedEvent", ""), ("ListParkedEvents", "license/parkedEvents")])
async def test_what_was_set_aside_is_shown_on_record_alone(office: Service, verb: str, about: str) -> None:
    name = await _parked(office)
    await _asked(office, verb, name)
    assert await records(office) == [about or name]
    async with silenced(office, "license"):
        assert await refused(_asked(office, verb, name)) == "AUDIT_UNAVAILABLE"
    assert len(await records(office)) == 1


async def test_what_no_head_covers_yet_can_not_be_proved(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing integrates here: the record waits for as long as it is asked for."""
    monkeypatch.setattr(audit_api, "_WAIT_SECONDS", 0.01)
    await _asked(office, "ListParkedEvents", "")
    log = audit_service_pb2_grpc.AuditServiceStub(office.channel)
    auditor = office.issuer.token("clients/auditor", "CLIENT")
    listing = audit_service_pb2.ListAuditRecordsRequest(parent="license")
    answer = audit_service_pb2.ListAuditRecordsResponse
    found = await invoke(log.ListAuditRecords, listing, answer, to="license", token=auditor)
    (record,) = found.audit_records
    prove = audit_service_pb2.ProveInclusionRequest(name=record.name)
    proof = audit_service_pb2.InclusionProof
    assert (
        await refused(invoke(log.ProveInclusion, prove, proof, to="license", token=auditor)) == "LOG_NOT_YET_INTEGRATED"
    )
