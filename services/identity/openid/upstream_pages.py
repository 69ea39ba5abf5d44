"""Signing in at an identity provider of others, as a browser goes through it: there, back, and the page that goes on."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from libs.errors import NotFound
from services.identity.core.client_rules import Client
from services.identity.core.token_form import TokenForm
from services.identity.openid.authorizations import AuthorizationRequest, NotAsked
from services.identity.openid.authorize import least_level, oldest_sign_in
from services.identity.openid.pages import BROWSER_COOKIE, BrowserPages
from services.identity.signin.service import OpenedSession, SignInRefused, SignIns, digest
from services.identity.upstream.service import AskedSignIn, Back, Unlinked, UpstreamAway, Visits

UPSTREAM_PATH = "/oauth/upstream"
CALLBACK_PATH = UPSTREAM_PATH + "/{upstream}/callback"
AWAY, REFUSED, UNLINKED, LOW = "upstream_away", "upstream_refused", "upstream_unlinked", "upstream_low"
"""What the sign-in page says where somebody did not come in this way."""


@dataclass(frozen=True, slots=True)
class CameBack:
    """How somebody came back: for which sign-in, with what session; where with none, why, and what links them when they sign in here."""

    ticket: str
    opened: OpenedSession | None = None
    fault: str = ""
    secret: str = ""


class UpstreamPages:
    """Sends browsers there and takes them in again."""

    def __init__(self, visits: Visits, sign_ins: SignIns, pages: BrowserPages) -> None:
        self._visits = visits
        self._sign_ins = sign_ins
        self._pages = pages

    async def offered(self) -> list[dict[str, str]]:
        """Returns what the sign-in page offers: names in both languages."""
        found = await self._visits.offered()
        return [{"name": each.name, "zh": each.display_name, "en": each.display_name_en} for each in found]

    async def there(
        self, request: Request, form: TokenForm, asked: AuthorizationRequest, client: Client
    ) -> Response | str:
        """Returns the page that sends a browser there, or why none does."""
        wish = AskedSignIn(least_level(asked, client), oldest_sign_in(asked))
        browser = self._pages.cookie(request, BROWSER_COOKIE)
        try:
            location = await self._visits.there(form.get("upstream"), form.get("ticket"), browser, wish)
        except (NotFound, UpstreamAway):
            return AWAY
        # No redirect: browsers hold where a form's answers lead, hop by hop, to a list that can't know the provider's (CSP 3, 6.1.10).
        return self._pages.page(
            request, "upstream.html", location=location, locales=asked.parameters.get("ui_locales", "")
        )

    async def back(self, request: Request, parameters: Mapping[str, str], current_cookie: str) -> CameBack:
        """Takes in what a browser brought back, once; raises NotAsked where it did not come from here."""
        browser, agent = self._pages.cookie(request, BROWSER_COOKIE), request.headers.get("user-agent", "")
        brought = Back(request.path_params["upstream"], parameters, browser, agent)
        found = await self._visits.visit(brought) if browser else None
        if found is None:
            raise NotAsked
        visit, ticket = found
        current = await self._sign_ins.session_of(current_cookie)
        try:
            came = await self._visits.taken(visit, brought, current)
        except (NotFound, UpstreamAway):
            return CameBack(ticket, fault=AWAY)
        except SignInRefused:
            return CameBack(ticket, fault=REFUSED)
        if isinstance(came, Unlinked):
            return CameBack(ticket, fault=UNLINKED, secret=came.secret)
        return CameBack(ticket, came)

    async def link(self, request: Request, form: TokenForm, person: str) -> None:
        """Links the account that the person came back by, where they said so in the form by which they signed in."""
        if form.get("link") and form.get("came"):
            browser = self._pages.cookie(request, BROWSER_COOKIE)
            with contextlib.suppress(NotFound):  # the provider has ended meanwhile
                await self._visits.link(form.get("came"), digest(form.get("ticket")), browser, person)
