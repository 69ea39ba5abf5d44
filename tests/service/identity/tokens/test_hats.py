"""One person, many hats: each is one exchange of the person's own token, with no new sign-in, and says whose it is, here and elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import Federation
from tests.service.identity.mandates.test_guardians import approve, record
from tests.service.identity.tokens.test_federation import AWAY, _service_token
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import mandate_service_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOME = "//341500"
HATS = (
    "self",
    "firm A by law",
    "firm B by law",
    "firm C's agent",
    "firm D's agent, passed on",
    "a helper",
    "a guardian",
)


@dataclass(frozen=True)
class Hat:
    """For whom somebody acts, and by what: all that a token tells of it."""

    org: str = ""
    uscc: str = ""
    mandate: str = ""
    by: str = ""

    def said(self) -> dict[str, Any]:
        """The claims that a token has, and no others of these."""
        claims = {"org": self.org, "org_uscc": self.uscc, "mandate": self.mandate, "mandate_by": self.by}
        return {key: value for key, value in claims.items() if value}

    def abroad(self) -> dict[str, Any]:
        """The same in another region: names say whose they are, and who passed a mandate on stays at home."""
        said = {key: value if key == "org_uscc" else f"{HOME}/{value}" for key, value in self.said().items()}
        said.pop("mandate_by", None)
        return said


@dataclass(frozen=True)
class Wardrobe:
    """A person, their own token, and the hats that they have."""

    home: Town
    person: str
    token: str
    hats: Mapping[str, Hat]

    async def put_on(self, hat: str) -> str:
        found = self.hats[hat]
        if not found.org:
            return self.token
        return await self.home.exchange(self.token, on_behalf_of=found.org, mandate=found.mandate)


@pytest_asyncio.fixture(loop_scope="module")
async def wardrobe(home: Town) -> Wardrobe:
    person = await home.person()
    boss, agency, neighbour, child = [await home.person() for _ in range(4)]
    own, bosses = [await home.firm(person) for _ in range(2)], [await home.firm(boss) for _ in range(2)]
    token = await home.human_token(boss)
    agent = await home.mandate(bosses[0].name, person, token)
    given = await home.mandate(bosses[1].name, agency, token, sub_delegable=True, seconds=90_000)
    passed_on = await home.mandate(bosses[1].name, person, await home.human_token(agency), parent=given.name)
    helper = await home.mandate(neighbour, person, await home.human_token(neighbour))
    guardian = await approve(home, (await record(home, child, person)).name)
    hats = {
        "self": Hat(),
        "firm A by law": Hat(own[0].name, own[0].uscc),
        "firm B by law": Hat(own[1].name, own[1].uscc),
        "firm C's agent": Hat(bosses[0].name, bosses[0].uscc, agent.name),
        "firm D's agent, passed on": Hat(bosses[1].name, bosses[1].uscc, passed_on.name, agency),
        "a helper": Hat(neighbour, "", helper.name),
        "a guardian": Hat(child, "", guardian.name),
    }
    assert tuple(hats) == HATS
    return Wardrobe(home, person, await home.human_token(person), hats)


def _told(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {key: claims[key] for key in ("org", "org_uscc", "mandate", "mandate_by") if key in claims}


async def _claims(town: Town, token: str) -> Mapping[str, Any]:
    return (await town.verifier().verify(token)).claims


@pytest.mark.parametrize("before", HATS)
async def test_no_hat_keeps_anything_of_the_one_before(wardrobe: Wardrobe, before: str) -> None:
    """From each to each, and back to oneself: nothing is lost, nothing stays on."""
    for hat in HATS:
        await wardrobe.put_on(before)
        claims = await _claims(wardrobe.home, await wardrobe.put_on(hat))
        assert _told(claims) == wardrobe.hats[hat].said(), (before, hat)
        assert (claims["sub"], claims.get("act")) == (wardrobe.person, None)
    own = await _claims(wardrobe.home, wardrobe.token)
    assert (own["sub"], _told(own)) == (wardrobe.person, {})


@pytest.mark.parametrize("hat", HATS)
async def test_a_hat_is_the_same_at_a_window_and_in_another_region(
    wardrobe: Wardrobe, federation: Federation, hat: str
) -> None:
    home, away, found = wardrobe.home, federation.away, wardrobe.hats[hat]
    acting, clerk = await wardrobe.put_on(hat), await home.staff_token()
    window = await home.at_window(acting, clerk)
    claims = await _claims(home, window)
    assert (claims["sub"], _told(claims), claims["act"]["sub"]) == (
        wardrobe.person,
        found.said(),
        home.staff["receiving"],
    )
    guest = await _claims(away, await away.exchange(await home.exchange(acting, audience=AWAY), ASSERTION))
    assert (guest["sub"], _told(guest)) == (f"{HOME}/{wardrobe.person}", found.abroad())
    assert guest.get("act") is None
    through = await home.exchange(
        acting, audience=AWAY, actor_token=await _service_token(home), actor_token_type=ACCESS_TOKEN
    )
    called = await _claims(away, await away.exchange(through, ASSERTION))
    assert (called["sub"], _told(called)) == (f"{HOME}/{wardrobe.person}", found.abroad())
    assert called["act"]["sub"] == f"{HOME}/services/cases"


@pytest.mark.parametrize("hat", HATS[1:])
async def test_a_hat_is_put_on_by_who_took_all_others_off(wardrobe: Wardrobe, hat: str) -> None:
    """Whoever was given a token for one firm has one for that firm, and for nothing else of that person."""
    acting = await wardrobe.put_on(hat)
    for other in HATS[1:]:
        wanted = wardrobe.hats[other]
        refused = wardrobe.home.exchange(acting, on_behalf_of=wanted.org, mandate=wanted.mandate)
        assert await reason_of(refused) == "EXCHANGE_NOT_ALLOWED"


async def test_one_hat_that_is_taken_leaves_the_others(wardrobe: Wardrobe) -> None:
    home = wardrobe.home
    tokens = {hat: await wardrobe.put_on(hat) for hat in HATS}
    revoke = mandate_service_pb2.RevokeMandateRequest(
        name=wardrobe.hats["firm C's agent"].mandate, reason="另聘他人", request_id=request_id()
    )
    await home.call(home.mandates.RevokeMandate, revoke, resources_pb2.Mandate, wardrobe.token)
    await home.service.process.withdrawals.look()
    seen: dict[str, str] = {}
    for hat, token in tokens.items():
        try:
            await home.verifier().verify(token)
            seen[hat] = "OK"
        except Exception as error:  # noqa: BLE001 - its reason is what is looked at
            seen[hat] = str(getattr(error, "reason", repr(error)))
    assert seen == {hat: "TOKEN_INVALID" if hat == "firm C's agent" else "OK" for hat in HATS}
