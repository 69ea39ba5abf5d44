"""A configuration that is written anew takes over while Envoy runs, and nobody's request is lost."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx

from services.gateway import envoy_config
from services.gateway.config import Cors
from tests.support.edge import HEAD, Edge, running_edge
from tests.support.patience import PATIENCE
from tongban.audit.v1 import audit_service_pb2

_JSON_HEAD = "/v1/audit/identity/auditHead"
_RELOADS, _BETWEEN = 3, 60
_ASKED = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()


class _Load:
    """Callers who go on as long as it runs and send nothing twice: by kept connections, by new ones, and by gRPC."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._over = threading.Event()
        self.results: Counter[str] = Counter()

    def _go_on(self, call: Any) -> None:
        while not self._over.is_set():
            try:
                self.results[call()] += 1
            except (httpx.HTTPError, grpc.RpcError) as error:
                self.results[f"{type(error).__name__} {error}"] += 1

    def _kept(self) -> None:
        with httpx.Client(base_url=self._edge.url, timeout=PATIENCE, trust_env=False) as client:
            self._go_on(lambda: f"kept {client.get(_JSON_HEAD).status_code}")

    def _new(self) -> None:
        url = self._edge.url + _JSON_HEAD
        self._go_on(lambda: f"new {httpx.get(url, timeout=PATIENCE, trust_env=False).status_code}")

    def _grpc(self) -> None:
        # What never left the client when Envoy said GOAWAY (RFC 9113 6.8) is sent by gRPC itself (gRFC A6); no policy
        # of retries is set, so what was sent and not answered would be seen here.
        with grpc.insecure_channel(self._edge.target) as channel:
            call: Any = channel.unary_unary(HEAD)
            self._go_on(lambda: f"grpc {bool(call(_ASKED, timeout=PATIENCE))}")

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(3) as pool:
            callers = [pool.submit(each) for each in (self._kept, self._new, self._grpc)]
            try:
                yield
            finally:
                self._over.set()
                for each in callers:
                    each.result()

    def reached(self, more: int) -> None:
        """Waits until each kind of caller has been answered so many times more."""
        goals = {kind: self._of(kind) + more for kind in ("kept", "new", "grpc")}
        end = time.monotonic() + PATIENCE
        while any(self._of(kind) < goal for kind, goal in goals.items()):
            assert time.monotonic() < end, self.results
            time.sleep(0.01)

    def _of(self, kind: str) -> int:
        return sum(count for name, count in list(self.results.items()) if name.startswith(kind))


def _allows(edge: Edge, origin: str) -> bool:
    asks = {"origin": origin, "access-control-request-method": "POST"}
    return httpx.options(edge.url + _JSON_HEAD, headers=asks, timeout=PATIENCE, trust_env=False).status_code == 200


def _reload(edge: Edge, origin: str) -> None:
    """Writes a configuration that lets this origin in as well, and waits until it holds."""
    assert not _allows(edge, origin)
    envoy_config.write(edge.config.model_copy(update={"cors": Cors(origins=[*edge.config.cors.origins, origin])}))
    end = time.monotonic() + PATIENCE
    while not _allows(edge, origin):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_request_is_lost_while_the_configuration_changes(tmp_path: Path) -> None:
    with running_edge(tmp_path, drain_seconds=60) as edge:
        load = _Load(edge)
        with load.running():
            load.reached(_BETWEEN)
            for number in range(_RELOADS):
                _reload(edge, f"https://desk{number}.example")
                load.reached(_BETWEEN)
    assert set(load.results) == {"kept 200", "new 200", "grpc True"}, load.results


def test_what_was_begun_is_ended_by_the_configuration_that_took_it(tmp_path: Path) -> None:
    with running_edge(tmp_path, drain_seconds=60) as edge, ThreadPoolExecutor(1) as pool:
        edge.seen.going.clear()
        url = edge.url + _JSON_HEAD
        waiting = pool.submit(lambda: httpx.get(url, timeout=PATIENCE, trust_env=False).status_code)
        assert edge.seen.waiting.acquire(timeout=PATIENCE)
        _reload(edge, "https://desk.new.example")
        edge.seen.going.set()
        assert waiting.result() == 200


def test_what_is_no_configuration_changes_nothing(tmp_path: Path) -> None:
    with running_edge(tmp_path) as edge:
        document = json.loads(edge.config.envoy.listeners.read_text(encoding="utf-8"))
        document["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"].pop()  # the router
        broken = edge.config.envoy.listeners.with_suffix(".broken")
        broken.write_text(json.dumps(document), encoding="utf-8")
        broken.replace(edge.config.envoy.listeners)
        end = time.monotonic() + PATIENCE
        while "rejected" not in edge.log.read_text(errors="replace"):
            assert time.monotonic() < end, edge.log.read_text()[-2000:]
            time.sleep(0.05)
        assert httpx.get(edge.url + _JSON_HEAD, timeout=PATIENCE, trust_env=False).status_code == 200
