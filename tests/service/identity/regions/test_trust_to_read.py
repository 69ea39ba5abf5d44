"""A region whose guests, staff and systems may only read: narrowed at once, widened by two people (decision 0089)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from libs.access.rights import HELD, READING
from libs.errors import PermissionDenied
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import Federation
from tests.support.patience import invoke
from tests.support.town import Town, reason_of, request_id, trusted
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import access_service_pb2 as access
from tongban.identity.v1 import access_service_pb2_grpc, mandate_service_pb2, token_service_pb2, token_service_pb2_grpc
from tongban.identity.v1 import region_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/0190a3b4-0000-7000-8000-000000000001"
HOME, AWAY = "//341500", "//320402"
INBOUND, OUTBOUND = resources.TRUST_DIRECTION_INBOUND, resources.TRUST_DIRECTION_OUTBOUND
FULL, READS = resources.TRUST_GRADE_FULL, resources.TRUST_GRADE_READING


@dataclass
class TrustOf:
    """The trust of a town in another, and those who change it."""

    town: Town
    name: str

    async def change(self, verb: str, request: Message, token: str) -> resources.Region:
        return await self.town.call(getattr(self.town.regions, verb), request, resources.Region, token)

    async def narrow(self, *ways: "resources.TrustDirection.ValueType") -> resources.Region:
        """Lets only reads pass, by one administrator."""
        request = pb.SuspendRegionRequest(
            name=self.name, directions=ways, reason="演练", only_changes=True, request_id=request_id()
        )
        return await self.change("SuspendRegion", request, await self.town.admin_token())

    async def widen(self, token: str, *ways: "resources.TrustDirection.ValueType") -> resources.Region:
        """One administrator stands behind letting changes pass again."""
        request = pb.ResumeRegionRequest(
            name=self.name, directions=ways, reason="演练结束", changes_too=True, request_id=request_id()
        )
        return await self.change("ResumeRegion", request, token)


@pytest_asyncio.fixture(loop_scope="module")
async def of_home(federation: Federation) -> AsyncIterator[TrustOf]:
    """What 天宁 thinks of 六安; as it was, afterwards."""
    trust = TrustOf(federation.away, "regions/341500")
    yield trust
    await _restored(trust, INBOUND)


async def _restored(trust: TrustOf, way: "resources.TrustDirection.ValueType") -> None:
    """Two administrators undo what a test has left."""
    get, town = pb.GetRegionRequest(name=trust.name), trust.town
    for token in await town.administrators():
        region = await town.call(town.regions.GetRegion, get, resources.Region, token)
        if READS in (region.inbound.grade, region.outbound.grade):
            await trust.widen(token, way)


def mandate_of(town: Town, principal: str, token: str) -> Any:
    """A change that a guest could ask for; what it says is refused only after it was let in."""
    request = mandate_service_pb2.CreateMandateRequest(
        mandate=resources.Mandate(principal="", agent=principal), request_id=request_id()
    )
    return town.call(town.mandates.CreateMandate, request, resources.Mandate, token)


async def read(town: Town, token: str) -> None:
    """A read that guests may do."""
    await town.call(town.regions.ListRegions, pb.ListRegionsRequest(), pb.ListRegionsResponse, token)


async def guest_token(federation: Federation) -> str:
    """The token of a person of 六安 in 天宁."""
    person = await federation.home.human_token(await federation.home.person())
    return await federation.away.exchange(await federation.home.exchange(person, audience=AWAY), ASSERTION)


async def service_token(town: Town) -> str:
    """The token of the town's service of cases."""
    channel = town.neighbour("cases")
    try:
        stub = token_service_pb2_grpc.TokenServiceStub(channel)
        answer = token_service_pb2.IssueServiceTokenResponse
        asked = token_service_pb2.IssueServiceTokenRequest()
        return (await invoke(stub.IssueServiceToken, asked, answer, to="identity", token="")).access_token
    finally:
        await channel.close()


async def refused(call: Any) -> PermissionDenied:
    with pytest.raises(PermissionDenied) as caught:
        await call
    return caught.value


async def test_from_the_next_call_on_only_reads_pass(federation: Federation, of_home: TrustOf) -> None:
    away = federation.away
    before = await guest_token(federation)
    assert await reason_of(mandate_of(away, "x", before)) == "FIELD_INVALID"
    region = await of_home.narrow(INBOUND)
    assert (region.inbound.state, region.inbound.grade) == (resources.TRUST_STATE_OPEN, READS)
    assert region.outbound.grade == FULL
    # What was given out before says more than holds: it changes nothing from now on, and is refused once that is known.
    assert await reason_of(mandate_of(away, "x", before)) in {"REGION_READS_ONLY", "TOKEN_INVALID"}
    await away.service.process.withdrawals.look()
    assert await reason_of(read(away, before)) == "TOKEN_INVALID"
    guest = await guest_token(federation)
    await read(away, guest)
    error = await refused(mandate_of(away, "x", guest))
    told = {"region": "341500", "direction": "INBOUND", "rule": "grade"}
    assert (error.reason, error.metadata) == ("REGION_READS_ONLY", told)


async def test_a_token_holds_the_permissions_of_reads_alone(federation: Federation, of_home: TrustOf) -> None:
    await of_home.narrow(INBOUND)
    home, away = federation.home, federation.away
    guest = await away.verifier().verify(await guest_token(federation))
    assert guest.scopes == HELD["PERSON"] & READING
    for token in (
        await home.staff_token(),
        await home.at_window(await home.human_token(await home.person()), await home.staff_token()),
    ):
        spoken = await home.exchange(token, audience=AWAY)
        region = await away.verifier().verify(await away.exchange(spoken, ASSERTION))
        assert region.kind == "REGION"
        assert region.scopes <= READING
        assert "cases.caseTransfers.receive" not in region.scopes
    # Who asks for the permission of a change by name gets none.
    person = await home.exchange(await home.human_token(await home.person()), audience=AWAY)
    asked = away.exchange(person, ASSERTION, scope="cases.cases.create")
    assert await reason_of(asked) == "SCOPE_NOT_GRANTED"


async def test_changes_pass_again_by_two_people(federation: Federation, of_home: TrustOf) -> None:
    away = federation.away
    await of_home.narrow(INBOUND)
    cut = await guest_token(federation)
    first, second = await away.administrators()
    waiting = await of_home.widen(first, INBOUND)
    assert (waiting.inbound.grade, list(waiting.resuming), waiting.resuming_changes) == (READS, [INBOUND], True)
    assert (await refused(mandate_of(away, "x", cut))).reason == "REGION_READS_ONLY"
    assert await reason_of(of_home.widen(first, INBOUND)) == "ACTING_ON_SELF"
    region = await of_home.widen(second, INBOUND)
    assert (region.inbound.grade, list(region.resuming), region.resuming_changes) == (FULL, [], False)
    await away.service.process.withdrawals.look()
    assert await reason_of(read(away, cut)) == "TOKEN_INVALID"
    assert await reason_of(mandate_of(away, "x", await guest_token(federation))) == "FIELD_INVALID"


async def test_a_wish_to_open_is_no_wish_for_changes(federation: Federation, of_home: TrustOf) -> None:
    away = federation.away
    await of_home.narrow(INBOUND)
    token = await away.admin_token()
    names: dict[str, Any] = {"name": of_home.name, "directions": [INBOUND], "reason": "演练"}
    await of_home.change("SuspendRegion", pb.SuspendRegionRequest(**names, request_id=request_id()), token)
    first, second = await away.administrators()
    await of_home.change("ResumeRegion", pb.ResumeRegionRequest(**names, request_id=request_id()), first)
    # The second one asks for more than the first: nobody stands behind that yet.
    waiting = await of_home.widen(second, INBOUND)
    assert (waiting.inbound.state, waiting.resuming_changes) == (resources.TRUST_STATE_SUSPENDED, True)
    opened = await of_home.change("ResumeRegion", pb.ResumeRegionRequest(**names, request_id=request_id()), first)
    assert opened.inbound.state == resources.TRUST_STATE_SUSPENDED
    opened = await of_home.change("ResumeRegion", pb.ResumeRegionRequest(**names, request_id=request_id()), second)
    assert (opened.inbound.state, opened.inbound.grade) == (resources.TRUST_STATE_OPEN, READS)
    assert (await refused(mandate_of(away, "x", await guest_token(federation)))).reason == "REGION_READS_ONLY"


async def test_narrowing_again_refuses_the_wish(federation: Federation, of_home: TrustOf) -> None:
    await of_home.narrow(INBOUND)
    assert await reason_of(of_home.narrow(INBOUND)) == "STATE_CONFLICT"
    first, second = await federation.away.administrators()
    await of_home.widen(first, INBOUND)
    region = await of_home.narrow(INBOUND)
    assert (list(region.resuming), region.resuming_changes) == ([], False)
    assert (await of_home.widen(second, INBOUND)).inbound.grade == READS


async def test_a_proposal_says_it_from_the_beginning(federation: Federation, of_home: TrustOf) -> None:
    home, away = federation.home, federation.away
    end = pb.EndRegionRequest(name=of_home.name, reason="换约", request_id=request_id())
    await of_home.change("EndRegion", end, await away.admin_token())
    region = await away.trust(home, inbound=trusted(3, grade=READS), outbound=trusted(4))
    assert (region.inbound.grade, region.outbound.grade) == (READS, FULL)
    listed = await away.call(
        away.regions.ListRegions,
        pb.ListRegionsRequest(filter='inbound.grade = "TRUST_GRADE_READING"'),
        pb.ListRegionsResponse,
        await away.admin_token(),
    )
    assert [each.name for each in listed.regions] == [of_home.name]
    assert (await refused(mandate_of(away, "x", await guest_token(federation)))).reason == "REGION_READS_ONLY"


async def test_what_goes_there_only_reads_too(federation: Federation) -> None:
    home, away = federation.home, federation.away
    trust = TrustOf(home, "regions/320402")
    window = await home.at_window(await home.human_token(await home.person()), await home.staff_token())
    transfer = {"requested_token_type": DELEGATION, "audience": AWAY, "transfer": TRANSFER}
    kept = await home.exchange(window, **transfer)
    await trust.narrow(OUTBOUND)
    try:
        person = await home.human_token(await home.person())
        spoken = await home.exchange(person, audience=AWAY)
        guest = await away.verifier().verify(await away.exchange(spoken, ASSERTION))
        assert guest.scopes == HELD["PERSON"] & READING
        told = {"region": "320402", "direction": "OUTBOUND", "rule": "grade"}
        use = {"actor_token": await service_token(home), "actor_token_type": ACCESS_TOKEN} | transfer
        del use["requested_token_type"]
        for asked in (home.exchange(window, **transfer), home.exchange(kept, DELEGATION, **use)):
            error = await refused(asked)
            assert (error.reason, error.metadata) == ("REGION_READS_ONLY", told)
    finally:
        await _restored(trust, OUTBOUND)
    assert (
        await away.verifier().verify(
            await away.exchange(
                await home.exchange(await home.human_token(await home.person()), audience=AWAY), ASSERTION
            )
        )
    ).may("cases.cases.create")


@pytest.mark.parametrize("kind", ["persons", "staff"])
async def test_it_is_explained(federation: Federation, of_home: TrustOf, kind: str) -> None:
    away = federation.away
    guest, change = f"{HOME}/{kind}/0199a3b4-0000-7000-8000-0000000000a1", "cases.v1.CaseService.CreateCase"
    if kind == "staff":
        change = "cases.v1.ExchangeService.ReceiveCaseTransfer"
    stub = access_service_pb2_grpc.AccessServiceStub(away.service.channel)

    async def told(method: str) -> dict[str, tuple[bool, int, str, str]]:
        asked = access.ExplainAccessRequest(principal=guest, method=f"tongban.{method}")
        answer = await away.call(stub.ExplainAccess, asked, access.ExplainAccessResponse, await away.admin_token())
        return {
            access.AccessRule.Name(each.rule).removeprefix("ACCESS_RULE_"): (
                each.fulfilled,
                each.reason,
                each.required,
                each.actual,
            )
            for each in answer.findings
        }

    assert (await told(change))["REGION_GRADE"] == (True, 0, "FULL", "FULL")
    await of_home.narrow(INBOUND)
    found = await told(change)
    assert found["REGION_TRUST"] == (True, 0, "", "state=OPEN grade=READING max_assurance=3")
    assert found["REGION_GRADE"] == (False, error_reason_pb2.ERROR_REASON_REGION_READS_ONLY, "FULL", "READING")
    found = await told("identity.v1.RegionService.ListRegions")
    assert found["REGION_GRADE"] == (True, 0, "READING", "READING")
    assert found["PERMISSION"][0]


async def test_of_a_region_that_is_not_trusted_it_is_told_that_it_is_not(federation: Federation) -> None:
    away = federation.away
    stub = access_service_pb2_grpc.AccessServiceStub(away.service.channel)
    asked = access.ExplainAccessRequest(
        principal="//510104/persons/0199a3b4-0000-7000-8000-0000000000a1",
        method="tongban.identity.v1.RegionService.ListRegions",
    )
    answer = await away.call(stub.ExplainAccess, asked, access.ExplainAccessResponse, await away.admin_token())
    (found,) = answer.findings
    assert answer.outcome == access.ACCESS_OUTCOME_REFUSED
    assert (found.rule, found.reason) == (
        access.ACCESS_RULE_REGION_TRUST,
        error_reason_pb2.ERROR_REASON_REGION_NOT_TRUSTED,
    )
