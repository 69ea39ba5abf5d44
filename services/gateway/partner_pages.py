"""The page for partners (合作方接入): ask for a client, get a key, make the first call, see one's quota and use.

It is a form before the API, as anybody could write it: its script makes the key and signs in the reader's browser, calls this site alone, and
the gateway learns nothing by it that a call would not tell.
"""

import json

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from libs.rpc import languages
from services.gateway.config import GatewayConfig
from services.gateway.partner_words import SAID, SHOWN, STATES, WARNINGS, in_language
from services.gateway.rendering import environment, script_headers, script_text

_SCRIPT = script_text("partners.js")


class PartnerPages:
    """Answers with the page, in Chinese or English."""

    def __init__(self, config: GatewayConfig) -> None:
        self._issuer = config.identity.issuer
        self._template = environment(config).get_template("partners.html")

    async def page(self, request: Request) -> Response:
        """The page, in the language that ``lang`` or else Accept-Language asks for."""
        asked = request.query_params.get("lang") or request.headers.get(languages.HEADER, "")
        zh = languages.preferred(asked) == languages.CHINESE
        shown = {
            **in_language(SHOWN, zh),
            "states": in_language(STATES, zh),
            "warnings": in_language(WARNINGS, zh),
        }
        text = self._template.render(
            lang="zh" if zh else "en",
            zh=zh,
            say=in_language(SAID, zh),
            words=json.dumps(shown, ensure_ascii=False),
            issuer=self._issuer,
            script=_SCRIPT,
        )
        more = {"vary": languages.HEADER, "content-language": "zh-CN" if zh else "en"}
        return HTMLResponse(text, headers=script_headers(_SCRIPT) | more)

    def routes(self) -> list[Route]:
        """What is served."""
        return [Route("/partners", self.page)]
