"""The region's own pages are a client that the first start makes: people need not agree to them, and they are nobody by themselves."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from libs.client.credentials import PrivateKey
from services.identity.api_clients.bootstrap import ClientFounding, pages_client
from services.identity.core.client_rules import OF_OWN_PAGES
from tests.support.client_keys import Machine
from tests.support.signing_in import Opened, changed, enrolled
from tests.support.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _founding(home: Town, file: Path, base: str = "") -> ClientFounding:
    process = home.service.process
    made = pages_client(base or home.base)
    return ClientFounding(process.uow, process.database, home.base, home.base, file, made=made)


@pytest_asyncio.fixture(loop_scope="module")
async def pages(home: Town, tmp_path: Path) -> AsyncIterator[Machine]:
    """The pages, as the first start makes them."""
    file = tmp_path / "my-pages.json"
    await _founding(home, file).ensure()
    key = PrivateKey.from_file(file)
    yield Machine(key.client_id, key.key)


def _asked(home: Town, *more: str) -> dict[str, str]:
    return {"redirect_uri": f"{home.base}/my/callback", "scope": " ".join(("openid", *OF_OWN_PAGES, *more))}


async def test_who_signs_in_there_is_not_asked_to_agree_and_may_do_what_the_pages_do(
    home: Town, pages: Machine, opened: Opened
) -> None:
    person = await enrolled(home)
    visitor = opened(pages)
    await visitor.begin(**_asked(home))
    answer = await visitor.sign_in(person)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{home.base}/my/callback?")
    (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    given = await visitor.tokens(code, redirect_uri=f"{home.base}/my/callback")
    assert given.status_code == 200, given.text
    assert set(given.json()["scope"].split()) == {"openid", *OF_OWN_PAGES}


@pytest.mark.parametrize(
    "change",
    [
        "redirect_uris = redirect_uris || ARRAY['https://evil.test/here']",
        "scopes = scopes || ARRAY['cases.cases.create']",
    ],
)
async def test_as_soon_as_somebody_changed_them_people_are_asked(
    home: Town, pages: Machine, opened: Opened, change: str
) -> None:
    person = await enrolled(home)
    await changed(home, f"UPDATE clients SET {change} WHERE id = 'my-pages'")
    visitor = opened(pages)
    await visitor.begin(**_asked(home))
    answer = await visitor.sign_in(person)
    assert answer.status_code == 200
    assert "/oauth/consent" in answer.text


async def test_by_themselves_they_may_do_nothing(home: Town, pages: Machine) -> None:
    answer = await home.post(grant_type="client_credentials", **home.client_form(pages))
    assert answer.status_code == 200, answer.text
    assert not answer.json().get("scope")
    asked = await home.post(grant_type="client_credentials", scope="identity.persons.get", **home.client_form(pages))
    assert asked.status_code == 400


async def test_at_another_address_they_are_made_anew_under_the_same_name(home: Town, tmp_path: Path) -> None:
    file = tmp_path / "my-pages.json"
    await _founding(home, file).ensure()
    before = file.read_bytes()
    await _founding(home, file).ensure()
    assert file.read_bytes() == before
    await _founding(home, file, "https://elsewhere.test").ensure()
    assert file.read_bytes() != before
    await _founding(home, file).ensure()
