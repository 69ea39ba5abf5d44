"""The page at which somebody sets what they sign in with: a password, one-time codes, a passkey, a certificate."""

from collections.abc import Sequence
from typing import Any

import segno
from starlette.requests import Request
from starlette.responses import Response

from services.identity.core.token_form import TokenForm, read_form
from services.identity.openid.key_ways import KeyWay
from services.identity.openid.pages import BrowserPages, status_of
from services.identity.signin.service import (
    LONGEST_NAME,
    AuthenticatorKind,
    EnrollmentRow,
    Enrollments,
    SignInNotJudged,
)


class EnrollmentPages:
    """Serves it, in the form that belongs to what is set."""

    def __init__(self, enrollments: Enrollments, pages: BrowserPages, keys: Sequence[KeyWay]) -> None:
        self._enrollments = enrollments
        self._pages = pages
        self._scripts = {each.called: each.scripts for each in keys}

    async def shown(self, request: Request) -> Response:
        """Shows the page."""
        ticket = request.query_params.get("ticket", "")
        return await self._page(request, ticket, await self._enrollments.opened(ticket))

    async def taken(self, request: Request) -> Response:
        """Sets what was sent."""
        form = await read_form(request)
        opened = await self._enrollments.opened(form.get("ticket"))
        fault, saved = await self._set(opened.kind, form)
        if fault:
            return await self._page(request, form.get("ticket"), opened, fault)
        return self._pages.page(request, "message.html", kind=saved)

    async def _set(self, kind: AuthenticatorKind, form: TokenForm) -> tuple[str, str]:
        """Returns why it is not taken, or an empty text, and the message that says what was set."""
        ticket = form.get("ticket")
        if kind is AuthenticatorKind.PASSKEY:
            added = await self._enrollments.set_passkey(ticket, form.get("credential"), form.get("name"))
            return "" if added else "refused", "passkey_saved"
        if kind is AuthenticatorKind.CERTIFICATE:
            return await self._set_certificate(ticket, form.get("credential")), "certificate_saved"
        if kind is AuthenticatorKind.ONE_TIME_CODE:
            right = await self._enrollments.set_code(ticket, form.get("code"))
            return "" if right else "wrong", "code_saved"
        fault = await self._enrollments.set_password(ticket, form.get("password"), form.get("again"))
        return fault.value if fault else "", "saved"

    async def _set_certificate(self, ticket: str, answer: str) -> str:
        """Returns why it is not taken, or an empty text."""
        try:
            return "" if await self._enrollments.set_certificate(ticket, answer) else "refused"
        except SignInNotJudged:
            return "certificate_away"

    async def _page(self, request: Request, ticket: str, opened: EnrollmentRow, fault: str = "") -> Response:
        template, values = await self._shape(opened)
        return self._pages.page(request, template, status=status_of(fault), ticket=ticket, fault=fault, **values)

    async def _shape(self, opened: EnrollmentRow) -> tuple[str, dict[str, Any]]:
        """Returns the template, and what it shows."""
        if opened.kind is AuthenticatorKind.PASSKEY:
            options = await self._enrollments.passkey_options(opened, self._pages.region)
            return "enroll_passkey.html", {
                "scripts": self._scripts["passkey"],
                "options": options,
                "longest": LONGEST_NAME,
            }
        if opened.kind is AuthenticatorKind.CERTIFICATE:
            text = self._enrollments.certificate_text(opened)
            return "enroll_certificate.html", {"scripts": self._scripts["certificate"], "text": text}
        if opened.kind is AuthenticatorKind.ONE_TIME_CODE:
            setup = self._enrollments.code_setup(opened, self._pages.region)
            drawn = segno.make(setup.uri, error="m").svg_inline(
                scale=5, border=4, dark="#000", light="#fff", omitsize=True
            )
            groups = " ".join(setup.secret[place : place + 4] for place in range(0, len(setup.secret), 4))
            return "enroll_code.html", {"drawn": drawn, "secret": groups}
        shortest, longest = self._enrollments.password_lengths
        return "enroll.html", {"shortest": shortest, "longest": longest}
