"""An HTTP/2 client that says what no library would: frames as they are (RFC 9113), headers without compression (RFC 7541)."""

import socket
from collections import defaultdict
from collections.abc import Sequence

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 7, 9
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
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
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        self.data: defaultdict[int, bytes] = defaultdict(bytes)
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.closed = False

    def headers(self, stream: int, fields: Sequence[tuple[str, str]], *, end: bool) -> None:
        """Sends headers, or after data trailers; in as many frames as they need."""
        block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)
        pieces = [block[start : start + _FRAME] for start in range(0, len(block), _FRAME)]
        for place, piece in enumerate(pieces):
            flags = (_END_STREAM if end and not place else 0) | (_END_HEADERS if piece is pieces[-1] else 0)
            self._socket.sendall(_frame(_CONTINUATION if place else _HEADERS, flags, stream, piece))

    def body(self, stream: int, content: bytes, *, end: bool) -> None:
        """Sends data, at most one frame."""
        self._socket.sendall(_frame(_DATA, _END_STREAM if end else 0, stream, content))

    def wait(self, stream: int) -> None:
        """Reads until the server ended this stream, or everything."""
        while stream not in self.ended and not self.closed:
            self._read()

    def _read(self) -> None:
        head = self._exactly(9)
        length, kind, flags, stream = int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:])
        payload = self._exactly(length)
        if kind == _SETTINGS and not flags & _ACK:
            self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        if kind == _DATA:
            self.data[stream] += payload
        if kind == _RESET:
            self.reset.add(stream)
        if kind == _RESET or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
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


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


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
