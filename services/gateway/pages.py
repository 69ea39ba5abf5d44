"""The portal: a front page, the documentation, the public verification page, the OpenAPI document, the state of health."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.metadata import version
from typing import Any, Protocol

from google.protobuf import descriptor_pb2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from libs.access import purposes
from libs.errors import Code, TongbanError
from libs.events.cloud_event import SCHEMA_PATH
from libs.observability.net import App, net
from libs.rpc import languages
from libs.rpc.images import image_path
from services.gateway.chinese import chinese_texts, in_chinese
from services.gateway.config import GatewayConfig
from services.gateway.contracts import client_paths, pack_path
from services.gateway.contracts import services as services_of
from services.gateway.documentation import Documentation
from services.gateway.event_schemas import event_schemas
from services.gateway.openapi import document, operations
from services.gateway.openapi_chinese import own_words_in_chinese
from services.gateway.rendering import HEADERS, SCRIPT, SCRIPT_HEADERS, environment, error_words
from services.gateway.schemas import Json
from services.gateway.typed_failures import told_in_order, typed_failure
from services.gateway.upload import ForeignForm, UnreadableForm, UploadForm, once, read_form
from services.gateway.verification import qr_content, request_of, result_of, sentence_of
from tongban.license.v1 import verification_service_pb2

_BAD_GATEWAY = 503


class Services(Protocol):
    """What the pages ask of the services behind the gateway."""

    async def health(self) -> dict[str, bool]:
        """Tells whether each service serves, and each of its replicas where it has several; and which dependency is away."""

    async def verify(
        self, request: verification_service_pb2.VerifyLicenseRequest
    ) -> verification_service_pb2.VerifyLicenseResponse:
        """Asks whether a licence is good."""


class Portal:
    """Answers the pages of one region."""

    def __init__(self, config: GatewayConfig, image: descriptor_pb2.FileDescriptorSet, services: Services) -> None:
        self._config = config
        self._services = services
        self._image = image
        self._openapi = document(image, config.public.base_url, config.region.name, version("tongban"))
        self._documented = cache(self._document)
        self._schemas = event_schemas(image, config.public.base_url)
        self._files = {f"/{path.name}": path.read_bytes() for path in (image_path(), pack_path())}
        clients = client_paths()
        self._files |= {f"/clients/{path.name}": path.read_bytes() for path in clients}
        self._templates = environment(config)
        self._templates.globals.update(
            methods=sum(1 for _ in operations(self._openapi)), clients=[path.name for path in clients]
        )
        self._static = {name: self._render(name) for name in ("home.html", "clients.html")}

    def _document(self, language: str) -> tuple[Json, str]:
        """The OpenAPI document and the page of the documentation in a language; made when somebody asks for the first time."""
        config, made = self._config, self._openapi
        if language == "zh":
            image = in_chinese(self._image, chinese_texts())
            made = own_words_in_chinese(document(image, config.public.base_url, config.region.name, version("tongban")))
        told = Documentation(made, services_of(self._image), language).values()
        return made, self._render("docs.html", purposes=list(purposes.table().values()), script=SCRIPT, **told)

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(values)

    def _page(self, template: str) -> Callable[[Request], Awaitable[Response]]:
        async def page(_request: Request) -> Response:
            return HTMLResponse(self._static[template], headers=HEADERS)

        return page

    async def docs(self, request: Request) -> Response:
        """The documentation, in the language that ``lang`` or else Accept-Language asks for; its script reaches this site alone."""
        asked = request.query_params.get("lang") or languages.preferred(request.headers.get(languages.HEADER, ""))
        _, page = await asyncio.to_thread(self._documented, "en" if asked.startswith("en") else "zh")
        return HTMLResponse(page, headers=SCRIPT_HEADERS | {"vary": "accept-language"})

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI document."""
        return JSONResponse(self._openapi)

    async def openapi_zh(self, _request: Request) -> Response:
        """The OpenAPI document in Chinese."""
        made, _ = await asyncio.to_thread(self._documented, "zh")
        return JSONResponse(made)

    async def event_schema(self, request: Request) -> Response:
        """The JSON Schema of the data of a type of events; it changes in ways only that no reader minds."""
        kind = request.path_params["kind"]
        if kind not in self._schemas:
            return self._failure(request, 404, {})
        headers = {"cache-control": "public, max-age=3600", "access-control-allow-origin": "*"}
        return JSONResponse(self._schemas[kind], headers=headers, media_type="application/schema+json")

    def _file(self, path: str) -> Callable[[Request], Awaitable[Response]]:
        """A file to keep, under its own name."""
        name = path.rpartition("/")[2]
        headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}

        async def file(_request: Request) -> Response:
            return Response(self._files[path], headers=headers, media_type="application/octet-stream")

        return file

    async def healthz(self, _request: Request) -> Response:
        """200 where all services serve and all that they stand on answers, else 503; names each (``cases/redis``).

        One replica of several that does not serve (``cases-2``) is named, and the region serves on.
        """
        states = await self._services.health()
        serves = all(up for name, up in states.items() if "-" not in name or "/" in name)
        serving = {name: "SERVING" if up else "NOT_SERVING" for name, up in states.items()}
        body = {"status": "SERVING" if serves else "NOT_SERVING", "services": serving}
        code = 200 if serves else _BAD_GATEWAY
        return JSONResponse(body | {"region": self._config.region.id}, code)

    async def verify(self, request: Request) -> Response:
        """The verification page: empty, for a scanned QR code (GET with ``c``), or for what was brought (POST)."""
        try:
            once([name for name, _ in request.query_params.multi_items()])
            form = await read_form(request) if request.method == "POST" else None
        except ForeignForm as foreign:
            return self._failure(request, 415, {"accept-post": foreign.taken})
        except UnreadableForm as unreadable:
            return self._verification("", 400, refusal=unreadable.sentence)
        if form:
            return await self._verified(form)
        if check := request.query_params.get("c", ""):
            region = request.query_params.get("r", self._config.region.id)
            scanned = qr_content(self._config.public.base_url, region, check)
            return await self._verified(UploadForm({"subject": scanned}))
        return self._verification("")

    async def _verified(self, form: UploadForm) -> Response:
        subject = form.get("subject")
        question = request_of(subject, form.get("number"), form.get("holder_name"), form.file)
        if question.WhichOneof("subject") == "qr_content" and not question.qr_content:
            return self._verification("", 400, refusal="请填写二维码内容或证照标识，或选择一个证照文件。")
        try:
            answer = await self._services.verify(question)
        except TongbanError as error:
            code = _BAD_GATEWAY if error.code is Code.UNAVAILABLE else 200
            return self._verification(subject, code, refusal=sentence_of(error, question))
        return self._verification(subject, result=result_of(answer, question))

    def _verification(self, subject: str, code: int = 200, **values: object) -> Response:
        page = self._render("verify.html", subject=subject, **values)
        return HTMLResponse(page, code, headers=HEADERS | {"cache-control": "no-store"})

    async def _not_served(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._failure(request, error.status_code, told_in_order(error.headers or {}))

    async def _failed(self, request: Request, _error: Exception) -> Response:
        return self._failure(request, 500, {})

    def _failure(self, request: Request, code: int, headers: dict[str, str]) -> Response:
        """A page to a browser that asked for one; a typed status to all others."""
        if "text/html" in request.headers.get("accept", ""):
            page = self._render("error.html", **error_words(code))
            return HTMLResponse(page, code, headers=HEADERS | headers)
        return typed_failure(code, request.headers.get(languages.HEADER, ""), headers)

    def app(self, *others: Route) -> App:
        """The ASGI application; ``others`` are served beside the pages."""
        routes = [
            *others,
            Route("/", self._page("home.html")),
            Route("/docs", self.docs),
            Route("/openapi.json", self.openapi),
            Route("/openapi.zh.json", self.openapi_zh),
            Route("/clients/", self._page("clients.html")),
            *(Route(path, self._file(path)) for path in self._files),
            Route(f"{SCHEMA_PATH}{{kind}}.json", self.event_schema),
            Route("/healthz", self.healthz),
            Route("/verify", self.verify, methods=["GET", "POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: self._not_served, Exception: self._failed})
        app.router.redirect_slashes = False
        return net(app, lambda correlation_id: typed_failure(500, "", {}, correlation_id))
