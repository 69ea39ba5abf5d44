"""Writes Envoy's configuration from the contracts: what they don't declare as public has no route (default deny)."""

import json
from typing import Any

from libs.rpc.images import image_path
from libs.rpc.receipts import RECEIPT, RECEIPT_ABROAD
from libs.security.tokens import LEEWAY_SECONDS
from services.gateway import circuits, contract_gate, contracts, edited
from services.gateway.config import GatewayConfig
from services.gateway.content import PREFIX
from services.gateway.contracts import Rpc, Service
from services.gateway.envoy_clusters import NOWHERE, OWNERS, address_of, clusters, typed
from services.gateway.replies import local_reply_config

Json = dict[str, Any]

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_PAGES = ("/", "/docs", "/openapi.json", "/protos.zip", "/tongban.binpb", "/verify", "/healthz")
_IDENTITY_PREFIXES = ("/oauth/", "/.well-known/")
_MAX_CONNECTIONS = 10_000
_RETRIES = 40
_HEADERS_KB = 256
_ROUTE = "envoy.config.route.v3"
_PREVIOUS = "envoy.retry_host_predicates.previous_hosts"
_PREVIOUS_KIND = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
# Whose records a native gRPC caller of a shared service means; JSON callers say it by a part of the path.
LOG_HEADER = "tongban-log"
RECEIPT_HEADERS = tuple(key.removesuffix("-bin") for key in (RECEIPT, RECEIPT_ABROAD))
_ALLOWED = (
    *("authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout", "traceparent"),
    *("upload-offset", "tus-resumable", "range", "if-range", "if-none-match"),
)
_EXPOSED = (
    *("upload-offset", "upload-length", "upload-expires", "tus-resumable"),
    *("accept-ranges", "content-range", "etag", "repr-digest"),
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "x-request-id",
    *RECEIPT_HEADERS,
    RECEIPT,
    RECEIPT_ABROAD,
)


def _filter(name: str, kind: str, **fields: object) -> Json:
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed(f"{_kind_package(name)}.{kind}", **fields)}


def _kind_package(name: str) -> str:
    return f"envoy.extensions.filters.http.{name}.v3"


def _owner(service: Service) -> str | None:
    return service.owner if service.owner in OWNERS else None


def _without_transcoder() -> Json:
    # HTML pages and OAuth are HTTP already; the transcoder refuses what it does not know.
    empty = typed(f"{_kind_package('grpc_json_transcoder')}.GrpcJsonTranscoder", proto_descriptor_bin="", services=[])
    return {"envoy.filters.http.grpc_json_transcoder": empty}


def _unbuffered() -> Json:
    return {"envoy.filters.http.buffer": typed(f"{_kind_package('buffer')}.BufferPerRoute", disabled=True)}


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
    per_filter = _without_transcoder()
    # The timeout begins when the request is whole; the stream's also ends one that never is.
    limits = {"timeout": "15s", "max_stream_duration": {"max_stream_duration": "30s"}}
    # Who reads a page asks again; a token endpoint's answer others wait for.
    retry = _retries(repeatable=False) if cluster == "identity_http" else {"retry_on": "connect-failure"}
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


def _grpc_route(match: Json, cluster: str, seconds: int, *, streams: bool = False, repeatable: bool = False) -> Json:
    limit = f"{seconds}s"
    return {
        "name": _name(match),
        "match": match,
        "route": {
            "cluster": cluster,
            "timeout": limit,
            "max_stream_duration": {"max_stream_duration": limit, "grpc_timeout_header_max": limit},
            "retry_policy": _retries(repeatable=repeatable and not streams),
        },
        # A client's stream has no end to wait for.
        **({"typed_per_filter_config": _unbuffered()} if streams else {}),
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
        _json_route("/v1/", config.limits.call_seconds),
    ]


def _part(rpc: Rpc) -> str:
    """The part of the path that an RPC of all services stands under: its package's, ``audit``."""
    return rpc.service.split(".")[1]


def _rpc_routes(config: GatewayConfig, rpc: Rpc, owner: str | None) -> list[Json]:
    limits, streams = config.limits, rpc.descriptor.client_streaming
    seconds = limits.upload_seconds if streams else limits.call_seconds
    repeatable = rpc.repeatable and not rpc.descriptor.server_streaming
    if owner is not None:
        return [_grpc_route({"path": rpc.path}, owner, seconds, streams=streams, repeatable=repeatable)]
    return [
        _grpc_route({"path": rpc.path, "headers": [header]}, each, seconds, streams=streams, repeatable=repeatable)
        for each in OWNERS
        for header in (
            {"name": "x-envoy-original-path", "string_match": {"prefix": f"/v1/{_part(rpc)}/{each}/"}},
            {"name": LOG_HEADER, "string_match": {"exact": each}},
        )
    ]


def _routes(config: GatewayConfig, services: list[Service]) -> list[Json]:
    pages = [_http_route({"path": page}, "pages") for page in _PAGES]
    oauth = [_http_route({"prefix": prefix}, "identity_http") for prefix in _IDENTITY_PREFIXES]
    reflection = [_grpc_route({"prefix": f"/{name}/"}, "reflection", 300, streams=True) for name in _REFLECTION]
    known = [service for service in services if _owner(service) or service.everywhere]
    rpcs = [
        route for service in known for rpc in service.public_rpcs for route in _rpc_routes(config, rpc, _owner(service))
    ]
    content = _content_route(config.limits.upload_seconds)
    return [*pages, *oauth, content, *reflection, *rpcs, *_json_routes(config, services)]


def _virtual_host(config: GatewayConfig, services: list[Service]) -> Json:
    origins = [{"exact": origin} for origin in config.cors.origins]
    cors = typed(
        f"{_kind_package('cors')}.CorsPolicy",
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
        "matcher": _matcher(_routes(config, services)),
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


def _ratelimit(config: GatewayConfig) -> Json:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = {
        "max_tokens": config.limits.burst,
        "tokens_per_fill": config.limits.requests_per_second,
        "fill_interval": "1s",
    }
    return _filter(
        "local_ratelimit",
        "LocalRateLimit",
        stat_prefix="edge",
        token_bucket=bucket,
        filter_enabled=always,
        filter_enforced=always,
        local_rate_limit_per_downstream_connection=True,
    )


def _jwt(config: GatewayConfig) -> Json:
    provider = {
        "issuer": config.identity.issuer,
        "clock_skew_seconds": LEEWAY_SECONDS,
        "forward": True,
        "remote_jwks": {
            "http_uri": {"uri": config.identity.jwks_url, "cluster": "identity_http", "timeout": "5s"},
            # Fetched beside the requests and kept while the issuer does not answer: what was valid stays valid. So often that
            # a key that leaked is refused, and one that had to sign before it was published is taken, within seconds.
            "cache_duration": "2s",
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }
    # A token of another kind, such as an authorization code's or a logout token's, is for /oauth to judge.
    required = {"requires_any": {"requirements": [{"provider_name": "region"}, {"allow_missing": {}}]}}
    rules = [
        *({"match": {"prefix": prefix}} for prefix in _IDENTITY_PREFIXES),
        {"match": {"prefix": "/"}, "requires": required},
    ]
    return _filter("jwt_authn", "JwtAuthentication", providers={"region": provider}, rules=rules)


def _transcoder(config: GatewayConfig, services: list[Service]) -> Json:
    return _filter(
        "grpc_json_transcoder",
        "GrpcJsonTranscoder",
        proto_descriptor=str(image_path()),
        services=[service.full_name for service in services if service.public_rpcs],
        convert_grpc_status=True,
        # As the gate reads them, and as forms and most clients write a blank.
        query_param_unescape_plus=True,
        print_options={"always_print_primitive_fields": True},
        max_request_body_size=config.limits.request_bytes,
        max_response_body_size=config.limits.response_bytes,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    )


def _gate(services: list[Service]) -> Json:
    code = contract_gate.script(contracts.read_image(), services)
    return _filter("lua", "Lua", default_source_code={"inline_string": code})


def _internal_headers() -> Json:
    """Takes internal headers of a caller's own away, and writes down how large the others are; tells receipts to JSON callers.

    Metadata ends in ``-bin`` where it is no text; as headers receipts go by a name of their own too (decision 0045).
    """
    prefixes = ("x-tongban-", "x-envoy-original-")
    removals = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in prefixes]
    size = {"header": {"key": contract_gate.SIZE_HEADER, "value": "%REQUEST_HEADERS_BYTES%"}}
    changes = [*removals, {"append": size}]
    told = [
        {"append": {"header": {"key": name, "value": f"%RESP({name}-bin)%"}, "keep_empty_value": False}}
        for name in RECEIPT_HEADERS
    ]
    mutations = {"request_mutations": changes, "response_mutations": told}
    return _filter("header_mutation", "HeaderMutation", mutations=mutations)


def _http_filters(config: GatewayConfig, services: list[Service]) -> list[Json]:
    return [
        _internal_headers(),
        _filter("cors", "Cors"),
        _ratelimit(config),
        _jwt(config),
        _gate(services),
        # The transcoder's own limit counts only what it has not read yet, so a body past the limit would come through.
        _filter("buffer", "Buffer", max_request_bytes=config.limits.request_bytes),
        _filter("grpc_web", "GrpcWeb"),
        _transcoder(config, services),
        _filter("router", "Router", suppress_envoy_headers=True),
    ]


def _access_log() -> Json:
    # A caller can write anybody's name into a path, a verb or a header: only what is ours is logged, and what is no text.
    fields = {
        "time": "%START_TIME%",
        "operation": f"%DYNAMIC_METADATA({contract_gate.OPERATION})%",
        "route": "%ROUTE_NAME%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": "%GRPC_STATUS(SNAKE_STRING)%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "ms": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
        "upstream": "%UPSTREAM_CLUSTER%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "traceparent": f"%DYNAMIC_METADATA({contract_gate.TRACEPARENT})%",
    }
    kind = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    stdout = typed(kind, log_format={"json_format": fields})
    return {"name": "envoy.access_loggers.stdout", "typed_config": stdout}


def _tracing() -> Json:
    kind = "envoy.config.trace.v3.OpenTelemetryConfig"
    service = {"envoy_grpc": {"cluster_name": "telemetry"}, "timeout": "1s"}
    provider = typed(kind, grpc_service=service, service_name="gateway")
    return {"provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider}}


def _connection_manager(config: GatewayConfig, services: list[Service]) -> Json:
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    tracing = {"tracing": _tracing()} if config.telemetry.endpoint else {}
    return typed(
        kind,
        **tracing,
        stat_prefix="edge",
        codec_type="AUTO",
        use_remote_address=True,
        always_set_request_id_in_response=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        server_name="tongban",
        # More than the gate takes, which says so in words; past this Envoy resets the stream. The services take twice what the
        # gate takes: the original path is added.
        max_request_headers_kb=_HEADERS_KB,
        request_headers_timeout="10s",
        stream_idle_timeout="60s",
        common_http_protocol_options={
            "idle_timeout": "300s",
            "max_headers_count": 2 * contract_gate.HEADER_LINES,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        # A verb that nobody knows is refused by the gate, in words; the parser's own refusal names none (decision 0026).
        http_protocol_options={"allow_custom_methods": True},
        http2_protocol_options={
            "max_header_field_size_kb": _HEADERS_KB,
            "max_concurrent_streams": 256,
            "initial_stream_window_size": 1024 * 1024,
            "initial_connection_window_size": 4 * 1024 * 1024,
        },
        local_reply_config=local_reply_config(config),
        access_log=[_access_log()],
        http_filters=_http_filters(config, services),
        route_config={"name": "contracts", "virtual_hosts": [_virtual_host(config, services)]},
    )


def bootstrap(config: GatewayConfig, services: list[Service]) -> Json:
    """Returns the whole configuration of one Envoy."""
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _connection_manager(config, services),
    }
    listener = {
        "name": "edge",
        "address": address_of(f"{config.http.host}:{config.http.port}"),
        "per_connection_buffer_limit_bytes": config.limits.request_bytes,
        "filter_chains": [{"filters": [manager]}],
    }
    return {
        "node": {"id": f"gateway-{config.region.id}", "cluster": config.region.id},
        "admin": {"address": address_of(f"{config.envoy.admin_host}:{config.envoy.admin_port}")},
        "static_resources": {"listeners": [listener], "clusters": clusters(config)},
        "layered_runtime": circuits.runtime(config),
        "overload_manager": _overload_manager(),
    }


def _overload_manager() -> Json:
    kind = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    monitor = "envoy.resource_monitors.global_downstream_max_connections"
    limit = typed(kind, max_active_downstream_connections=_MAX_CONNECTIONS)
    return {"resource_monitors": [{"name": monitor, "typed_config": limit}]}


def write(config: GatewayConfig) -> None:
    """Writes the configuration to the file that the gateway's own configuration names."""
    document = edited.marked(bootstrap(config, contracts.services(contracts.read_image())))
    text = json.dumps(document, ensure_ascii=False, indent=1)
    unfinished = config.envoy.file.with_suffix(".new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(config.envoy.file)
    circuits.write(config, ())
