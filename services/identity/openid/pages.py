"""The pages at which people sign in, agree and set a password: Chinese and English, without a script."""

from typing import Any
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from libs.rpc import languages

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {"referrer-policy": "no-referrer", "x-content-type-options": "nosniff", "cache-control": "no-store"}
SESSION_COOKIE, BROWSER_COOKIE = "tongban-session", "tongban-browser"
_DAY = 24 * 3600


class BrowserPages:
    """Renders the pages of a region.

    Attributes:
        region: what they call it.
    """

    def __init__(self, region: str, base_url: str) -> None:
        loader = jinja2.PackageLoader("services.identity.openid")
        self._templates = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self._templates.globals.update(region=region)
        self.region = region
        self._secure = base_url.startswith("https://")

    def page(self, request: Request, template: str, *, status: int = 200, target: str = "", **values: Any) -> Response:
        """Renders a page; ``target`` is where the browser is sent when its form was taken, if anywhere else than here."""
        language = asked_language(request, values.get("locales", ""))
        text = self._templates.get_template(template).render(lang=language, **values)
        # A browser also holds where a form's answer sends it to the list of targets (CSP 3, 6.1.10).
        targets = " ".join(("'self'", *filter(None, (_origin(target),))))
        headers = {**_HEADERS, "content-security-policy": _POLICY.format(targets=targets), "content-language": language}
        return HTMLResponse(text, status, headers=headers)

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


def asked_language(request: Request, locales: str = "") -> str:
    """Returns the language of a page, `zh-CN` or `en`: of ui_locales, else of the browser."""
    return languages.preferred(",".join(locales.split()) or request.headers.get("accept-language", ""))


def _origin(target: str) -> str:
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
