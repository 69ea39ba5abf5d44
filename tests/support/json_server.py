"""A server of JSON in a thread, for doubles of what a region asks over plain HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.backends import HOST

Answer = Callable[[str, bytes], tuple[int, object]]
"""Takes a path and a body (empty of a GET), and returns a status and what is answered as JSON."""


@contextmanager
def json_server(answer: Answer) -> Iterator[str]:
    """Serves for the length of the block; yields its address. It tells nothing of what goes by: there are names and numbers in it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["content-length"] or 0)))

        def _answer(self, body: bytes) -> None:
            status, told = answer(self.path, body)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            # A page of a region may ask a program on its reader's computer.
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
