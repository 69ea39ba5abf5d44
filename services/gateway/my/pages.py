"""The pages under /my: what is held, licences, cases, who used it, consents, mandates, sessions, and all of it as one file."""

import asyncio
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from libs.errors import Code, TongbanError
from libs.rpc import languages
from services.gateway.config import GatewayConfig
from services.gateway.my import exporting
from services.gateway.my.asking import SERVICES, Asked, ChannelOf
from services.gateway.my.signing_in import CALLBACK, REQUEST_SECONDS, NotSignedIn, PeopleSignIn, SignedInPerson
from services.gateway.my.words import Words, day, machine, shown
from services.gateway.rendering import HEADERS, environment

_PAGE_HEADERS = HEADERS | {"cache-control": "no-store"}
_SESSION, _REQUEST, _LANGUAGE = "tongban-my", "tongban-my-request", "tongban-my-language"
_HOME, _LICENSES, _CASES, _USES = "/my", "/my/licenses", "/my/cases", "/my/uses"
_CONSENTS, _MANDATES, _SESSIONS, _EXPORT = "/my/consents", "/my/mandates", "/my/sessions", "/my/export"
_SWITCH = "/my/switch"
_OF_FIRMS = frozenset({_HOME, _LICENSES, _CASES, _USES, f"{_SWITCH}/back"})
"""What is there for who looks at a firm's data: all else is their own, and needs their own token."""
PAGES = (_HOME, _LICENSES, _CASES, _USES, _CONSENTS, _MANDATES, _SESSIONS, _EXPORT)
_USES_ON_A_PAGE, _USES_AT_HOME = 25, 5
OWN_CLIENT = "clients/my-pages"
"""These pages, as identity calls them."""
_FORM_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in.

    Attributes:
        request: of the browser.
        person: who it is.
        asked: the services, as they ask them.
        form: what the browser sent, where it sent a form.
    """

    request: Request
    person: SignedInPerson
    asked: Asked
    form: Mapping[str, str]


Shown = Callable[[Visit], Awaitable[Response]]


class MyPages:
    """Answers under /my.

    Args:
        sign_in: how people sign in to these pages.
        channel_of: where each service is.
        templates: the pages' templates.
        secure: whether browsers reach them by HTTPS.
    """

    def __init__(
        self, sign_in: PeopleSignIn, channel_of: ChannelOf, templates: jinja2.Environment, *, secure: bool
    ) -> None:
        self._sign_in = sign_in
        self._channel_of = channel_of
        self._templates = templates
        self._secure = secure
        self._region = str(templates.globals["code"])

    def routes(self) -> list[Route]:
        """What is served here."""
        pages = {
            _HOME: self._home,
            _LICENSES: self._licenses,
            _CASES: self._cases,
            _USES: self._uses,
            _CONSENTS: self._consents,
            _MANDATES: self._mandates,
            _SESSIONS: self._sessions,
            _EXPORT: self._export,
        }
        acts = {
            f"{_CONSENTS}/withdraw": self._withdraw,
            f"{_MANDATES}/revoke": self._revoke_mandate,
            f"{_SESSIONS}/end": self._end,
            _SWITCH: self._switch,
            f"{_SWITCH}/back": self._switch_back,
            f"{_SESSIONS}/revoke": self._revoke,
            f"{_EXPORT}/file": self._file,
            f"{_HOME}/sign-out": self._sign_out,
        }
        return [
            *(Route(path, self._for_person(page), methods=["GET"]) for path, page in pages.items()),
            *(Route(path, self._for_form(act), methods=["POST"]) for path, act in acts.items()),
            Route(f"{_HOME}/sign-in", self._to_sign_in, methods=["GET"]),
            Route(f"{_HOME}/signed-out", self._signed_out, methods=["GET"]),
            Route(CALLBACK, self._back, methods=["GET"]),
        ]

    # ---- who it is ----

    def _for_person(self, page: Shown) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            try:
                person = self._sign_in.known(self._cookie(request, _SESSION))
                if person is None:
                    return await self._to_sign_in(request)
                if person.firm and request.url.path not in _OF_FIRMS:
                    return _on(_HOME)
                form = await _form_of(request) if request.method == "POST" else {}
                return await page(Visit(request, person, Asked(self._channel_of, person.token, person.firm), form))
            except TongbanError as error:
                return await self._refused(request, error)

        return serve

    def _for_form(self, act: Shown) -> Callable[[Request], Awaitable[Response]]:
        """A form is taken of the browser alone that was shown it, which its proof tells."""

        async def checked(visit: Visit) -> Response:
            if not hmac.compare_digest(visit.form.get("proof", "").encode(), visit.person.proof.encode()):
                return self._message(visit.request, "stale", 400)
            return await act(visit)

        return self._for_person(checked)

    async def _to_sign_in(self, request: Request) -> Response:
        to = request.query_params.get("to", request.url.path)
        language = self._language(request)
        try:
            location, kept = self._sign_in.begin(to if to in PAGES else _HOME, language)
        except TongbanError:
            return self._message(request, "away", 503)
        answer = RedirectResponse(location, 303, headers=_PAGE_HEADERS)
        self._remember(answer, _REQUEST, kept, REQUEST_SECONDS)
        return answer

    async def _back(self, request: Request) -> Response:
        try:
            to, kept = await self._sign_in.finish(self._cookie(request, _REQUEST), dict(request.query_params))
        except NotSignedIn:
            return self._message(request, "not_signed_in", 400)
        except TongbanError:
            return self._message(request, "away", 503)
        answer = RedirectResponse(to, 303, headers=_PAGE_HEADERS)
        self._remember(answer, _SESSION, kept, 3600)
        self._forget(answer, _REQUEST)
        return answer

    async def _refused(self, request: Request, error: TongbanError) -> Response:
        """A token that is no longer taken leads to a new one, unless it was given this very moment."""
        if error.code is Code.UNAUTHENTICATED:
            answer = await self._to_sign_in(request)
            self._forget(answer, _SESSION)
            return answer
        if error.code is Code.UNAVAILABLE:
            return self._message(request, "away", 503)
        kind = "too_low" if error.reason == "ASSURANCE_TOO_LOW" else "refused"
        return self._message(request, kind, error.code.http)

    # ---- the pages ----

    async def _home(self, visit: Visit) -> Response:
        holdings, uses = await asyncio.gather(visit.asked.holdings(), _latest(visit.asked))
        account = None if visit.person.firm else await visit.asked.person(visit.person.person)
        names = await visit.asked.departments(each.use_context.department for each in uses.uses) if uses else {}
        return self._page(visit, "my/home.html", account=account, holdings=holdings, uses=uses, names=names)

    async def _licenses(self, visit: Visit) -> Response:
        holder = visit.person.firm or visit.person.person
        listed = await visit.asked.licenses(holder, visit.request.query_params.get("page", ""))
        return self._page(visit, "my/licenses.html", licenses=listed.licenses, more=listed.next_page_token)

    async def _cases(self, visit: Visit) -> Response:
        listed = await visit.asked.cases(visit.request.query_params.get("page", ""))
        names = await visit.asked.departments(each.department for each in listed.cases)
        return self._page(visit, "my/cases.html", cases=listed.cases, names=names, more=listed.next_page_token)

    async def _uses(self, visit: Visit) -> Response:
        service = visit.request.query_params.get("service", "")
        services = (service,) if service in SERVICES else SERVICES
        uses = await visit.asked.uses(_USES_ON_A_PAGE, services, _before(visit.request.query_params.get("before", "")))
        names = await visit.asked.departments(each.use_context.department for each in uses.uses)
        chosen = service if service in SERVICES else ""
        return self._page(visit, "my/uses.html", uses=uses, names=names, chosen=chosen, services=SERVICES)

    async def _consents(self, visit: Visit) -> Response:
        consents = await visit.asked.consents()
        names = await visit.asked.departments(each.recipient for each in consents)
        return self._page(visit, "my/consents.html", consents=consents, names=names)

    async def _mandates(self, visit: Visit) -> Response:
        return self._page(visit, "my/mandates.html", mandates=await visit.asked.mandates())

    async def _sessions(self, visit: Visit) -> Response:
        sessions, grants = await asyncio.gather(visit.asked.sessions(), visit.asked.sign_in_grants())
        # That somebody is signed in to these very pages the browsers above tell already.
        others = [each for each in grants if each.client != OWN_CLIENT]
        return self._page(visit, "my/sessions.html", sessions=sessions, grants=others)

    async def _export(self, visit: Visit) -> Response:
        return self._page(visit, "my/export.html", services=SERVICES)

    # ---- what is done there ----

    async def _withdraw(self, visit: Visit) -> Response:
        await visit.asked.withdraw_consent(visit.form.get("name", ""), visit.form.get("request_id", ""))
        return _on(f"{_CONSENTS}?done=withdrawn")

    async def _revoke_mandate(self, visit: Visit) -> Response:
        await visit.asked.revoke_mandate(visit.form.get("name", ""), visit.form.get("request_id", ""))
        return _on(f"{_MANDATES}?done=mandate")

    async def _switch(self, visit: Visit) -> Response:
        """Looks at the data of an organisation from now on; it ends with the token, and by itself nothing else changes."""
        uscc = visit.form.get("uscc", "").strip().upper()
        firm = await visit.asked.organization(visit.form.get("firm", ""), uscc)
        token = await visit.asked.acting(firm.name, visit.form.get("mandate", ""))
        answer = _on(_HOME)
        kept = self._sign_in.for_firm(visit.person, token, firm.name, firm.display_name)
        self._remember(answer, _SESSION, kept, 3600)
        return answer

    async def _switch_back(self, visit: Visit) -> Response:
        """Their own token was given up: the region's sign-in, which still knows them, gives another."""
        answer = await self._to_sign_in(visit.request)
        self._forget(answer, _SESSION)
        return answer

    async def _end(self, visit: Visit) -> Response:
        name = visit.form.get("name", "")
        await visit.asked.end_session(name, visit.form.get("request_id", ""))
        return self._left() if name == visit.person.session else _on(f"{_SESSIONS}?done=ended")

    async def _revoke(self, visit: Visit) -> Response:
        await visit.asked.revoke_sign_in_grant(visit.form.get("name", ""), visit.form.get("request_id", ""))
        return _on(f"{_SESSIONS}?done=revoked")

    async def _sign_out(self, visit: Visit) -> Response:
        try:
            await visit.asked.end_session(visit.person.session, str(uuid.uuid4()))
        except TongbanError as error:
            if error.code is Code.UNAVAILABLE:
                raise  # they would believe to be signed out
        return self._left()

    async def _file(self, visit: Visit) -> Response:
        files = await visit.asked.files()
        content = await asyncio.to_thread(exporting.packed, files, visit.person.person, self._region)
        headers = _PAGE_HEADERS | {"content-disposition": 'attachment; filename="tongban-my-data.zip"'}
        return Response(content, headers=headers, media_type="application/zip")

    def _left(self) -> Response:
        answer = _on(f"{_HOME}/signed-out")
        self._forget(answer, _SESSION)
        return answer

    async def _signed_out(self, request: Request) -> Response:
        return self._message(request, "signed_out", 200)

    # ---- how ----

    def _page(self, visit: Visit, template: str, **values: Any) -> Response:
        request = visit.request
        return self._rendered(
            request,
            template,
            200,
            person=visit.person,
            path=request.url.path,
            done=request.query_params.get("done", ""),
            new_id=lambda: str(uuid.uuid4()),
            **values,
        )

    def _message(self, request: Request, kind: str, status: int) -> Response:
        return self._rendered(request, "my/message.html", status, kind=kind, path="")

    def _rendered(self, request: Request, template: str, status: int, **values: Any) -> Response:
        language = self._language(request)
        say = Words(language)
        page = self._templates.get_template(template)
        text = page.render(
            lang=language,
            zh=say.zh,
            say=say,
            colon=say.of(("：", ": ")),
            shown=shown,
            machine=machine,
            day=day,
            **values,
        )
        answer = HTMLResponse(text, status, headers=_PAGE_HEADERS | {"content-language": language})
        if request.query_params.get("lang"):
            self._remember(answer, _LANGUAGE, language, 365 * 24 * 3600)
        return answer

    def _language(self, request: Request) -> str:
        asked = request.query_params.get("lang") or self._cookie(request, _LANGUAGE)
        return languages.preferred(asked or request.headers.get(languages.HEADER, ""))

    def _cookie(self, request: Request, name: str) -> str:
        return request.cookies.get(self._named(name), "")

    def _remember(self, answer: Response, name: str, value: str, seconds: int) -> None:
        options: Mapping[str, Any] = {"path": "/", "secure": self._secure, "httponly": True, "samesite": "lax"}
        answer.set_cookie(self._named(name), value, max_age=seconds, **options)

    def _forget(self, answer: Response, name: str) -> None:
        answer.delete_cookie(self._named(name), path="/", secure=self._secure, httponly=True, samesite="lax")

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self._secure else name


def my_pages(config: GatewayConfig, sign_in: PeopleSignIn, channel_of: ChannelOf) -> MyPages:
    """Makes the pages of a region."""
    return MyPages(sign_in, channel_of, environment(config), secure=config.public.base_url.startswith("https://"))


async def _latest(asked: Asked) -> Any:
    """The latest uses; None for who is not known well enough to be told."""
    try:
        return await asked.uses(_USES_AT_HOME)
    except TongbanError as error:
        if error.reason != "ASSURANCE_TOO_LOW":
            raise
        return None


async def _form_of(request: Request) -> Mapping[str, str]:
    """Reads a small form; what is larger than any of ours is none."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES:
            return {}
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=8))
    except ValueError:
        return {}


def _before(text: str) -> datetime | None:
    """Reads the moment before which a page begins; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _on(location: str) -> Response:
    return RedirectResponse(location, 303, headers=_PAGE_HEADERS)
