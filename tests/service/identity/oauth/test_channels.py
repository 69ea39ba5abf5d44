"""Channels at the token endpoint: they speak for people and staff, up to what they know of them."""

from typing import Any

import pytest

from libs.access import roles
from tests.service.identity.oauth.test_oauth import refused_with
from tests.support.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "persons/00000000-0000-7000-8000-000000000001"


async def test_a_channel_speaks_for_a_person_up_to_what_it_knows(home: Town) -> None:
    person, unknown = await home.person(), await home.person(verified=False)
    levels = {}
    for name, acr in ((person, "4"), (person, "2"), (unknown, "4")):
        principal = await home.verifier().verify(await home.human_token(name, acr=acr))
        assert (principal.subject, principal.kind, principal.client) == (name, "PERSON", "window")
        assert principal.scopes == set(roles.PERSON)
        levels[name == person, acr] = principal.assurance
    assert levels == {(True, "4"): 4, (True, "2"): 2, (False, "4"): 0}


async def test_a_channel_speaks_for_staff_with_their_posts(home: Town) -> None:
    principal = await home.verifier().verify(await home.staff_token())
    assert (principal.kind, principal.department, principal.posts) == (
        "STAFF",
        home.department,
        (home.posts["receiving"],),
    )
    assert principal.may("cases.cases.accept")
    assert not principal.may("cases.cases.decide")


@pytest.mark.parametrize(
    "claims",
    [
        {"acr": None},
        {"acr": "5"},
        {"sub": NOBODY},
        {"sub": "clients/x"},
        {"sub": "persons/1 OR 1=1"},
        {"exp": 1_700_000_000},
        {"iss": "administrator"},
        {"jti": None},
    ],
    ids=str,
)
async def test_a_wrong_assertion_of_a_channel_is_refused(home: Town, claims: dict[str, Any]) -> None:
    form = home.asserted(await home.person(), **claims)
    refused_with(await home.post(**form), 400, "invalid_grant", "TOKEN_INVALID")


async def test_a_channels_assertion_is_good_once(home: Town) -> None:
    form = home.asserted(await home.person())
    assert (await home.post(**form)).status_code == 200
    refused_with(await home.post(**form), 400, "invalid_grant", "TOKEN_INVALID")


async def test_only_channels_speak_for_people(home: Town) -> None:
    assertion = home.admin.sign(await home.person(), home.base, acr="4")
    answer = await home.post(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)
    refused_with(answer, 400, "unauthorized_client", "CLIENT_MAY_NOT_ASSERT")


async def test_the_client_that_authenticates_is_the_one_that_asserts(home: Town) -> None:
    form = home.asserted(await home.person())
    assert (await home.post(**form, **home.client_form(home.channel))).status_code == 200
    form = home.asserted(await home.person())
    refused_with(await home.post(**form, **home.client_form(home.admin)), 400, "invalid_request")


async def test_staff_without_a_post_get_no_token(home: Town) -> None:
    idle = await home.make_staff("idle", await home.admin_token())
    refused_with(await home.post(**home.asserted(idle.name)), 400, "invalid_grant", "STAFF_NOT_ACTIVE")
