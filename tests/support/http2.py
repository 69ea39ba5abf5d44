"""HTTP/2 as no library would say it, and a client of it: frames as they are (RFC 9113), headers without compression (RFC 7541)."""

import socket
from collections import defaultdict
from collections.abc import Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
_FRAME = 16_384


class Http2:
    """One connection.

    Attributes:
        data: the bytes that came on each stream.
        ended: the streams that the server ended, or reset.
        reset: those that it reset.
        closed: whether it closed, or announced to close, the connection.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
        self.data: defaultdict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.closed = False

    def headers(self, stream: int, fields: Sequence[tuple[str, str]], *, end: bool) -> None:
        """Sends headers, or after data trailers; in as many frames as they need."""
        block = headers_block(fields)
        pieces = [block[start : start + _FRAME] for start in range(0, len(block), _FRAME)]
        for place, piece in enumerate(pieces):
            flags = (END_STREAM if end and not place else 0) | (END_HEADERS if piece is pieces[-1] else 0)
            self._socket.sendall(frame(_CONTINUATION if place else HEADERS, flags, stream, piece))

    def body(self, stream: int, content: bytes, *, end: bool) -> None:
        """Sends data, at most one frame."""
        self._socket.sendall(frame(DATA, END_STREAM if end else 0, stream, content))

    def wait(self, stream: int) -> None:
        """Reads until the server ended this stream, or everything."""
        while stream not in self.ended and not self.closed:
            self._read()

    def _read(self) -> None:
        head = self._exactly(9)
        length, kind, flags, stream = int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:])
        payload = self._exactly(length)
        if kind == SETTINGS and not flags & ACK:
            self._socket.sendall(frame(SETTINGS, ACK, 0, b""))
        if kind == DATA:
            self.data[stream] += payload
        if kind == RESET:
            self.reset.add(stream)
        if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self.ended.add(stream)
        self.closed = self.closed or kind == _GOAWAY

    def _exactly(self, length: int) -> bytes:
        read = b""
        while len(read) < length:
            more = self._socket.recv(length - len(read))
            if not more:
                self.closed = True
                return bytes(length)
            read += more
        return read

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def headers_block(fields: Sequence[tuple[str, str]]) -> bytes:
    """Headers as they stand in frames, without compression."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def _text(text: str) -> bytes:
    """A text without Huffman's code; its length in seven bits, or more of them (RFC 7541, 5.1)."""
    data, length = text.encode(), len(text.encode())
    if length < 127:
        return bytes([length]) + data
    rest, parts = length - 127, [127]
    while rest >= 128:
        parts.append(rest % 128 + 128)
        rest //= 128
    return bytes([*parts, rest]) + data
