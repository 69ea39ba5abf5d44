"""Identity is killed, or hangs, while others work: tokens go on, people sign in again as soon as it is back, and whoever was held back still is."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredPerson, Registry
from tests.support.edge import await_healthy
from tests.support.faults import back, frozen, kill
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tests.system.test_replicas import Load, _creating, _head
from tests.system.test_sign_in import _PASSWORD, _WHY, _Partner, _party, _signed_in, _ticket
from tongban.identity.v1 import sign_in_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
_IDENTITIES = ("identity", "identity-2")
_OTHERS = ("license", "seal", "cases", "sharing")
_WRONG, _TOO_SOON = 400, 429
_FREE, _FIRST_SECONDS, _LONGEST = 5, 30, 900
"""So many guesses are judged at once; then each waits twice as long as the one before, up to the longest."""


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


class _Guesser:
    """A stranger who guesses somebody's password at the page, and is held back, twice as long after each guess that was judged."""

    def __init__(self, http: httpx.AsyncClient, partner: _Partner, number: str) -> None:
        self._http = http
        self._partner = partner
        self._number = number
        self._judged = 0
        self._since = 0.0

    async def guess(self) -> int:
        """Guesses; fails where a guess is judged that comes too soon."""
        sent = time.monotonic()
        answer = await _tried(self._http, self._partner, self._number, f"{self._judged}·猜错的口令")
        held = min(_LONGEST, _FIRST_SECONDS * 2 ** (self._judged - _FREE)) if self._judged >= _FREE else 0
        if time.monotonic() - self._since < held:
            assert answer == _TOO_SOON, f"guess {self._judged + 1} was judged too soon"
        if answer == _WRONG:
            self._judged, self._since = self._judged + 1, sent
        return answer

    async def be_held_back(self) -> None:
        """Guesses until it is held back."""
        while await self.guess() != _TOO_SOON:
            pass
        assert self._judged >= _FREE

    async def still_after(self, disturbed: Callable[[], Awaitable[None]]) -> None:
        """Does something that takes long, and is held back all the same: where it took too long it guesses once more, and does it again."""
        await disturbed()
        while await self.guess() != _TOO_SOON:
            await self.be_held_back()
            await disturbed()


async def test_nothing_is_forgotten_where_identity_is_killed(regions: Regions) -> None:
    office, code = regions.handling, regions.handling.gateway.id
    machine = await _party(office, "killed-under")
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as http:
        held_back, other = [await _enrolled(office, http, seed) for seed in (91, 92)]
        partner = _Partner(office, machine, http)
        tokens = await partner.tokens(await _signed_in(office, http, await partner.pushed(), other.number))
        served = {"authorization": f"Bearer {tokens['access_token']}"}

        async def killed() -> None:
            deaths = {name: kill(regions, code, name) for name in _IDENTITIES}
            # Nobody asks identity for a token that is good, and whose holder was not suspended.
            for _ in range(4):
                assert (await http.post("/v1/cases:read", json=_WHY, headers=served)).status_code == 200
            for name, restarts in deaths.items():
                await back(regions, code, name, restarts)
            await _reached_again(regions, code)

        async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as stranger:
            guesser = _Guesser(stranger, partner, held_back.number)
            await guesser.be_held_back()
            await guesser.still_after(killed)
        assert (await http.post("/v1/cases:read", json=_WHY, headers=served)).status_code == 200
        again = await partner.asks("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert again.status_code == 200, again.text
        async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as fresh:
            # What was agreed to is remembered as well: the browser is sent back at once.
            assert await _tried(fresh, partner, other.number, _PASSWORD) == 303


async def test_nothing_is_forgotten_where_identity_is_frozen_under_load(regions: Regions) -> None:
    """Both replicas hang, and so answer nobody: who has a token goes on, while applications come in as well."""
    office, code = regions.handling, regions.handling.gateway.id
    machine = await _party(office, "frozen-under")
    usual = {f"{each} {(await office.gateway.http.get(_head(each))).status_code}" for each in _OTHERS}
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as http:
        held_back, other = [await _enrolled(office, http, seed) for seed in (93, 94)]
        partner = _Partner(office, machine, http)
        tokens = await partner.tokens(await _signed_in(office, http, await partner.pushed(), other.number))
        served = {"authorization": f"Bearer {tokens['access_token']}"}
        load = Load(regions, await _creating(regions, 4042))

        async def hung() -> None:
            async with frozen(regions, code, _IDENTITIES[0]), frozen(regions, code, _IDENTITIES[1]):
                for _ in range(8):
                    assert (await http.post("/v1/cases:read", json=_WHY, headers=served)).status_code == 200
            await _reached_again(regions, code)

        async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as stranger:
            guesser = _Guesser(stranger, partner, held_back.number)
            await guesser.be_held_back()
            async with load.running():
                await load.reached(20)
                await guesser.still_after(hung)
                await load.reached(20)
        # Whoever needs no answer of identity's was served as ever; a token that it was asked for came late, or not at all.
        assert {each for each in load.results if each.startswith(_OTHERS)} == usual, load.results
        assert not [each for each in load.results if "TOKEN_INVALID" in each or "UNAUTHENTICATED" in each], load.results
        again = await partner.asks("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert again.status_code == 200, again.text
        async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False, timeout=PATIENCE) as fresh:
            assert await _tried(fresh, partner, other.number, _PASSWORD) == 303
