"""The portal: a front page, the documentation, the public verification page, the OpenAPI document, the state of health."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

from google.protobuf import descriptor_pb2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from libs.access import purposes, rights
from libs.errors import Code, TongbanError
from libs.events.cloud_event import SCHEMA_PATH
from libs.observability.net import App, net
from libs.rpc.images import image_path
from services.gateway.config import GatewayConfig
from services.gateway.contracts import client_paths, pack_path
from services.gateway.event_schemas import event_schemas
from services.gateway.openapi import document, operations
from services.gateway.rendering import HEADERS, environment, error_words
from services.gateway.replies import documented
from services.gateway.schemas import Json
from services.gateway.upload import UnreadableForm, UploadForm, once, read_form
from services.gateway.verification import qr_content, request_of, result_of, sentence_of
from tongban.license.v1 import verification_service_pb2

_BAD_GATEWAY = 503
_HOLDERS = {
    "PERSON": "个人（含代他人办理、其他地区来访者）",
    "WINDOW": "窗口代办（个人权限之外）",
    "REGION": "其他地区的服务与工作人员",
    "STAFF": "所有在岗工作人员",
    "RECEIVING": "受理岗 RECEIVING",
    "REVIEWING": "审查岗 REVIEWING",
    "DECIDING": "决定岗 DECIDING",
    "SEAL_CUSTODY": "印章保管岗 SEAL_CUSTODY",
    "DATA": "数据管理岗 DATA",
    "ADMINISTRATION": "系统管理岗 ADMINISTRATION",
    "AUDITING": "审计岗 AUDITING",
    "ADMINISTRATOR": "首次启动的管理客户端（可授予其他客户端）",
}


class Services(Protocol):
    """What the pages ask of the services behind the gateway."""

    async def health(self) -> dict[str, bool]:
        """Tells whether each service serves, and each of its replicas where it has several; and which dependency is away."""

    async def verify(
        self, request: verification_service_pb2.VerifyLicenseRequest
    ) -> verification_service_pb2.VerifyLicenseResponse:
        """Asks whether a licence is good."""


@dataclass(frozen=True, slots=True)
class _RequestField:
    name: str
    place: str
    type: str
    required: bool
    comment: str


def _type_name(schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema and "type" not in schema:
        return _type_name(schema["anyOf"][0])  # that, or null
    kind = schema.get("type", "any")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "array":
        return f"{_type_name(schema['items'])}[]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{…: {_type_name(schema['additionalProperties'])}}}"
    return str(schema.get("format") or kind)


def _fields(operation: Json, schemas: Json) -> list[_RequestField]:
    places = {"path": "路径", "query": "查询", "header": "请求头"}
    fields = [
        _RequestField(
            each["name"], places[each["in"]], _type_name(each["schema"]), each["required"], each.get("description", "")
        )
        for each in operation["parameters"]
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        body = schemas[_type_name(body)]
    required = body.get("required", [])
    return fields + [
        _RequestField(name, "正文", _type_name(schema), name in required, schema.get("description", ""))
        for name, schema in body.get("properties", {}).items()
    ]


def _refusal(own: Json) -> Json:
    """One reason of a method's own, as the documentation tells it."""
    told = documented(own["reason"])
    return {"reason": own["reason"], "when": own.get("when", ""), "http": Code[told.code].http, "said": told.message_zh}


def _listing(made: Json) -> list[Json]:
    """Groups the operations by gRPC service, for the documentation."""
    methods: defaultdict[str, list[Json]] = defaultdict(list)
    for path, verb, operation in operations(made):
        good = next(each for http, each in operation["responses"].items() if http.startswith("2"))
        answer = next(iter(good.get("content", {}).values()), {"schema": {"type": "—"}})["schema"]
        methods[operation["tags"][0]].append(
            {
                "path": path,
                "verb": verb,
                "name": operation["x-grpc-method"].rpartition("/")[2],
                "operation": operation,
                "fields": _fields(operation, made["components"]["schemas"]),
                "answer": _type_name(answer),
                "refusals": list(map(_refusal, operation.get("x-error-reasons", []))),
            }
        )
    return [
        {"name": tag["name"], "description": tag["description"], "methods": methods[tag["name"]]}
        for tag in made["tags"]
    ]


def _duties() -> list[Json]:
    """Who holds which permissions, beside the services themselves, as the contracts have it."""
    return [
        {"name": _HOLDERS[name], "permissions": sorted(held)} for name, held in rights.HELD.items() if name in _HOLDERS
    ]


class Portal:
    """Answers the pages of one region."""

    def __init__(self, config: GatewayConfig, image: descriptor_pb2.FileDescriptorSet, services: Services) -> None:
        self._config = config
        self._services = services
        self._openapi = document(image, config.public.base_url, config.region.name, version("tongban"))
        self._schemas = event_schemas(image, config.public.base_url)
        self._files = {f"/{path.name}": path.read_bytes() for path in (image_path(), pack_path())}
        clients = client_paths()
        self._files |= {f"/clients/{path.name}": path.read_bytes() for path in clients}
        listing = _listing(self._openapi)
        self._templates = environment(config)
        self._templates.globals.update(services=listing, methods=sum(len(service["methods"]) for service in listing))
        self._templates.globals.update(purposes=list(purposes.table().values()))
        self._templates.globals.update(clients=[path.name for path in clients], base_url=config.public.base_url)
        self._templates.globals.update(duties=_duties())
        self._static = {name: self._render(name) for name in ("home.html", "docs.html", "clients.html")}

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(values)

    def _page(self, template: str) -> Callable[[Request], Awaitable[Response]]:
        async def page(_request: Request) -> Response:
            return HTMLResponse(self._static[template], headers=HEADERS)

        return page

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI document."""
        return JSONResponse(self._openapi)

    async def event_schema(self, request: Request) -> Response:
        """The JSON Schema of the data of a type of events; it changes in ways only that no reader minds."""
        kind = request.path_params["kind"]
        if kind not in self._schemas:
            return self._failure(404, {})
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

    async def _not_served(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._failure(error.status_code, dict(error.headers or {}))

    async def _failed(self, _request: Request, _error: Exception) -> Response:
        return self._failure(500, {})

    def _failure(self, code: int, headers: dict[str, str]) -> Response:
        page = self._render("error.html", **error_words(code))
        return HTMLResponse(page, code, headers=HEADERS | headers)

    def app(self, *others: Route) -> App:
        """The ASGI application; ``others`` are served beside the pages."""
        routes = [
            *others,
            Route("/", self._page("home.html")),
            Route("/docs", self._page("docs.html")),
            Route("/openapi.json", self.openapi),
            Route("/clients/", self._page("clients.html")),
            *(Route(path, self._file(path)) for path in self._files),
            Route(f"{SCHEMA_PATH}{{kind}}.json", self.event_schema),
            Route("/healthz", self.healthz),
            Route("/verify", self.verify, methods=["GET", "POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: self._not_served, Exception: self._failed})
        app.router.redirect_slashes = False
        return net(app, lambda _correlation_id: self._failure(500, {}))
