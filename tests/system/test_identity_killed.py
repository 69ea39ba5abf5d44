"""Identity is killed while others work: tokens go on, people sign in again as soon as it is back, and whoever was held back still is."""

import asyncio

import httpx
import pytest

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredPerson, Registry
from tests.support.edge import await_healthy
from tests.support.faults import back, kill
from tests.support.patience import PATIENCE
from tests.support.regions import Regions, owner
from tests.system.test_sign_in import _PASSWORD, _WHY, _Partner, _party, _signed_in, _ticket
from tongban.identity.v1 import sign_in_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
_IDENTITIES = ("identity", "identity-2")
_TOO_SOON = 429


async def _enrolled(office: Office, http: httpx.AsyncClient, seed: int) -> RegisteredPerson:
    """Somebody who has a password."""
    resident = await Registry(office, seed).person()
    begin = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
    human = office.gateway.human(office.channel, resident.name, "PERSON", acr="4")
    opened = await human.call(begin, sign_in_service_pb2.Enrollment)
    form = {"ticket": _ticket(await http.get(opened.uri)), "password": _PASSWORD, "again": _PASSWORD}
    assert (await http.post("/oauth/enroll", data=form)).status_code == 200
    return resident


async def _tried(http: httpx.AsyncClient, partner: _Partner, number: str, password: str) -> int:
    """How the page answers somebody who tries to sign in."""
    page = await http.get("/oauth/authorize", params=await partner.pushed())
    form = {"ticket": _ticket(page), "login": number, "password": password}
    return (await http.post("/oauth/sign-in", data=form)).status_code


async def _reached_again(regions: Regions, code: str) -> None:
    """Waits until the edge has found it too: both replicas were gone, and until then it answers 503."""
    processes = [regions.cluster.snapshot.process(code, name) for name in (*_IDENTITIES, "envoy")]
    *replicas, envoy = [each.ports for each in processes]
    ports = {each[name] for each in replicas for name in ("grpc", "http")}
    await asyncio.to_thread(await_healthy, envoy["admin"], ports)


async def test_nothing_is_forgotten_where_identity_is_killed(regions: Regions) -> None:
    office, code = regions.handling, regions.handling.gateway.id
    machine = await _party(office, "killed-under")
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as http:
        held_back, other = [await _enrolled(office, http, seed) for seed in (91, 92)]
        partner = _Partner(office, machine, http)
        tokens = await partner.tokens(await _signed_in(office, http, await partner.pushed(), other.number))
        served = {"authorization": f"Bearer {tokens['access_token']}"}
        async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as stranger:
            guesses = [await _tried(stranger, partner, held_back.number, f"{number}·猜错的口令") for number in range(7)]
            assert guesses == [400] * 5 + [_TOO_SOON] * 2
            # As after some more: the test shall not depend on how fast a process starts.
            async with owner(regions.state, code, "identity") as connection:
                await connection.execute(
                    "UPDATE sign_in_attempts SET failures = 11 WHERE failures > 4 AND failures < 11"
                )
            deaths = {name: kill(regions, code, name) for name in _IDENTITIES}
            # Nobody asks identity for a token that is good, and whose holder was not suspended.
            for _ in range(4):
                assert (await http.post("/v1/cases:read", json=_WHY, headers=served)).status_code == 200
            for name, restarts in deaths.items():
                await back(regions, code, name, restarts)
            await _reached_again(regions, code)
            assert await _tried(stranger, partner, held_back.number, _PASSWORD) == _TOO_SOON
        assert (await http.post("/v1/cases:read", json=_WHY, headers=served)).status_code == 200
        again = await partner.asks("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert again.status_code == 200, again.text
        async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as fresh:
            # What was agreed to is remembered as well: the browser is sent back at once.
            assert await _tried(fresh, partner, other.number, _PASSWORD) == 303
