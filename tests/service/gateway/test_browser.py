"""A page in a real browser (Debian's Chromium) calls over gRPC-Web: one of the list reads answers and refusals, another nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.browser import CHROMIUM, FLAGS
from tests.support.edge import HEAD, Edge, running_edge

pytestmark = pytest.mark.timeout(120)

_CALL = """async ([url, kind, message, token]) => {
  const headers = {"content-type": kind, "x-grpc-web": "1", "x-user-agent": "a-page", "accept-language": "en"};
  if (token) headers.authorization = `Bearer ${token}`;
  const body = kind.includes("text") ? message : Uint8Array.from(atob(message), (each) => each.charCodeAt(0));
  try {
    const answer = await fetch(url, {method: "POST", headers, body});
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return {
      status: answer.status,
      grpc: answer.headers.get("grpc-status"),
      details: answer.headers.get("grpc-status-details-bin"),
      id: answer.headers.get("x-request-id"),
      text: new TextDecoder("latin1").decode(bytes),
    };
  } catch (error) {
    return {error: error.name};
  }
}"""
_ASKED = "AAAAABQKEmlkZW50aXR5L2F1ZGl0SGVhZA=="
"""A frame of 20 bytes: GetAuditHeadRequest whose ``name`` is identity/auditHead."""


class _AnyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", "15")
        self.end_headers()
        self.wfile.write(b"<!doctype html>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def _origin() -> Iterator[str]:
    """A site with an empty page; its port makes it another origin than any other."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _AnyPage)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    serving.join()


@pytest.fixture(scope="module")
def origins() -> Iterator[tuple[str, str]]:
    """A site of the list, and another."""
    with _origin() as listed, _origin() as other:
        yield listed, other


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, origins: tuple[str, str]) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge"), origins=origins[:1]) as running:
        yield running


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    assert CHROMIUM.exists(), "Chromium is missing: apt-get install -y chromium fonts-noto-cjk"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser.new_page()
        browser.close()


def _call(
    page: Page, origin: str, edge: Edge, *, kind: str = "application/grpc-web+proto", token: str = ""
) -> dict[str, Any]:
    page.goto(f"{origin}/")
    found: dict[str, Any] = page.evaluate(_CALL, [edge.url + HEAD, kind, _ASKED, token])
    return found


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text"])
def test_a_page_of_the_list_calls(page: Page, edge: Edge, origins: tuple[str, str], kind: str) -> None:
    answer = _call(page, origins[0], edge, kind=kind)
    assert (answer.get("status"), "identity/auditHead" in answer["text"]) == (200, True)
    assert "grpc-status:0" in answer["text"], "the trailers are the last frame"
    assert answer["id"], "what it may tell the operators stands in a header that it may read"


def test_it_reads_why_it_was_refused(page: Page, edge: Edge, origins: tuple[str, str]) -> None:
    answer = _call(page, origins[0], edge, token="none")
    assert (answer["grpc"], answer["text"]) == ("16", "")
    assert answer["details"]


def test_another_page_is_not_even_asked_for(page: Page, edge: Edge, origins: tuple[str, str]) -> None:
    before = len(edge.seen.metadata)
    assert _call(page, origins[1], edge) == {"error": "TypeError"}
    assert len(edge.seen.metadata) == before, "a service heard of it"
