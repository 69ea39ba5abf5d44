"""What browsers reach: the authorization endpoint, signing in and out, and agreeing."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from libs import outside
from libs.errors import Code, TongbanError
from libs.observability import metrics
from libs.observability.tracing import Tracing
from libs.rpc.call import FORWARDED, gateway_saw
from services.identity.core.client_rules import Client
from services.identity.core.oauth_errors import OAuthRefusal
from services.identity.core.sessions import SESSION_LASTS
from services.identity.core.token_form import TokenForm, read_form
from services.identity.openid.authorizations import AuthorizationRequest, NotAsked, Parameters
from services.identity.openid.authorize import Authorizations, NextStep, described, least_level
from services.identity.openid.devices import DEVICE_PATH, Devices
from services.identity.openid.enrollment_pages import EnrollmentPages
from services.identity.openid.key_ways import KeyWay
from services.identity.openid.logout import Logout
from services.identity.openid.pages import BROWSER_COOKIE, SESSION_COOKIE, BrowserPages, status_of
from services.identity.openid.rules import normal_user_code, shown_user_code
from services.identity.openid.upstream_pages import CALLBACK_PATH, LOW, UPSTREAM_PATH, UpstreamPages
from services.identity.signin.api import ENROLLMENT_PATH
from services.identity.signin.service import (
    ALONE,
    ELSEWHERE,
    EnrollmentOver,
    KeyAttempt,
    OpenedSession,
    PasswordAttempt,
    ProvenPassword,
    SignInNotJudged,
    SignInRefused,
    SignIns,
    SignInTooSoon,
)

_LONGEST_QUERY = 16_384
_LONGEST_VALUE = 4_096
_MOST = 40
_PASSING = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED})
_FAULTS: dict[type[Exception], str] = {SignInRefused: "wrong", SignInTooSoon: "soon"}
_DEVICE_ENDS = ("allowed", "refused", "unmet")
Handle = Callable[[Request], Awaitable[Response]]


class SignInPages:
    """Serves the pages."""

    def __init__(
        self,
        authorizations: Authorizations,
        devices: Devices,
        sign_ins: SignIns,
        keys: Sequence[KeyWay],
        enrollment: EnrollmentPages,
        upstreams: UpstreamPages,
        logout: Logout,
        pages: BrowserPages,
        tracing: Tracing,
    ) -> None:
        self._authorizations = authorizations
        self._devices = devices
        self._sign_ins = sign_ins
        self._keys = keys
        self._enrollment = enrollment
        self._upstreams = upstreams
        self._logout = logout
        self._pages = pages
        self._tracing = tracing

    def routes(self) -> list[Route]:
        """Returns where they are."""
        paths: dict[str, tuple[Handle, list[str]]] = {
            "/oauth/authorize": (self.authorize, ["GET", "POST"]),
            "/oauth/sign-in": (self.sign_in, ["POST"]),
            "/oauth/one-time-code": (self.one_time_code, ["POST"]),
            **{way.challenge_path: (partial(self.key_challenge, way), ["POST"]) for way in self._keys},
            **{way.path: (partial(self.key, way), ["POST"]) for way in self._keys},
            UPSTREAM_PATH: (self.upstream, ["POST"]),
            CALLBACK_PATH: (self.upstream_callback, ["GET"]),
            "/oauth/consent": (self.consent, ["POST"]),
            "/oauth/end-session": (self.end_session, ["GET", "POST"]),
            DEVICE_PATH: (self.device, ["GET", "POST"]),
            **{f"{DEVICE_PATH}/{end}": (self.device_end, ["GET"]) for end in _DEVICE_ENDS},
        }
        found = [Route(path, self._served(path, handle), methods=methods) for path, (handle, methods) in paths.items()]
        enrolling = [
            Route(ENROLLMENT_PATH, self._served(ENROLLMENT_PATH, handle), methods=[verb])
            for verb, handle in (("GET", self._enrollment.shown), ("POST", self._enrollment.taken))
        ]
        return [*found, *enrolling, *(Route(each.path, each.answer) for way in self._keys for each in way.scripts)]

    def _served(self, path: str, handle: Handle) -> Handle:
        async def served(request: Request) -> Response:
            with self._tracing.span(
                f"{request.method} {path}", SpanKind.SERVER, request.headers.get("traceparent", "")
            ):
                answer = await self._answered(request, handle)
                metrics.CALLS.labels(f"oauth.{path.rpartition('/')[2]}", str(answer.status_code)).inc()
                return answer

        return served

    async def _answered(self, request: Request, handle: Handle) -> Response:
        try:
            return await handle(request)
        except NotAsked as refusal:
            kind = "refused" if refusal.detail else "over"
            return self._pages.refused(request, kind, detail=refusal.detail)
        except EnrollmentOver:
            return self._pages.refused(request, "enrollment_over")
        except OAuthRefusal as refusal:
            return self._pages.refused(request, "refused", status=refusal.status, detail=refusal.error)
        except TongbanError as error:
            if error.code in _PASSING:
                return self._pages.refused(request, "busy", status=503)
            return self._pages.refused(request, "over", detail=error.reason)

    async def authorize(self, request: Request) -> Response:
        """Answers a browser that a client sent here."""
        parameters = await _parameters(request)
        browser = self._pages.cookie(request, BROWSER_COOKIE) or secrets.token_urlsafe(32)
        session = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        step, ticket = await self._authorizations.begin(parameters, browser, session, _address(request))
        answer = await self._next(request, step, ticket)
        self._pages.remember(answer, BROWSER_COOKIE, browser)
        return answer

    async def sign_in(self, request: Request) -> Response:
        """Signs somebody in by password, and goes on."""
        form = await read_form(request)
        asked, client = await self._authorizations.found(
            form.get("ticket"), self._pages.cookie(request, BROWSER_COOKIE)
        )
        if form.get("cancel"):
            return _sent(await self._authorizations.refuse(asked))
        current = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        try:
            opened = await self._sign_ins.by_password(_attempt(request, form), current)
        except tuple(_FAULTS) as refusal:
            step = NextStep("sign_in", asked=asked, client=client)
            came = form.get("came")
            return await self._next(request, step, form.get("ticket"), fault=_FAULTS[type(refusal)], came=came)
        if isinstance(opened, ProvenPassword):
            await self._authorizations.proven(asked, opened.person)
            step = NextStep("one_time_code", asked=asked, client=client)
            came = form.get("came") if form.get("link") else ""
            return await self._next(request, step, form.get("ticket"), came=came)
        await self._upstreams.link(request, form, opened.session)
        return await self._signed_in(request, asked, client, opened, form.get("ticket"))

    async def one_time_code(self, request: Request) -> Response:
        """Signs somebody in by the code behind their password, and goes on."""
        form = await read_form(request)
        asked, client = await self._authorizations.found(
            form.get("ticket"), self._pages.cookie(request, BROWSER_COOKIE)
        )
        person, agent = self._authorizations.waits_for(asked), request.headers.get("user-agent", "")
        current = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        try:
            opened = await self._sign_ins.by_code(person, form.get("code"), agent, current)
        except tuple(_FAULTS) as refusal:
            step, fault = NextStep("one_time_code", asked=asked, client=client), _FAULTS[type(refusal)]
            return await self._next(request, step, form.get("ticket"), fault=fault, came=form.get("came"))
        await self._upstreams.link(request, form, opened.session)
        return await self._signed_in(request, asked, client, opened, form.get("ticket"))

    async def key_challenge(self, way: KeyWay, request: Request) -> Response:
        """Tells the script of the page what a key is to sign; a new one each time, good once."""
        form = await read_form(request)
        asked, _ = await self._authorizations.found(form.get("ticket"), self._pages.cookie(request, BROWSER_COOKIE))
        if not way.sign_ins.offered:
            raise NotAsked
        options = way.sign_ins.options(await self._authorizations.challenge(asked))
        return Response(options, headers={"cache-control": "no-store"}, media_type="application/json")

    async def key(self, way: KeyWay, request: Request) -> Response:
        """Signs somebody in by a key, and goes on."""
        form = await read_form(request)
        asked, client = await self._authorizations.found(
            form.get("ticket"), self._pages.cookie(request, BROWSER_COOKIE)
        )
        address, agent = gateway_saw(request.headers.get(FORWARDED, "")), request.headers.get("user-agent", "")
        challenge = await self._authorizations.challenged(asked)
        current = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        faults = {SignInRefused: way.called, SignInTooSoon: "soon", SignInNotJudged: f"{way.called}_away"}
        try:
            attempt = KeyAttempt(form.get("credential"), challenge, address, agent)
            opened = await way.sign_ins.sign_in(attempt, current)
        except tuple(faults) as refusal:
            step, fault = NextStep("sign_in", asked=asked, client=client), faults[type(refusal)]
            return await self._next(request, step, form.get("ticket"), fault=fault, came=form.get("came"))
        await self._upstreams.link(request, form, opened.session)
        return await self._signed_in(request, asked, client, opened, form.get("ticket"))

    async def upstream(self, request: Request) -> Response:
        """Sends a browser to an identity provider of others."""
        form = await read_form(request)
        asked, client = await self._authorizations.found(
            form.get("ticket"), self._pages.cookie(request, BROWSER_COOKIE)
        )
        step = NextStep("sign_in", asked=asked, client=client)
        if not await self._sign_ins.may_go_elsewhere(_address(request)):
            return await self._next(request, step, form.get("ticket"), fault="soon")
        found = await self._upstreams.there(request, form, asked, client)
        if isinstance(found, str):
            return await self._next(request, step, form.get("ticket"), fault=found)
        return found

    async def upstream_callback(self, request: Request) -> Response:
        """Takes a browser in that comes back from there, and goes on."""
        brought = await self._upstreams.brought(request, await _parameters(request))
        # First: where it is over nobody is signed in, and no session is left of which no browser knows.
        asked, client = await self._authorizations.found(brought.ticket, self._pages.cookie(request, BROWSER_COOKIE))
        came = await self._upstreams.taken(brought, self._pages.cookie(request, SESSION_COOKIE))
        if came.opened is None:
            step = NextStep("sign_in", asked=asked, client=client)
            return await self._next(request, step, brought.ticket, fault=came.fault, came=came.secret)
        await self._sign_ins.came_in(_address(request))
        return await self._signed_in(request, asked, client, came.opened, brought.ticket, fault=LOW)

    async def _signed_in(
        self,
        request: Request,
        asked: AuthorizationRequest,
        client: Client,
        opened: OpenedSession,
        ticket: str,
        fault: str = "",
    ) -> Response:
        """Goes on; ``fault`` is what the sign-in page says where it comes once more."""
        step = await self._authorizations.go_on(asked, client, opened.session, _address(request))
        answer = await self._next(request, step, ticket, fault=fault if step.page == "sign_in" else "")
        self._pages.remember(answer, SESSION_COOKIE, opened.cookie, int(SESSION_LASTS.total_seconds()))
        return answer

    async def consent(self, request: Request) -> Response:
        """Takes what the person says to a client's wishes, and goes on."""
        form = await read_form(request)
        asked, client = await self._authorizations.found(
            form.get("ticket"), self._pages.cookie(request, BROWSER_COOKIE)
        )
        if form.get("decision") != "allow":
            return _sent(await self._authorizations.refuse(asked))
        session = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        step = await self._authorizations.go_on(asked, client, session, _address(request), agreed=True)
        return await self._next(request, step, form.get("ticket"))

    async def _next(self, request: Request, step: NextStep, ticket: str, fault: str = "", came: str = "") -> Response:
        if not step.page:
            return _sent(step.location)
        assert step.asked is not None
        assert step.client is not None
        scopes, permissions = described(step.asked)
        ways = [each for each in self._keys if each.sign_ins.offered] if step.page == "sign_in" else []
        return self._pages.page(
            request,
            f"{step.page}.html",
            status=status_of(fault),
            target=step.asked.parameters.get("redirect_uri", ""),
            locales=_locales(step.asked),
            client=step.client.display_name,
            ticket=ticket,
            fault=fault,
            came=came,
            upstreams=await self._upstreams.offered() if step.page == "sign_in" else [],
            scripts=[script for way in ways for script in way.scripts],
            keys=[each.called for each in ways],
            better=least_level(step.asked, step.client) > ALONE,
            scopes=scopes,
            permissions=permissions,
            device=await self._devices.shown(step.asked),
        )

    async def device(self, request: Request) -> Response:
        """Takes the code that a device shows, and goes on to whoever it asks for (RFC 8628, 3.3)."""
        if request.method == "GET":
            # What a device's QR code fills in is compared by the person, and sent by them.
            typed = normal_user_code(request.query_params.get("user_code", ""))
            return self._pages.page(request, "device.html", typed=shown_user_code(typed) if typed else "")
        form, address = await read_form(request), _address(request)
        if not await self._sign_ins.may_guess(address):
            return self._pages.page(request, "device.html", status=429, fault="soon")
        found = await self._devices.waiting(form.get("user_code"))
        if found is None:
            return self._pages.page(request, "device.html", status=400, fault="wrong")
        await self._sign_ins.guessed_right(address)
        browser = self._pages.cookie(request, BROWSER_COOKIE) or secrets.token_urlsafe(32)
        session = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        step, ticket = await self._authorizations.begin_at_device(found, browser, session, address)
        answer = await self._next(request, step, ticket)
        self._pages.remember(answer, BROWSER_COOKIE, browser)
        return answer

    async def device_end(self, request: Request) -> Response:
        """Says how it ended, in words that hold for any device."""
        return self._pages.page(request, "message.html", kind=f"device_{request.url.path.rpartition('/')[2]}")

    async def end_session(self, request: Request) -> Response:
        """Signs out, asked by a client or by the person (OpenID Connect RP-Initiated Logout 1.0)."""
        parameters = await _parameters(request)
        session = await self._sign_ins.session_of(self._pages.cookie(request, SESSION_COOKIE))
        wish = await self._logout.wish(parameters, session)
        elsewhere = session is not None and ELSEWHERE in session.methods
        if session is not None and not wish.proven and not (request.method == "POST" and "confirmed" in parameters):
            kept, locales = wish.kept, parameters.get("ui_locales", "")
            return self._pages.page(
                request, "sign_out.html", target=wish.location, kept=kept, locales=locales, elsewhere=elsewhere
            )
        if session is not None:
            await self._sign_ins.sign_out(session)
        signed_out = self._pages.page(request, "message.html", kind="signed_out", elsewhere=elsewhere)
        answer = _sent(wish.location) if wish.location else signed_out
        self._pages.forget(answer, SESSION_COOKIE)
        return answer


def _sent(location: str) -> Response:
    """Sends a browser on by GET, whatever brought it here (RFC 9700, 4.12)."""
    return RedirectResponse(location, 303, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _locales(asked: AuthorizationRequest) -> str:
    return asked.parameters.get("ui_locales", "")


def _address(request: Request) -> str:
    """Where the browser is, as the gateway saw it."""
    return gateway_saw(request.headers.get(FORWARDED, ""))


def _attempt(request: Request, form: TokenForm) -> PasswordAttempt:
    address, typed = _address(request), (form.get("login"), form.get("password"))
    return PasswordAttempt(*typed, address, request.headers.get("user-agent", ""))


async def _parameters(request: Request) -> Parameters:
    """Reads what a browser brings, of the address or of a form; raises NotAsked where it can't be read, or stands twice."""
    if request.method == "POST":
        return dict((await read_form(request)).fields)
    query: str = request.url.query
    try:
        pairs: list[tuple[str, Any]] = parse_qsl(
            query if len(query) <= _LONGEST_QUERY else "&" * (_MOST + 1),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST,
        )
        read = {outside.text(name, _LONGEST_VALUE): outside.text(value, _LONGEST_VALUE) for name, value in pairs}
    except ValueError as error:
        raise NotAsked("parameters") from error
    if len(read) != len(pairs):
        raise NotAsked("parameters")
    return {name: value for name, value in read.items() if value}
