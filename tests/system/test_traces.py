"""One trace id from the caller's header through gateway, service, event, consumer and the next service's audit log."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from deploy.local.demo.application import eventually
from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from tests.support.case_runs import application, approval, is_closed
from tests.support.regions import YIELDING, Regions
from tongban.cases.v1 import case_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _case_to_decide(office: Office) -> cases.Case:
    registry = Registry(office, 71)
    firm = await registry.firm(await registry.person())
    clerk, reviewer = await office.token_of("receiving"), await office.token_of("reviewing")
    case = await office.gateway.using(clerk).call(application(office, YIELDING, firm), cases.Case)
    steps: tuple[tuple[Any, str], ...] = (
        (case_service_pb2.SubmitCaseRequest, clerk),
        (case_service_pb2.AcceptCaseRequest, clerk),
        (case_service_pb2.StartReviewRequest, reviewer),
    )
    for kind, token in steps:
        request = kind(name=case.name, etag=case.etag, request_id=approval(case).request_id)
        case = await office.gateway.using(token).call(request, cases.Case)
    return case


async def _closed(office: Office, name: str) -> cases.Case:
    context = common_pb2.UseContext(
        purpose_code="SUPERVISION", purpose="办件督办", case=name, department=office.department
    )
    request = case_service_pb2.GetCaseRequest(name=name, use_context=context)
    token = await office.token_of("receiving")

    async def read() -> cases.Case:
        return await office.gateway.using(token).call(request, cases.Case)

    closed: cases.Case = await eventually(read, is_closed, f"{name} closed")
    return closed


async def _actions(office: Office, log: str, trace: str) -> list[str]:
    """The actions that a service's audit log holds under a trace id."""
    token = await office.token_of("auditing")
    found: list[str] = []
    page_token = ""
    while True:
        page = await office.gateway.get(f"/v1/audit/{log}/auditRecords", token, pageSize="1000", pageToken=page_token)
        found += [record["action"] for record in page.get("auditRecords", ()) if record["traceId"] == trace]
        page_token = page.get("nextPageToken", "")
        if not page_token:
            return found


async def _edge_has(state: Path, region: str, trace: str) -> None:
    """Waits until Envoy's access log, which it writes once a second, tells of the decision under the trace id."""
    log = state / region / "logs" / "envoy.log"

    async def read() -> list[str]:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [json.loads(line)["route"] for line in lines if trace in line]

    await eventually(
        read, lambda routes: any(route.endswith("/DecideCase") for route in routes), "the trace in Envoy's log"
    )


async def test_one_trace_id_goes_the_whole_way(regions: Regions) -> None:
    office = regions.handling
    case = await _case_to_decide(office)
    trace = secrets.token_hex(16)
    body = json_format.MessageToDict(approval(case))
    answer = await office.gateway.http.post(
        f"/v1/{body.pop('name')}:decide",
        json=body,
        headers={
            "authorization": f"Bearer {await office.token_of('deciding')}",
            "traceparent": f"00-{trace}-{'b' * 16}-01",
        },
    )
    assert answer.status_code == 200, answer.text
    case = await _closed(office, case.name)
    assert case.results[0].license
    await _edge_has(regions.state, office.gateway.id, trace)
    # cases decided; license issued when the event came; seal was called by license; cases closed on license's event.
    assert any(action.endswith("DecideCase") for action in await _actions(office, "cases", trace))
    assert await _actions(office, "license", trace), "the event's consumer left the trace"
    assert any(action.endswith("SealDocument") for action in await _actions(office, "seal", trace))
    assert len(await _actions(office, "cases", trace)) >= 2, "the way back left the trace"
