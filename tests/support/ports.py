"""Ports on loopback for tests."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listening(port: int) -> Iterator[int]:
    """Keeps a port taken (0: any) and yields its number."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        yield int(server.getsockname()[1])


def free_port() -> int:
    """Returns a port that nobody listens on at this moment."""
    with listening(0) as port:
        return port
