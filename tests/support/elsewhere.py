"""People who sign in to a region at an identity provider of others: a region with one, and how their browsers go there and come back."""

import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from libs import outside
from services.identity.core.accounts import find_person
from tests.support.client_keys import Machine
from tests.support.signing_in import Browser, sign_in_stub, told
from tests.support.town import Town
from tests.support.upstream_double import UpstreamDouble
from tests.support.upstreams import CLAIM
from tongban.identity.v1 import sign_in_service_pb2 as pb

_LOCATION = re.compile(r'http-equiv="refresh" content="0;url=([^"]+)"')
CAME = re.compile(r'name="came" value="([^"]+)"')


@dataclass
class Believed:
    """A region, a provider that it believes, and a client that people sign in to."""

    town: Town
    provider: UpstreamDouble
    upstream: pb.Upstream
    party: Machine

    async def full_name(self, person: str) -> str:
        """What somebody is called."""
        process = self.town.service.process
        async with process.database.read() as connection:
            found = await find_person(connection, person)
        assert found is not None
        return found.clear_name(process.cipher)

    async def claims(self, person: str, subject: str, **changes: Any) -> dict[str, Any]:
        """What the provider says of somebody it knows well."""
        known = {CLAIM: self.town.numbers[person], "name": await self.full_name(person)}
        return {"sub": subject, "acr": "LoA2", **known, **changes}

    async def links(self, person: str) -> list[pb.AccountLink]:
        """The accounts elsewhere that somebody signs in by."""
        answer = await self.town.call(
            sign_in_stub(self.town).ListAccountLinks,
            pb.ListAccountLinksRequest(),
            pb.ListAccountLinksResponse,
            await self.town.human_token(person),
        )
        return list(answer.account_links)


async def sent_there(believed: Believed, browser: Browser, **asked: Any) -> str:
    """Where the browser is sent by the button on the sign-in page."""
    page = await browser.begin(**asked)
    assert "安徽省统一身份认证平台" in page.text
    answer = await browser.submit("/oauth/upstream", upstream=believed.upstream.name)
    found = _LOCATION.search(answer.text)
    assert found, answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    return html.unescape(found[1])


async def came_back(believed: Believed, browser: Browser, claims: dict[str, Any], sent: str, **told_back: str) -> Any:
    """What the browser gets when it comes back."""
    location = believed.provider.answered(sent, claims, **told_back)
    assert location.startswith(believed.town.base)
    parts = urlsplit(location)
    browser.page = await browser.get(parts.path, **dict(parse_qsl(parts.query)))
    return browser.page


async def through(believed: Believed, browser: Browser, claims: dict[str, Any], **asked: Any) -> Any:
    """What the browser gets that goes there and comes back."""
    return await came_back(believed, browser, claims, await sent_there(believed, browser, **asked))


async def code_of(browser: Browser, page: httpx.Response) -> str:
    """The code that the client gets."""
    if page.status_code == 200:
        page = await browser.submit("/oauth/consent", decision="allow")
    return told(page)["code"]


async def told_level(browser: Browser, page: httpx.Response) -> tuple[str, list[str]]:
    """The level and the way that the client is told of."""
    answer = await browser.tokens(await code_of(browser, page))
    assert answer.status_code == 200, answer.text
    claims = outside.jwt_parts(answer.json()["id_token"], 8192)[1]
    return claims["acr"], claims["amr"]
