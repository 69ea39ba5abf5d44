"""Signing in at an identity provider of others, as a browser goes through it: there, back, and the page that goes on."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from libs.errors import FailedPrecondition, NotFound
from libs.observability.logs import logger
from services.identity.core.client_rules import Client
from services.identity.core.sessions import SignInSession
from services.identity.core.token_form import TokenForm
from services.identity.openid.authorizations import AuthorizationRequest, NotAsked
from services.identity.openid.authorize import least_level, oldest_sign_in
from services.identity.openid.pages import BROWSER_COOKIE, BrowserPages
from services.identity.signin.service import OpenedSession, SignInRefused, SignIns, digest
from services.identity.upstream.service import AskedSignIn, Back, Unlinked, UpstreamAway, UpstreamVisit, Visits

_log = logger(__name__)
_LONGEST_NAME = 60
UPSTREAM_PATH = "/oauth/upstream"
CALLBACK_PATH = UPSTREAM_PATH + "/{upstream}/callback"
AWAY, REFUSED, UNLINKED, LOW = "upstream_away", "upstream_refused", "upstream_unlinked", "upstream_low"
"""What the sign-in page says where somebody did not come in this way."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a browser brought back, and the ticket of the sign-in that it is for."""

    ticket: str
    visit: UpstreamVisit
    back: Back


@dataclass(frozen=True, slots=True)
class CameBack:
    """How somebody came back: with what session; where with none, why, and what links them when they sign in here."""

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
        except (NotFound, UpstreamAway) as error:
            _tell(form.get("upstream")[:_LONGEST_NAME], error)
            return AWAY
        # No redirect: browsers hold where a form's answers lead, hop by hop, to a list that can't know the provider's (CSP 3, 6.1.10).
        return self._pages.page(
            request, "upstream.html", location=location, locales=asked.parameters.get("ui_locales", "")
        )

    async def brought(self, request: Request, parameters: Mapping[str, str]) -> Brought:
        """Takes what a browser brought back, once; raises NotAsked where it did not come from here."""
        browser, agent = self._pages.cookie(request, BROWSER_COOKIE), request.headers.get("user-agent", "")
        back = Back(request.path_params["upstream"], parameters, browser, agent)
        found = await self._visits.visit(back) if browser else None
        if found is None:
            raise NotAsked
        return Brought(found[1], found[0], back)

    async def taken(self, brought: Brought, current_cookie: str) -> CameBack:
        """Signs somebody in by what their browser brought back; the caller knows that their sign-in here still goes on."""
        current = await self._sign_ins.session_of(current_cookie)
        try:
            came = await self._visits.taken(brought.visit, brought.back, current)
        except (NotFound, UpstreamAway) as error:
            _tell(brought.visit.upstream, error)
            return CameBack(fault=AWAY)
        except SignInRefused:
            return CameBack(fault=REFUSED)
        if isinstance(came, Unlinked):
            return CameBack(fault=UNLINKED, secret=came.secret)
        return CameBack(came)

    async def link(self, request: Request, form: TokenForm, session: SignInSession) -> None:
        """Links the account that the person came back by, where they said so in the form by which they signed in."""
        if form.get("link") and form.get("came"):
            browser = self._pages.cookie(request, BROWSER_COOKIE)
            # The provider has ended meanwhile, or the account: they are signed in all the same.
            with contextlib.suppress(NotFound, FailedPrecondition):
                await self._visits.link(form.get("came"), digest(form.get("ticket")), browser, session)


def _tell(upstream: str, error: Exception) -> None:
    """Says in the log why nobody is signed in there: what the page says is no more than that."""
    why = error.why if isinstance(error, UpstreamAway) else "ended"
    _log.warning("identity provider away", upstream=upstream, why=why)
