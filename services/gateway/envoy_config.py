"""Writes Envoy's configuration from the contracts: what they don't declare as public has no route (default deny)."""

import hashlib
import json
from pathlib import Path
from typing import Any

from libs.access.bound_keys import SCHEME
from libs.rpc.call import SIGNER
from libs.rpc.images import image_path
from libs.security import client_certificates
from libs.security.possession import REQUEST_SEEN
from libs.security.tokens import LEEWAY_SECONDS
from services.gateway import circuits, contract_gate, contracts, edited
from services.gateway.config import GatewayConfig, MtlsSection
from services.gateway.contracts import Service
from services.gateway.envoy_clusters import CERTIFIED_TOKENS, TOKENS, address_of, clusters, typed
from services.gateway.envoy_routes import IDENTITY_PREFIXES, RECEIPT_HEADERS, kind_package, virtual_host
from services.gateway.owners import owner_filters
from services.gateway.replies import local_reply_config
from services.gateway.stream_ends import noting_filter, telling_filter

Json = dict[str, Any]

_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_TOKENS, _CLAIMS = contract_gate.JUDGED, "claims"
_MAX_CONNECTIONS = 10_000
_JUDGED_AT = "/internal/signatures"
"""Where identity judges signed requests."""
SIGNABLE = (
    *("signature", "signature-input", "content-digest", "content-type", "content-encoding", "grpc-encoding"),
    *("accept", "accept-language", "date", "range", "if-match", "if-none-match", "if-range", "traceparent"),
    "upload-offset",
)
"""The headers that a signature can cover, beside Authorization and Host, which always go there."""
_HEADERS_KB = 256
CERTIFIED_SECONDS = 600
"""So long a connection with a certificate takes new calls: as long as a token lives. The next one shows its certificate anew."""
_HANDSHAKE = "10s"


def _filter(name: str, kind: str, **fields: object) -> Json:
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed(f"{kind_package(name)}.{kind}", **fields)}


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
        "from_headers": [{"name": "Authorization", "value_prefix": f"{each} "} for each in ("Bearer", SCHEME)],
        "payload_in_metadata": _CLAIMS,
        # The gate refuses by it: a token of a key that is not known here yet is for the service to judge (decision 0092).
        "failed_status_in_metadata": contract_gate.FAILED,
        "remote_jwks": {
            "http_uri": {"uri": config.identity.jwks_url, "cluster": "identity_http", "timeout": "5s"},
            # Fetched beside the requests and kept while the issuer does not answer: what was valid stays valid. So often that
            # a key that leaked is refused, and one that had to sign before it was published is taken, within seconds.
            "cache_duration": "2s",
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }
    # A token of another kind, such as an authorization code's or a logout token's, is for /oauth to judge.
    required = {"requires_any": {"requirements": [{"provider_name": "region"}, {"allow_missing_or_failed": {}}]}}
    rules = [
        *({"match": {"prefix": prefix}} for prefix in IDENTITY_PREFIXES),
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


def _gate(config: GatewayConfig, services: list[Service]) -> Json:
    traced = bool(config.telemetry.endpoint)
    code = contract_gate.script(contracts.read_image(), services, origins=config.cors.origins, traced=traced)
    return _filter("lua", "Lua", default_source_code={"inline_string": code})


def _signatures(config: GatewayConfig) -> Json:
    """Asks identity whether a request that is signed is good, and has it say who signed; no other request passes here (decision 0078).

    It gets the whole request as it came, before anything is made of it. Where it does not answer, nothing signed passes.
    """
    names = [{"exact": name} for name in SIGNABLE]
    answered = [{"exact": name} for name in ("grpc-status", "grpc-message", "grpc-status-details-bin")]
    service = {
        "server_uri": {"uri": config.identity.jwks_url, "cluster": "identity_http", "timeout": "5s"},
        "path_prefix": _JUDGED_AT,
        "authorization_response": {
            "allowed_upstream_headers": {"patterns": [{"exact": SIGNER}]},
            "allowed_client_headers": {"patterns": answered},
        },
    }
    return _filter(
        "ext_authz",
        "ExtAuthz",
        transport_api_version="V3",
        http_service=service,
        allowed_headers={"patterns": names},
        with_request_body={"max_request_bytes": config.limits.request_bytes, "pack_as_bytes": True},
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        filter_enabled_metadata={
            "filter": contract_gate.NOTES,
            "path": [{"key": contract_gate.SIGNED}],
            "value": {"bool_match": True},
        },
    )


def _internal_headers(*, certified: bool) -> Json:
    """Takes internal headers of a caller's own away, writes down how large the others are, and names the request; tells receipts to JSON callers.

    What is said of a client's certificate Envoy says itself where it is ``certified`` (the connection manager has taken the caller's own away).

    Metadata ends in ``-bin`` where it is no text; as headers receipts go by a name of their own too (decision 0045).
    """
    prefixes = ("x-tongban-", "x-envoy-original-")
    removals: list[Json] = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in prefixes]
    if not certified:
        removals.append({"remove": client_certificates.HEADER})
    size = {"header": {"key": contract_gate.SIZE_HEADER, "value": "%REQUEST_HEADERS_BYTES%"}}
    # The same however often it is sent on: by it a service knows a proof that it has seen already.
    named = {"header": {"key": REQUEST_SEEN, "value": "%UNIQUE_ID%"}}
    changes = [*removals, {"append": size}, {"append": named}]
    told = [
        {"append": {"header": {"key": name, "value": f"%RESP({name}-bin)%"}, "keep_empty_value": False}}
        for name in RECEIPT_HEADERS
    ]
    mutations = {"request_mutations": changes, "response_mutations": told}
    return _filter("header_mutation", "HeaderMutation", mutations=mutations)


def _http_filters(config: GatewayConfig, services: list[Service], *, certified: bool) -> list[Json]:
    return [
        _internal_headers(certified=certified),
        _filter("cors", "Cors"),
        _ratelimit(config),
        _jwt(config),
        _gate(config, services),
        # The transcoder's own limit counts only what it has not read yet, so a body past the limit would come through.
        _filter("buffer", "Buffer", max_request_bytes=config.limits.request_bytes),
        _signatures(config),
        _filter("grpc_web", "GrpcWeb"),
        telling_filter(),
        _transcoder(config, services),
        noting_filter(),
        *owner_filters(services),
        _filter("router", "Router", suppress_envoy_headers=True),
    ]


def _noted(what: str) -> str:
    return f"%DYNAMIC_METADATA({contract_gate.NOTES}:{what})%"


def _access_log(config: GatewayConfig) -> Json:
    # A caller can write anybody's name into a path, a verb or a header: only what is ours is logged, and what is no text.
    fields = {
        "time": "%START_TIME%",
        "method": _noted("method"),
        "path": _noted("path"),
        "operation": _noted("operation"),
        # Out of a token that was good, or nobody's.
        "client": f"%DYNAMIC_METADATA({_TOKENS}:{_CLAIMS}:client_id)%",
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
        "trace_id": "%TRACE_ID%" if config.telemetry.endpoint else _noted("trace_id"),
        "traceparent": _noted("traceparent"),
    }
    kind = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    stdout = typed(kind, log_format={"json_format": fields})
    return {"name": "envoy.access_loggers.stdout", "typed_config": stdout}


def _tracing() -> Json:
    kind = "envoy.config.trace.v3.OpenTelemetryConfig"
    service = {"envoy_grpc": {"cluster_name": "telemetry"}, "timeout": "1s"}
    provider = typed(kind, grpc_service=service, service_name="gateway")
    return {"provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider}}


def _connection_manager(config: GatewayConfig, services: list[Service], *, certified: bool = False) -> Json:
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    tracing = {"tracing": _tracing()} if config.telemetry.endpoint else {}
    lasting = {"max_connection_duration": f"{CERTIFIED_SECONDS}s"} if certified else {}
    return typed(
        kind,
        **tracing,
        stat_prefix="edge",
        codec_type="AUTO",
        use_remote_address=True,
        # Whatever a caller says of a certificate is gone; of one that was shown its digest is told.
        forward_client_cert_details="SANITIZE_SET" if certified else "SANITIZE",
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
            **lasting,
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
        access_log=[_access_log(config)],
        http_filters=_http_filters(config, services, certified=certified),
        route_config={
            "name": "contracts",
            "virtual_hosts": [virtual_host(config, services, CERTIFIED_TOKENS if certified else TOKENS)],
        },
    )


def _listener(config: GatewayConfig, name: str, address: str, manager: Json, **chain: object) -> Json:
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": name,
        "address": address_of(address),
        "per_connection_buffer_limit_bytes": config.limits.request_bytes,
        "filter_chains": [{"filters": filters, **chain}],
    }


def _mtls_listener(config: GatewayConfig, services: list[Service], mtls: MtlsSection) -> Json:
    """The listener for partners: TLS 1.3 alone, and a certificate, where one is shown, of one of their authorities.

    Nothing is resumed: each connection shows its certificate, and one that is over, or was revoked, is refused with the next, which comes in
    minutes. Files that were renewed make it another listener, which takes over.
    """
    own = {"certificate_chain": {"filename": str(mtls.cert)}, "private_key": {"filename": str(mtls.key)}}
    revoked = {"crl": {"filename": str(mtls.crl)}} if mtls.crl else {}
    context = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [own],
        "validation_context": {"trusted_ca": {"filename": str(mtls.ca)}, **revoked},
    }
    socket = typed(
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=context,
        require_client_certificate=False,
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
    )
    transport = {"name": "envoy.transport_sockets.tls", "typed_config": socket}
    manager = _connection_manager(config, services, certified=True)
    made = _listener(
        config,
        "mtls",
        f"{mtls.host}:{mtls.port}",
        manager,
        transport_socket=transport,
        transport_socket_connect_timeout=_HANDSHAKE,
    )
    files = [each for each in (mtls.cert, mtls.ca, mtls.crl) if each is not None]
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()
    return made | {"metadata": {"filter_metadata": {"tongban.files": {"sha256": digest}}}}


def bootstrap(config: GatewayConfig, services: list[Service]) -> Json:
    """Returns the whole configuration of one Envoy."""
    manager = _connection_manager(config, services)
    listeners = [_listener(config, "edge", f"{config.http.host}:{config.http.port}", manager)]
    if config.mtls is not None:
        listeners.append(_mtls_listener(config, services, config.mtls))
    return {
        "node": {"id": f"gateway-{config.region.id}", "cluster": config.region.id},
        "admin": {"address": address_of(f"{config.envoy.admin_host}:{config.envoy.admin_port}")},
        "static_resources": {"listeners": listeners, "clusters": clusters(config)},
        "layered_runtime": circuits.runtime(config),
        "overload_manager": _overload_manager(),
    }


def _overload_manager() -> Json:
    kind = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    monitor = "envoy.resource_monitors.global_downstream_max_connections"
    limit = typed(kind, max_active_downstream_connections=_MAX_CONNECTIONS)
    return {"resource_monitors": [{"name": monitor, "typed_config": limit}]}


def write(config: GatewayConfig) -> None:
    """Writes the configuration to the files that the gateway's own configuration names.

    What the edge takes (routes, the gate, limits, origins) stands in a file of its own, which a running Envoy follows: a new one
    takes over at once, and what the old one had begun it ends (decision 0072).
    """
    document, listeners = _parts(config)
    _replace(config.envoy.listeners, edited.marked_resources(listeners))
    _replace(config.envoy.file, edited.marked(document))
    circuits.write(config, ())


def follow(config: GatewayConfig) -> bool:
    """Writes anew what a running Envoy follows; tells whether it runs by the rest of its configuration already, which it reads at its start."""
    document, listeners = _parts(config)
    _replace(config.envoy.listeners, edited.marked_resources(listeners))
    return bool(json.loads(config.envoy.file.read_text(encoding="utf-8")) == edited.marked(document))


def _parts(config: GatewayConfig) -> tuple[Json, Json]:
    """What Envoy reads when it starts, and the file of listeners that it follows."""
    document = bootstrap(config, contracts.services(contracts.read_image()))
    listeners = document["static_resources"].pop("listeners")
    source = {"path_config_source": {"path": str(config.envoy.listeners)}, "resource_api_version": "V3"}
    document["dynamic_resources"] = {"lds_config": source}
    resources = [typed("envoy.config.listener.v3.Listener", **each) for each in listeners]
    return document, {"resources": resources}


def _replace(file: Path, document: Json) -> None:
    """Puts a file in the place of another at once: Envoy sees the old one or the new one, and is told by the move."""
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.replace(file)
