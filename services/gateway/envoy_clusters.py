"""What stands behind Envoy: the services, the pages, identity's HTTP endpoints, and how Envoy speaks to each."""

from ipaddress import ip_address
from typing import Any

from libs.access import rights
from libs.rpc.client import TAKES_CALLS
from services.gateway.config import GatewayConfig

Json = dict[str, Any]

OWNERS = tuple(sorted(rights.SERVICES))
"""The five services."""
TOKENS, CERTIFIED_TOKENS = "identity_http", "identity_mtls"
"""The token issuer: of those who come as anybody, and of those who come with a certificate."""
NOWHERE = "nowhere"
"""A cluster behind which there is nothing, and never will be."""


def typed(kind: str, **fields: object) -> Json:
    """Returns a part of Envoy's configuration with its type."""
    return {"@type": f"type.googleapis.com/{kind}", **fields}


def address_of(address: str) -> Json:
    """Returns ``host:port`` as Envoy writes an address."""
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _is_ip(address: str) -> bool:
    try:
        ip_address(address.rpartition(":")[0])
    except ValueError:
        return False
    return True


def _upstream_tls(config: GatewayConfig, peer: str, protocol: str) -> Json:
    name = f"{peer}.{config.region.id}.tongban.internal"
    validation = {
        "trusted_ca": {"filename": str(config.tls.ca)},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": name}}],
    }
    own = {
        "certificate_chain": {"filename": str(config.tls.cert)},
        "private_key": {"filename": str(config.tls.key)},
    }
    context = {"alpn_protocols": [protocol], "tls_certificates": [own], "validation_context": validation}
    kind = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(kind, sni=name, common_tls_context=context),
    }


def _protocol(http2: bool) -> Json:
    # One connection carries everybody's calls. What one reader leaves unread may fill its stream, never the connection. What
    # waits for a service that hangs ends with the ping that it does not answer.
    shared = {
        "connection_keepalive": {"interval": "2.5s", "timeout": "5s"},
        "initial_stream_window_size": 256 * 1024,
        "initial_connection_window_size": 1024 * 1024 * 1024,
    }
    options: Json = {"http2_protocol_options": shared} if http2 else {"http_protocol_options": {}}
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {kind: typed(kind, explicit_http_config=options)}


def _health_check(check: Json) -> Json:
    # For the sixteen seconds of twenty misses a service counts as about to come back, and calls are tried again and again; from
    # then on they are answered at once that it is away. One that hangs is told sooner, by ``circuits``. One that never was there is away from the beginning, and one that
    # says that its database is away, from that moment. That it is about to stop is not asked: it takes up what still
    # comes, and what it doesn't goes to another, or to itself when it is there again.
    times = {"timeout": "1s", "interval": "0.8s", "unhealthy_threshold": 20, "healthy_threshold": 1}
    return times | check | {"no_traffic_interval": "0.8s"}


def _checks(check: Json, several: Json) -> Json:
    """How a cluster's endpoints are watched: one by ``check``, where there are ``several`` each by that.

    Of several replicas each can do without the others: one that misses four checks, is about to stop, or takes no
    connection, gets no calls until it is there again. What it had not taken up goes to another.
    """
    alone = {"common_lb_config": {"healthy_panic_threshold": {"value": 0}}}
    if not several:
        return {"health_checks": [_health_check(check)], **alone} if check else {}
    sooner = _health_check(several) | {"unhealthy_threshold": 4}
    return {"health_checks": [sooner], **alone, "outlier_detection": _outliers()}


def _outliers() -> Json:
    """Leaves a replica out for some seconds that took none of three connections; what it answers is no reason."""
    unused = ("consecutive_5xx", "consecutive_gateway_failure", "success_rate", "local_origin_success_rate")
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "interval": "1s",
        "base_ejection_time": "2s",
        "max_ejection_time": "5s",
        "max_ejection_percent": 50,
        **{f"enforcing_{each}": 0 for each in unused},
    }


def _of_calls(address: str) -> Json:
    """The checks of a service's replicas at ``address``."""
    one = {"grpc_health_check": {"service_name": "database"}}
    return _checks(one, {"grpc_health_check": {"service_name": TAKES_CALLS}} if "," in address else {})


def _of_tokens(urls: list[str]) -> Json:
    """The checks of the token issuer's HTTP endpoints at ``urls``; one alone is not asked."""
    path = f"/{urls[0].partition('://')[2].partition('/')[2]}"
    return _checks({}, {"http_health_check": {"path": path}} if len(urls) > 1 else {})


def _cluster(name: str, address: str, *, http2: bool, tls: Json | None, checks: Json | None = None) -> Json:
    addresses = address.split(",")
    endpoints = [{"endpoint": {"address": address_of(each)}} for each in addresses]
    limits = {"max_connections": 1024, "max_pending_requests": 16384, "max_requests": 16384, "max_retries": 4096}
    cluster: Json = {
        "name": name,
        "type": "STATIC" if all(map(_is_ip, addresses)) else "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": _protocol(http2),
    }
    return cluster | (checks or {}) | ({"transport_socket": tls} if tls else {})


def _owner_cluster(config: GatewayConfig, owner: str) -> Json:
    address = config.neighbours[owner]
    return _cluster(owner, address, http2=True, tls=_upstream_tls(config, owner, "h2"), checks=_of_calls(address))


def _token_cluster(config: GatewayConfig) -> Json:
    urls = [config.identity.jwks_url, *config.identity.further_jwks_urls]
    addresses = ",".join(url.partition("://")[2].partition("/")[0] for url in urls)
    tls = _upstream_tls(config, "identity", "http/1.1") if urls[0].startswith("https:") else None
    return _cluster(TOKENS, addresses, http2=False, tls=tls, checks=_of_tokens(urls))


def _certified_tokens_cluster(config: GatewayConfig, addresses: str) -> Json:
    """Where the token issuer takes what came with a client's certificate: by mTLS, so that it knows who says so."""
    checks = _checks({}, {"http_health_check": {"path": "/.well-known/jwks.json"}} if "," in addresses else {})
    tls = _upstream_tls(config, "identity", "http/1.1")
    return _cluster(CERTIFIED_TOKENS, addresses, http2=False, tls=tls, checks=checks)


def clusters(config: GatewayConfig) -> list[Json]:
    """Returns the clusters of one region."""
    pages = config.pages
    made = [
        {"name": NOWHERE, "type": "STATIC", "load_assignment": {"cluster_name": NOWHERE, "endpoints": []}},
        *(_owner_cluster(config, owner) for owner in OWNERS),
        _token_cluster(config),
        _cluster("pages", f"{pages.host}:{pages.port}", http2=False, tls=_upstream_tls(config, "gateway", "http/1.1")),
        _cluster(
            "reflection",
            f"{pages.host}:{pages.reflection_port}",
            http2=True,
            tls=_upstream_tls(config, "gateway", "h2"),
        ),
    ]
    if config.mtls is not None:
        made.append(_certified_tokens_cluster(config, config.mtls.identity))
    if config.telemetry.endpoint:
        collector = config.telemetry.endpoint.partition("://")[2] or config.telemetry.endpoint
        made.append(_cluster("telemetry", collector, http2=True, tls=None))
    return made
