"""A service behind Envoy that does what none of ours would: resets calls that it has read, and takes no connection while it is checked."""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from pathlib import Path

from grpc_health.v1 import health_pb2

from tests.support.backends import HOST
from tests.support.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    RESET,
    SETTINGS,
    frame,
    headers_block,
)

REFUSED_STREAM, INTERNAL_ERROR = 7, 2
"""Why a stream is reset (RFC 9113, 7): it was not begun; or whatever went wrong."""
_NAMED = re.compile(rb"(?:licenses|persons)/[0-9a-f-]{36}")
_HEALTHY = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()


class ResettingServer:
    """One replica of the licence service. A call is told from a check by the name of a thing in it.

    Attributes:
        port: where it listens.
        arrived: how often a call came, by the name in it.
        resets: how often a call with this name is reset before it is answered, and why.
        open: whether it takes new connections; those over which it is checked stay.
    """

    def __init__(self, folder: Path) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "license.pem", folder / "license.key")
        self._tls.set_alpn_protocols(["h2"])
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self.arrived: Counter[str] = Counter()
        self.resets: dict[str, tuple[int, int]] = {}
        self.open = True
        self._connections: list[_Connection] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def shut(self) -> None:
        """Takes no new connection from now on, and ends those that calls came over."""
        self.open = False
        for each in self._connections:
            if not each.checked:
                each.end()

    def outcome(self, name: str) -> int | None:
        """Counts a call; returns why it is reset, None where it is answered."""
        self.arrived[name] += 1
        times, why = self.resets.get(name, (0, 0))
        return why if self.arrived[name] <= times else None

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                taken, _ = self._listener.accept()
                if self.open:
                    self._connections.append(_Connection(self, taken, self._tls))
                else:
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    taken.close()

    def close(self) -> None:
        """Ends everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for each in self._connections:
            each.end()
            each.thread.join()


class _Connection:
    """One connection, on a thread of its own."""

    def __init__(self, server: ResettingServer, taken: socket.socket, tls: ssl.SSLContext) -> None:
        self._server, self._plain, self._tls = server, taken, tls
        self.checked = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Cuts it."""
        with contextlib.suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with contextlib.suppress(OSError, EOFError), self._tls.wrap_socket(self._plain, server_side=True) as secure:
            self._plain = secure
            read = secure.makefile("rb")
            assert read.read(len(PREFACE)) == PREFACE
            secure.sendall(frame(SETTINGS, 0, 0, b""))
            while head := read.read(9):
                length, kind, flags, stream = int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:])
                payload = read.read(length)
                if kind in (SETTINGS, PING) and not flags & ACK:
                    secure.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
                if kind == DATA and payload:
                    secure.sendall(self._answer(stream, payload))

    def _answer(self, stream: int, payload: bytes) -> bytes:
        named = _NAMED.search(payload)
        self.checked = self.checked or named is None
        why = self._server.outcome(named[0].decode()) if named else None
        if why is not None:
            return frame(RESET, 0, stream, why.to_bytes(4))
        message = b"" if named else _HEALTHY
        return b"".join(
            (
                frame(
                    HEADERS,
                    END_HEADERS,
                    stream,
                    headers_block([(":status", "200"), ("content-type", "application/grpc")]),
                ),
                frame(DATA, 0, stream, b"\0" + len(message).to_bytes(4) + message),
                frame(HEADERS, END_HEADERS | END_STREAM, stream, headers_block([("grpc-status", "0")])),
            )
        )
