"""The pages at which people sign in, agree and set what they sign in with: Chinese and English, without a script but those of keys."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from libs.rpc import languages

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
)
_SCRIPTED = "; script-src {scripts}; connect-src {asked}"
"""Of pages on which somebody shows a key: they run few files, which ask few addresses."""
_STATUSES = MappingProxyType({"soon": 429, "certificate_away": 503})
_HEADERS = {"referrer-policy": "no-referrer", "x-content-type-options": "nosniff", "cache-control": "no-store"}
SESSION_COOKIE, BROWSER_COOKIE = "tongban-session", "tongban-browser"
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class PageScript:
    """A script that pages run.

    Attributes:
        path: where it is.
        text: it.
        asks: what it may call: paths of ours, and origins of others.
    """

    path: str
    text: bytes
    asks: tuple[str, ...] = ()

    @property
    def etag(self) -> str:
        """Changes with the text."""
        return f'"{hashlib.sha256(self.text).hexdigest()[:32]}"'

    async def answer(self, request: Request) -> Response:
        """Answers with it; a browser asks each time whether it is still the same."""
        headers = {"x-content-type-options": "nosniff", "cache-control": "no-cache", "etag": self.etag}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.text, headers=headers, media_type="text/javascript")


def own_script(file: str, *asks: str) -> PageScript:
    """Returns a script of ours."""
    return PageScript(f"/oauth/{file}", (files("services.identity.openid") / file).read_bytes(), asks)


class BrowserPages:
    """Renders the pages of a region.

    Attributes:
        region: what they call it.
    """

    def __init__(self, region: str, base_url: str) -> None:
        loader = jinja2.PackageLoader("services.identity.openid")
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
        )
        self._templates.globals.update(region=region)
        self._base_url = base_url
        self.region = region
        self._secure = base_url.startswith("https://")

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        target: str = "",
        scripts: Sequence[PageScript] = (),
        **values: Any,
    ) -> Response:
        """Renders a page.

        Args:
            request: of the browser.
            template: which page.
            status: of HTTP.
            target: where the browser is sent when its form was taken, if anywhere else than here.
            scripts: what the page runs, in this order.
            values: what the template takes.
        """
        language = asked_language(request, values.get("locales", ""))
        paths = [each.path for each in scripts]
        text = self._templates.get_template(template).render(lang=language, scripts=paths, **values)
        # A browser also holds where a form's answer sends it to the list of targets (CSP 3, 6.1.10).
        targets = " ".join(("'self'", *filter(None, (_origin(target),))))
        policy = _POLICY.format(targets=targets) + self._scripted(scripts)
        headers = {**_HEADERS, "content-security-policy": policy, "content-language": language}
        return HTMLResponse(text, status, headers=headers)

    def _scripted(self, scripts: Sequence[PageScript]) -> str:
        """Returns what a page's policy says of its scripts: their whole addresses, and those that they may call."""
        if not scripts:
            return ""
        asked = [self._base_url + to if to.startswith("/") else to for each in scripts for to in each.asks]
        found = [self._base_url + each.path for each in scripts]
        return _SCRIPTED.format(scripts=" ".join(found), asked=" ".join(dict.fromkeys(asked)))

    def refused(self, request: Request, kind: str, *, status: int = 400, **values: Any) -> Response:
        """Renders the page that says why this goes no further."""
        return self.page(request, "message.html", status=status, kind=kind, **values)

    def cookie(self, request: Request, name: str) -> str:
        """Returns what the browser shows."""
        return request.cookies.get(self._named(name), "")

    def remember(self, response: Response, name: str, value: str, seconds: int = _DAY) -> None:
        """Has the browser show something from now on, on its own requests and when others send it here."""
        named = {"path": "/", "secure": self._secure, "httponly": True, "samesite": "lax"}
        response.set_cookie(self._named(name), value, max_age=seconds, **named)  # type: ignore[arg-type]

    def forget(self, response: Response, name: str) -> None:
        """Has the browser show it no more."""
        response.delete_cookie(self._named(name), path="/", secure=self._secure, httponly=True, samesite="lax")

    def _named(self, name: str) -> str:
        # No other host of the domain and no plain HTTP can set one of this name (RFC 6265bis, 4.1.3.2).
        return f"__Host-{name}" if self._secure else name


def status_of(fault: str) -> int:
    """Returns the status of a page by what is wrong with what was sent to it."""
    return _STATUSES.get(fault, 400) if fault else 200


def asked_language(request: Request, locales: str = "") -> str:
    """Returns the language of a page, `zh-CN` or `en`: of ui_locales, else of the browser."""
    return languages.preferred(",".join(locales.split()) or request.headers.get("accept-language", ""))


def _origin(target: str) -> str:
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
