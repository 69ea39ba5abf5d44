"""A verifier of faces beside whole regions: plain HTTP in a thread, with everything that it was told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.backends import HOST


@dataclass
class VerifierServer:
    """What a verifier was asked, and what it says of each check, by its reference; what it was not told is pending."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)

    def answer(self, path: str, body: dict[str, str]) -> dict[str, str]:
        """Answers as docs/guides/real-names.md has it."""
        self.asked.append(body)
        if path == "/checks":
            return {"reference": body["id"], "uri": f"https://faces.test/{body['id']}"}
        return {"state": self.states.get(body["reference"], "PENDING")}


@contextmanager
def verifier_server() -> Iterator[VerifierServer]:
    """Runs a verifier for the length of the block."""
    found = VerifierServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            content = json.dumps(found.answer(self.path, body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Tells nothing: names and numbers go by here."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    found.url = f"http://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
