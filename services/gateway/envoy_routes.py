"""Envoy's routes, made from the contracts: who takes a path, for how long, and what is sent again."""

from typing import Any

from libs.events.cloud_event import SCHEMA_PATH
from libs.rpc.receipts import RECEIPT, RECEIPT_ABROAD
from libs.rpc.streams import IDLE_SECONDS
from services.gateway.config import GatewayConfig
from services.gateway.content import PREFIX
from services.gateway.contracts import Rpc, Service
from services.gateway.envoy_clusters import CERTIFIED_TOKENS, NOWHERE, OWNERS, TOKENS, typed
from services.gateway.owners import finding_owner, owner_matches
from services.gateway.stream_ends import ending_in_words

Json = dict[str, Any]

IDENTITY_PREFIXES = ("/oauth/", "/.well-known/")
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""The services that describe the others to generic clients."""
_PAGES = (
    "/",
    "/docs",
    "/openapi.json",
    "/openapi.zh.json",
    "/protos.zip",
    "/tongban.binpb",
    "/verify",
    "/healthz",
    "/partners",
    "/status",
    "/status.json",
    "/my",
)
_RETRIES = 40
_IDLE_SECONDS = round(IDLE_SECONDS) + 15
_ROUTE = "envoy.config.route.v3"
_PREVIOUS = "envoy.retry_host_predicates.previous_hosts"
_PREVIOUS_KIND = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
RECEIPT_HEADERS = tuple(key.removesuffix("-bin") for key in (RECEIPT, RECEIPT_ABROAD))
_ALLOWED = (
    *("authorization", "dpop", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout", "traceparent"),
    *("upload-offset", "tus-resumable", "range", "if-range", "if-none-match"),
)
_EXPOSED = (
    *("upload-offset", "upload-length", "upload-expires", "tus-resumable"),
    *("accept-ranges", "content-range", "etag", "repr-digest"),
    *("retry-after", "www-authenticate"),
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "x-request-id",
    *RECEIPT_HEADERS,
    RECEIPT,
    RECEIPT_ABROAD,
)


def kind_package(name: str) -> str:
    """Returns the package that an HTTP filter's messages are in."""
    return f"envoy.extensions.filters.http.{name}.v3"


def _owner(service: Service) -> str | None:
    return service.owner if service.owner in OWNERS else None


def _without_transcoder() -> Json:
    # HTML pages and OAuth are HTTP already; the transcoder refuses what it does not know.
    empty = typed(f"{kind_package('grpc_json_transcoder')}.GrpcJsonTranscoder", proto_descriptor_bin="", services=[])
    return {"envoy.filters.http.grpc_json_transcoder": empty}


def _unbuffered() -> Json:
    return {"envoy.filters.http.buffer": typed(f"{kind_package('buffer')}.BufferPerRoute", disabled=True)}


def _unjudged() -> Json:
    """Clients prove at the token endpoint itself who they are: no token stands before it whose keys could be asked."""
    return {"envoy.filters.http.ext_authz": typed(f"{kind_package('ext_authz')}.ExtAuthzPerRoute", disabled=True)}


def _name(match: Json) -> str:
    """What the log says of a request in place of its path."""
    return str(match.get("path") or match["prefix"])


def _content_route(seconds: int) -> Json:
    """Where the bytes of uploads go, both ways: held nowhere, so that nothing of them is ever sent again."""
    limit = f"{seconds}s"
    route = {"cluster": "pages", "timeout": limit, "max_stream_duration": {"max_stream_duration": limit}}
    match = {"prefix": PREFIX}
    per_filter = _without_transcoder() | _unbuffered()
    return {"name": _name(match), "match": match, "route": route, "typed_per_filter_config": per_filter}


def _http_route(match: Json, cluster: str) -> Json:
    of_tokens = cluster in (TOKENS, CERTIFIED_TOKENS)
    per_filter = _without_transcoder() | (_unjudged() if of_tokens else {})
    # The timeout begins when the request is whole; the stream's also ends one that never is.
    limits = {"timeout": "15s", "max_stream_duration": {"max_stream_duration": "30s"}}
    # Who reads a page asks again; a token endpoint's answer others wait for.
    retry = _retries(repeatable=False) if of_tokens else {"retry_on": "connect-failure"}
    route = {"cluster": cluster, **limits, "retry_policy": retry}
    return {"name": _name(match), "match": match, "route": route, "typed_per_filter_config": per_filter}


def _retries(*, repeatable: bool) -> Json:
    """For as long as a restart takes: what no service has taken up is sent again, and what may be repeated, also if it had.

    Forty tries at a random pause below a second are about nineteen. CANCELLED is what a server that stops says to calls that
    it has not begun, and nobody else who answers.
    """
    return {
        "retry_on": "connect-failure,refused-stream" + (",reset,cancelled" if repeatable else ""),
        "num_retries": _RETRIES,
        "retry_back_off": {"base_interval": "0.2s", "max_interval": "1s"},
        # Another replica first, where there is one.
        "retry_host_predicate": [{"name": _PREVIOUS, "typed_config": typed(_PREVIOUS_KIND)}],
        "host_selection_retry_max_attempts": 3,
    }


def _lasting(seconds: int | None) -> Json:
    """How long a call may last; None is for as long as something comes or goes.

    A service ends a silent stream itself, and says why, and so it does at its caller's deadline; this is for what hangs before or
    behind it, where a stream can only be cut.
    """
    if seconds is None:
        return {
            "timeout": "0s",
            "max_stream_duration": {"max_stream_duration": "0s"},
            "idle_timeout": f"{_IDLE_SECONDS}s",
        }
    limit = f"{seconds}s"
    return {"timeout": limit, "max_stream_duration": {"max_stream_duration": limit, "grpc_timeout_header_max": limit}}


def _grpc_route(
    match: Json,
    cluster: str,
    seconds: int | None,
    *,
    streams: bool = False,
    repeatable: bool = False,
    per_filter: Json | None = None,
) -> Json:
    # A client's stream has no end to wait for.
    per_filter = (per_filter or {}) | (_unbuffered() if streams else {})
    return {
        "name": _name(match),
        "match": match,
        "route": {
            "cluster": cluster,
            **_lasting(seconds),
            "retry_policy": _retries(repeatable=repeatable and not streams),
        },
        **({"typed_per_filter_config": per_filter} if per_filter else {}),
    }


def _json_route(prefix: str, seconds: int) -> Json:
    """Where a JSON request waits until it is whole and the transcoder gives it another route: nowhere, and not for ever."""
    limit = {"max_stream_duration": {"max_stream_duration": f"{seconds}s"}}
    return {"name": "json", "match": {"prefix": prefix}, "route": {"cluster": NOWHERE, **limit}}


def _json_routes(config: GatewayConfig, services: list[Service]) -> list[Json]:
    uploads = (rpc for service in services for rpc in service.public_rpcs if rpc.descriptor.client_streaming)
    paths = [path for rpc in uploads for _, path, _ in rpc.http]
    return [
        *(_json_route(path, config.limits.upload_seconds) for path in paths),
        _json_route("/v1/", config.limits.body_seconds),
    ]


def _rpc_routes(service: Service, rpc: Rpc) -> list[Json]:
    streams = rpc.descriptor.client_streaming
    seconds = None if rpc.method.streams else int(rpc.method.seconds)
    repeatable = rpc.repeatable and not rpc.descriptor.server_streaming
    ending = ending_in_words() if rpc.descriptor.server_streaming else {}
    owner = _owner(service)
    if owner is not None:
        match = {"path": rpc.path}
        return [_grpc_route(match, owner, seconds, streams=streams, repeatable=repeatable, per_filter=ending)]
    return [
        _grpc_route(
            {"path": path, "headers": [header]},
            each,
            seconds,
            streams=streams,
            repeatable=repeatable,
            per_filter=finding_owner() | ending,
        )
        for path in rpc.paths
        for each, header in owner_matches()
    ]


def _routes(config: GatewayConfig, services: list[Service], tokens: str) -> list[Json]:
    pages = [_http_route({"path": page}, "pages") for page in _PAGES]
    pages += [_http_route({"prefix": prefix}, "pages") for prefix in ("/clients/", "/my/")]
    oauth = [_http_route({"prefix": prefix}, tokens) for prefix in IDENTITY_PREFIXES]
    reflection = [_grpc_route({"prefix": f"/{name}/"}, "reflection", 300, streams=True) for name in REFLECTION]
    known = [service for service in services if _owner(service) or service.everywhere]
    rpcs = [route for service in known for rpc in service.public_rpcs for route in _rpc_routes(service, rpc)]
    content = _content_route(config.limits.upload_seconds)
    schemas = _http_route({"prefix": SCHEMA_PATH}, "pages")
    return [*pages, *oauth, content, schemas, *reflection, *rpcs, *_json_routes(config, services)]


def virtual_host(config: GatewayConfig, services: list[Service], tokens: str = TOKENS) -> Json:
    """Returns all routes of the region, with who may read what from other origins; ``tokens`` is the cluster of the token issuer."""
    origins = [{"exact": origin} for origin in config.cors.origins]
    cors = typed(
        f"{kind_package('cors')}.CorsPolicy",
        allow_origin_string_match=origins,
        allow_methods="GET, POST, PUT, PATCH, DELETE",
        allow_headers=", ".join(_ALLOWED),
        expose_headers=", ".join(_EXPOSED),
        max_age="600",
    )
    return {
        "name": "region",
        "domains": ["*"],
        "typed_per_filter_config": {"envoy.filters.http.cors": cors},
        "matcher": _matcher(_routes(config, services, tokens)),
    }


def _matcher(routes: list[Json]) -> Json:
    """Finds a route by its whole path at once, where that alone decides; the others one after the other."""
    path = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path")
    exact = {route["match"]["path"]: route for route in routes if route["match"].keys() == {"path"}}
    prefixes = [route for route in routes if route["match"].keys() == {"prefix"}]
    others = [route for route in routes if route["match"].keys() not in ({"path"}, {"prefix"})]
    return {
        "matcher_tree": {
            "input": {"name": "path", "typed_config": path},
            "exact_match_map": {"map": {key: _action(f"{_ROUTE}.Route", **route) for key, route in exact.items()}},
        },
        # With a query a path is another text, so those stand here too. No prefix begins another's path.
        "on_no_match": _action(f"{_ROUTE}.RouteList", routes=[*prefixes, *others, *exact.values()]),
    }


def _action(kind: str, **fields: object) -> Json:
    return {"action": {"name": "route", "typed_config": typed(kind, **fields)}}
