"""The page of the services' states (服务状态), in Chinese and English, and the same for programs."""

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from libs.civil.calendar import CHINA_TIME
from libs.rpc import languages
from services.gateway.config import GatewayConfig
from services.gateway.my.words import SERVICES, Pair
from services.gateway.rendering import HEADERS, environment
from services.gateway.service_states import SeenState, ServiceState, ServiceStates

_KEPT = {"cache-control": "public, max-age=5"}
_STATES: Mapping[ServiceState, tuple[str, Pair]] = {
    ServiceState.SERVING: ("good", ("正常", "Serving")),
    ServiceState.LIMITED: ("warn", ("部分功能受限", "Serving with limits")),
    ServiceState.NOT_SERVING: ("bad", ("暂停服务", "Not serving")),
}
_WHOLE: Mapping[ServiceState, Pair] = {
    ServiceState.SERVING: ("全部服务正常", "All services are serving"),
    ServiceState.LIMITED: ("部分服务受限", "Some services serve with limits"),
    ServiceState.NOT_SERVING: ("部分服务暂停", "Some services are not serving"),
}
_WORST_FIRST = (ServiceState.NOT_SERVING, ServiceState.LIMITED)


class StatusPages:
    """Tells anybody whether each service serves."""

    def __init__(self, config: GatewayConfig, states: ServiceStates) -> None:
        self._region = config.region.id
        self._states = states
        self._template = environment(config).get_template("status.html")

    async def page(self, request: Request) -> Response:
        """The page, in the language that ``lang`` or else Accept-Language asks for."""
        asked = request.query_params.get("lang") or request.headers.get(languages.HEADER, "")
        zh = languages.preferred(asked) == languages.CHINESE
        seen = await self._states.seen()
        worst = worst_of(seen.services)
        text = self._template.render(
            lang="zh" if zh else "en",
            zh=zh,
            tone=_STATES[worst][0],
            whole=_said(_WHOLE[worst], zh),
            rows=[_row(name, each, zh) for name, each in seen.services.items()],
            time=_moment(seen.time),
        )
        headers = HEADERS | _KEPT | {"vary": languages.HEADER, "content-language": "zh-CN" if zh else "en"}
        return HTMLResponse(text, headers=headers)

    async def states(self, _request: Request) -> Response:
        """The same for programs."""
        seen = await self._states.seen()
        services = [
            {"service": name, "state": each.state.value, "sinceTime": _machine(each.since)}
            for name, each in seen.services.items()
        ]
        body = {"region": self._region, "observeTime": _machine(seen.time), "services": services}
        return JSONResponse(body, headers=_KEPT | {"access-control-allow-origin": "*"})

    def routes(self) -> list[Route]:
        """What is served."""
        return [Route("/status", self.page), Route("/status.json", self.states)]


def worst_of(services: Mapping[str, SeenState]) -> ServiceState:
    """Returns the worst state that a service is in."""
    found = {each.state for each in services.values()}
    return next((state for state in _WORST_FIRST if state in found), ServiceState.SERVING)


def _row(name: str, seen: SeenState, zh: bool) -> dict[str, str]:
    tone, words = _STATES[seen.state]
    return {
        "service": _said(SERVICES.get(name, (name, name)), zh),
        "tone": tone,
        "state": _said(words, zh),
        "since": _moment(seen.since),
        "machine": _machine(seen.since),
    }


def _said(pair: Pair, zh: bool) -> str:
    return pair[0] if zh else pair[1]


def _moment(time: datetime) -> str:
    return time.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")


def _machine(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
