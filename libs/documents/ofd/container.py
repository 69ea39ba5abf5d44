"""The ZIP container of an OFD package, written so that the same entries always give the same bytes.

By hand and not with ``zipfile``, because what comes again (the template page) is then compressed once per process.
"""

import zlib
from collections.abc import Mapping
from functools import lru_cache
from struct import pack as pack_fields

_LEVEL = 2  # a third of the time of level 6, for 6 % more bytes
_VERSION, _UTF8_NAMES, _DEFLATED = 20, 0x800, 8
_TIME, _DATE = 0, 0x21  # 1980-01-01 00:00, the first that ZIP knows
_MADE_ON_UNIX = 3 << 8 | _VERSION
_READABLE_FILE = 0o100644 << 16
_LARGEST_KEPT = 256 << 10  # bytes, so that the cache stays below 8 MiB whatever comes


def pack(entries: Mapping[str, bytes]) -> bytes:
    """Packs ``entries`` (path inside the package without leading slash, content) in their order, with fixed times.

    The package must stay below 4 GiB and 65,536 entries: ZIP64 is not written.
    """
    files: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for path, content in entries.items():
        name = path.encode()
        checksum, data = _deflated(content)
        sizes = (checksum, len(data), len(content), len(name), 0)
        shared = pack_fields("<5H3I2H", _VERSION, _UTF8_NAMES, _DEFLATED, _TIME, _DATE, *sizes)
        tail = pack_fields("<3H2I", 0, 0, 0, _READABLE_FILE, offset)
        directory.append(b"PK\x01\x02" + pack_fields("<H", _MADE_ON_UNIX) + shared + tail + name)
        files += (b"PK\x03\x04", shared, name, data)
        offset += 4 + len(shared) + len(name) + len(data)
    listing = b"".join(directory)
    count = len(entries)
    end = pack_fields("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(listing), offset, 0)
    return b"".join(files) + listing + end


def _deflated(content: bytes) -> tuple[int, bytes]:
    """Returns CRC-32 and raw deflate stream."""
    return _deflate_once(content) if len(content) <= _LARGEST_KEPT else _deflate(content)


@lru_cache(maxsize=32)
def _deflate_once(content: bytes) -> tuple[int, bytes]:
    return _deflate(content)


def _deflate(content: bytes) -> tuple[int, bytes]:
    squeezer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return zlib.crc32(content), squeezer.compress(content) + squeezer.flush()
