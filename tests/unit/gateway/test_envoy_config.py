"""Envoy's configuration follows the contracts, and its own answers are documented reasons."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from libs.rpc.streams import IDLE_SECONDS
from libs.security.tokens import LEEWAY_SECONDS
from services.gateway.config import GatewayConfig
from services.gateway.contracts import Rpc, Service, read_image, services
from services.gateway.envoy_config import bootstrap
from services.gateway.replies import documented, replies, status_of
from services.identity.core import claims
from tongban.options.v1 import options_pb2


@pytest.fixture
def config(tmp_path: Path) -> GatewayConfig:
    address = "127.0.0.1:1"
    return GatewayConfig.model_validate(
        {
            "region": {"id": "341500", "name": "六安市"},
            "http": {"port": 1},
            "tls": {"ca": tmp_path, "cert": tmp_path, "key": tmp_path},
            "identity": {"address": address, "issuer": "http://gw", "jwks_url": f"http://{address}/"},
            "pages": {"port": 1, "reflection_port": 1},
            "envoy": {"admin_port": 1, "file": tmp_path / "envoy.json"},
            "public": {"base_url": "http://gw"},
            "neighbours": dict.fromkeys(("identity", "license", "seal", "cases", "sharing"), address),
            "telemetry": {"endpoint": "http://127.0.0.1:4317"},
        }
    )


def _routes(made: dict[str, Any]) -> list[dict[str, Any]]:
    manager = made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    matcher = manager["route_config"]["virtual_hosts"][0]["matcher"]
    routes: list[dict[str, Any]] = matcher["on_no_match"]["action"]["typed_config"]["routes"]
    by_path = matcher["matcher_tree"]["exact_match_map"]["map"]
    # What is found at once is found one after the other too, with a query behind it.
    alone = {path: each["action"]["typed_config"] for path, each in by_path.items()}
    assert alone
    for path, route in alone.items():
        assert {key: route[key] for key in route if key != "@type"} == _first(routes, path)
    return routes


def _first(routes: list[dict[str, Any]], path: str) -> dict[str, Any]:
    return next(
        route
        for route in routes
        if route["match"].get("path") == path or path.startswith(route["match"].get("prefix", "\0"))
    )


def _paths(made: dict[str, Any]) -> dict[str, str]:
    return {route["match"]["path"]: route["route"]["cluster"] for route in _routes(made) if "path" in route["match"]}


def test_every_public_rpc_leads_to_its_owner(config: GatewayConfig) -> None:
    known = services(read_image())
    paths = _paths(bootstrap(config, known))
    for service in known:
        for rpc in service.public_rpcs:
            assert service.everywhere or paths[rpc.path] == service.owner


def test_what_may_be_repeated_is_repeated_and_nothing_else(config: GatewayConfig) -> None:
    """A call that a service had taken up may have had its effect; only the contract's word makes a repeat harmless."""
    known = services(read_image())
    policies = {
        route["match"]["path"]: route["route"]["retry_policy"]["retry_on"].split(",")
        for route in _routes(bootstrap(config, known))
        if "path" in route["match"] and "retry_policy" in route["route"]
    }
    rpcs = [rpc for service in known for rpc in service.public_rpcs if rpc.path in policies]
    assert len(rpcs) > 100
    for rpc in rpcs:
        streams = rpc.descriptor.client_streaming or rpc.descriptor.server_streaming
        declared = rpc.descriptor.options.idempotency_level != descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN
        assert ("reset" in policies[rpc.path]) is (not streams and declared), rpc.path
        assert {"connect-failure", "refused-stream"} <= set(policies[rpc.path])
    repeated = {rpc.name for rpc in rpcs if "reset" in policies[rpc.path]}
    assert {"CreateCase", "IssueLicense", "SealDigests", "GetServiceItem"} <= repeated
    # Each call counts against the quota of a grant, and one that was answered is not asked for again.
    assert "Query" not in repeated


def test_the_gateway_waits_as_long_as_the_contract_says(config: GatewayConfig) -> None:
    known = services(read_image())
    rpcs = {rpc.path: rpc for service in known for rpc in service.public_rpcs}
    routes = [route for route in _routes(bootstrap(config, known)) if route["match"].get("path") in rpcs]
    said = set()
    for route in routes:
        rpc = rpcs[route["match"]["path"]]
        if not rpc.method.streams:
            wanted = f"{rpc.method.seconds:.0f}s"
            assert (route["route"]["timeout"], route["route"]["max_stream_duration"]["max_stream_duration"]) == (
                wanted,
            ) * 2
            said.add(wanted)
    assert len(said) > 1


def test_a_stream_lasts_as_long_as_something_comes_or_goes(config: GatewayConfig) -> None:
    """And ends behind the service's own patience, which says why."""
    known = {path: rpc for service in services(read_image()) for rpc in service.public_rpcs for path in rpc.paths}
    seen = set()
    for route in _routes(bootstrap(config, services(read_image()))):
        rpc = known.get(route["match"].get("path"))
        if rpc is not None:
            lasting = route["route"]
            streams = rpc.descriptor.client_streaming or rpc.descriptor.server_streaming
            assert (lasting["timeout"] == "0s") is streams, rpc.path
            assert (lasting["max_stream_duration"]["max_stream_duration"] == "0s") is streams, rpc.path
            assert (float(lasting.get("idle_timeout", "0s")[:-1]) > IDLE_SECONDS) is streams, rpc.path
            seen |= {rpc.name} if streams else set()
    assert {"VerifyLicenses", "AppendUpload", "DownloadUpload"} <= seen


def _closed(rpc: Rpc) -> Rpc:
    descriptor = type(rpc.descriptor)()
    descriptor.CopyFrom(rpc.descriptor)
    descriptor.options.Extensions[options_pb2.rpc].access.audience[:] = [options_pb2.AUDIENCE_INTERNAL]
    return replace(rpc, descriptor=descriptor)


def test_an_internal_rpc_has_no_route(config: GatewayConfig) -> None:
    service = next(each for each in services(read_image()) if each.full_name.endswith("CaseService"))
    first, *others = service.rpcs
    closed = Service(service.full_name, service.comment, (_closed(first), *others))
    paths = _paths(bootstrap(config, [closed]))
    assert first.path not in paths
    assert all(rpc.path in paths for rpc in others if not rpc.internal)


def test_what_all_serve_is_told_apart_by_the_owner_that_the_request_names(config: GatewayConfig) -> None:
    routes = [route for route in _routes(bootstrap(config, services(read_image()))) if "headers" in route["match"]]
    assert {route["route"]["cluster"] for route in routes} == {"identity", "license", "seal", "cases", "sharing"}


@pytest.mark.parametrize("owner", ["identity", "license", "seal", "cases", "sharing"])
def test_parked_events_have_a_route_to_each_owner(config: GatewayConfig, owner: str) -> None:
    path = "/tongban.events.v1.ParkedEventService/DropParkedEvent"
    found = [
        route["match"]["headers"]
        for route in _routes(bootstrap(config, services(read_image())))
        if route["match"].get("path") == path and route["route"]["cluster"] == owner
    ]
    named = [{"name": "x-tongban-owner", "string_match": {"exact": owner}}]
    nobody = [{"name": "x-tongban-owner", "present_match": False}]
    assert found == ([named, nobody] if owner == "identity" else [named])


def test_spans_go_nowhere_without_an_endpoint(config: GatewayConfig) -> None:
    silent = config.model_copy(update={"telemetry": config.telemetry.model_copy(update={"endpoint": ""})})
    clusters = [cluster["name"] for cluster in bootstrap(silent, [])["static_resources"]["clusters"]]
    assert "telemetry" not in clusters
    assert "telemetry" in [cluster["name"] for cluster in bootstrap(config, [])["static_resources"]["clusters"]]


def test_every_reply_is_documented_with_its_metadata() -> None:
    for reply in replies(1):
        assert {key for key, _ in reply.metadata} == set(documented(reply.reason).metadata)
        assert len(status_of(reply).details) == 2 + reply.retry


def test_the_edge_forgives_the_same_skew_as_the_services(config: GatewayConfig) -> None:
    manager = bootstrap(config, services(read_image()))["static_resources"]["listeners"][0]["filter_chains"][0]
    filters = manager["filters"][0]["typed_config"]["http_filters"]
    (gate,) = [each["typed_config"] for each in filters if each["name"].endswith("jwt_authn")]
    assert [each["clock_skew_seconds"] for each in gate["providers"].values()] == [60]
    assert LEEWAY_SECONDS == claims.LEEWAY_SECONDS == 60


def _clusters(config: GatewayConfig) -> dict[str, dict[str, Any]]:
    made = bootstrap(config, services(read_image()))["static_resources"]["clusters"]
    return {cluster["name"]: cluster for cluster in made}


def _ports(cluster: dict[str, Any]) -> list[int]:
    (group,) = cluster["load_assignment"]["endpoints"]
    return [each["endpoint"]["address"]["socket_address"]["port_value"] for each in group["lb_endpoints"]]


def test_replicas_are_all_called_and_one_that_is_away_is_left_out(config: GatewayConfig) -> None:
    neighbours = config.neighbours | {"cases": "127.0.0.1:1,127.0.0.1:2", "identity": "127.0.0.1:3,127.0.0.1:4"}
    identity = config.identity.model_copy(
        update={"jwks_url": "http://127.0.0.1:5/jwks", "further_jwks_urls": ["http://127.0.0.1:6/jwks"]}
    )
    found = _clusters(config.model_copy(update={"neighbours": neighbours, "identity": identity}))
    assert _ports(found["cases"]) == [1, 2]
    (check,) = found["cases"]["health_checks"]
    assert check["grpc_health_check"] == {"service_name": "calls"}, "one that is about to stop gets no calls"
    assert check["unhealthy_threshold"] < 20, "another is there: nobody waits for it to come back"
    assert found["cases"]["outlier_detection"]["max_ejection_percent"] == 50, "never all of them"
    assert _ports(found["identity_http"]) == [5, 6]
    assert found["identity_http"]["health_checks"][0]["http_health_check"] == {"path": "/jwks"}


def test_one_alone_is_waited_for(config: GatewayConfig) -> None:
    found = _clusters(config)
    (check,) = found["cases"]["health_checks"]
    assert check["grpc_health_check"] == {"service_name": "database"}
    assert check["unhealthy_threshold"] == 20
    assert "outlier_detection" not in found["cases"]
    assert "health_checks" not in found["identity_http"]


def test_what_is_sent_again_goes_to_another_replica_first(config: GatewayConfig) -> None:
    policies = [
        route["route"]["retry_policy"]
        for route in _routes(bootstrap(config, services(read_image())))
        if "num_retries" in route["route"].get("retry_policy", {})
    ]
    assert policies
    assert all("previous_hosts" in policy["retry_host_predicate"][0]["name"] for policy in policies)
