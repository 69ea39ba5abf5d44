"""Calls that a service reset behind the real Envoy: what may be repeated is, the rest is not; and a replica that takes no connection is left out."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from deploy.pki import development
from libs.rpc import status
from tests.support.edge import Edge, running_edge, token_of
from tests.support.patience import PATIENCE
from tests.support.resetting import INTERNAL_ERROR, REFUSED_STREAM, ResettingServer
from tongban.license.v1 import license_service_pb2 as pb

_SERVICE = "/tongban.license.v1.LicenseService"
_RESETS = 2


@contextmanager
def _replicas(folder: Path, count: int) -> Iterator[list[ResettingServer]]:
    development.ensure(folder, "341500", ("license",))
    made = [ResettingServer(folder) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, ResettingServer]]:
    folder: Path = tmp_path_factory.mktemp("resets")
    with _replicas(folder, 1) as (only,), running_edge(folder, license_ports=(only.port,)) as edge:
        yield edge, only


def _call(edge: Edge, method: str, request: Message) -> str:
    """Makes a call by gRPC; returns the reason of its refusal, or OK."""
    with grpc.insecure_channel(edge.target) as channel:
        path = f"{_SERVICE}/{method}"
        call: Any = channel.unary_unary(path, request_serializer=type(request).SerializeToString)
        try:
            call(request, metadata=[("authorization", f"Bearer {token_of(edge.url)}")], timeout=PATIENCE)
        except grpc.RpcError as error:
            return status.from_rpc_error(error, "the gateway").reason  # type: ignore[arg-type]
    return "OK"


def _list(name: str) -> Message:
    """Reads a list: the contract says that it may be repeated."""
    return pb.ListLicensesRequest(holder=name)


def _get(name: str) -> Message:
    """Reads a licence, of which each time is a use: the contract does not say that it may be repeated."""
    return pb.GetLicenseRequest(name=name)


def test_what_may_be_repeated_is_sent_again_until_it_is_answered(replica: tuple[Edge, ResettingServer]) -> None:
    edge, only = replica
    name = f"persons/{uuid.uuid4()}"
    only.resets[name] = (_RESETS, INTERNAL_ERROR)
    assert _call(edge, "ListLicenses", _list(name)) == "OK"
    assert only.arrived[name] == _RESETS + 1


def test_what_the_contract_does_not_call_idempotent_arrives_once(replica: tuple[Edge, ResettingServer]) -> None:
    edge, only = replica
    name = f"licenses/{uuid.uuid4()}"
    only.resets[name] = (_RESETS, INTERNAL_ERROR)
    assert _call(edge, "GetLicense", _get(name)) == "DEPENDENCY_UNAVAILABLE"
    assert only.arrived[name] == 1
    # The same as JSON.
    name = f"licenses/{uuid.uuid4()}"
    only.resets[name] = (_RESETS, INTERNAL_ERROR)
    headers = {"authorization": f"Bearer {token_of(edge.url)}"}
    body = {"useContext": {"purposeCode": "OWN_USE", "purpose": "查询"}}
    answer = httpx.post(f"{edge.url}/v1/{name}:read", json=body, headers=headers, timeout=PATIENCE, trust_env=False)
    assert (answer.status_code, only.arrived[name]) == (503, 1), answer.text


def test_what_was_not_begun_is_sent_again_whatever_it_is(replica: tuple[Edge, ResettingServer]) -> None:
    edge, only = replica
    name = f"licenses/{uuid.uuid4()}"
    only.resets[name] = (_RESETS, REFUSED_STREAM)
    assert _call(edge, "GetLicense", _get(name)) == "OK"
    assert only.arrived[name] == _RESETS + 1


def _ejections(edge: Edge) -> int:
    """How often a replica of the licence service was left out, because it took no connection."""
    admin = f"http://127.0.0.1:{edge.config.envoy.admin_port}/stats"
    text = httpx.get(admin, params={"filter": "ejections_enforced_total"}, timeout=PATIENCE, trust_env=False).text
    found = [line for line in text.splitlines() if line.startswith("cluster.license.")]
    return int(found[0].rpartition(" ")[2])


def test_a_replica_that_takes_no_connection_is_left_out_and_costs_nobody_a_call(tmp_path: Path) -> None:
    """Its checks go on over a connection that it has kept: what leaves it out are the calls that did not reach it."""
    with (
        _replicas(tmp_path, 2) as (stays, goes),
        running_edge(tmp_path, license_ports=(stays.port, goes.port)) as edge,
    ):
        end = time.monotonic() + PATIENCE

        def asked() -> str:
            name = f"licenses/{uuid.uuid4()}"
            assert _call(edge, "GetLicense", _get(name)) == "OK"
            return name

        while not (stays.arrived and goes.arrived):
            asked()
            assert time.monotonic() < end, "both are asked"
        assert _ejections(edge) == 0
        goes.shut()
        while not _ejections(edge):
            name = asked()
            assert stays.arrived[name] == 1
            assert time.monotonic() < end, "it is left out"
        goes.open = True
        before = goes.arrived.total()
        while goes.arrived.total() == before:
            asked()
            assert time.monotonic() < end, "it is asked again"
