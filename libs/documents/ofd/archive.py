"""Takes a ZIP archive apart that every reader must see alike, and refuses any other.

Readers find entries in two ways: by the directory at the end, or by walking from the first byte (``ZipInputStream`` of
the JDK). A file that shows one page to the first and another to the second would be two documents under one seal. So
the entries must tile the file: each local header says what the directory says, and nothing stands before, between or
behind them, nor is there a second name, a second size or a second directory for anything (APPNOTE.TXT 6.3.10, 4.3), nor is
the file a PDF as well.
"""

import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname, normpath
from stat import S_IFDIR, S_IFMT, S_IFREG
from struct import Struct
from typing import NamedTuple

from libs.errors import InvalidArgument, Violation


class OfdRefused(InvalidArgument):
    """The file is not a sound OFD package: FIELD_INVALID with the rule ``ofd.<rule>``.

    Attributes:
        rule: what it breaks, such as ``zip``, ``limits``, ``path``, ``encrypted``, ``entry`` or ``xml``.
    """

    def __init__(self, rule: str, description: str) -> None:
        violation = Violation("file", f"ofd.{rule}", description)
        super().__init__("FIELD_INVALID", f"file: {description}", violations=(violation,))
        self.rule = rule


@dataclass(frozen=True, slots=True)
class OfdLimits:
    """What a package may cost to read.

    Attributes:
        entries: number of files in it.
        total_bytes: of all files unpacked.
        ratio: unpacked to packed size of one file, counted from 64 KiB on.
        xml_bytes: of all XML that is parsed, each file once.
        xml_marks: of all XML that is parsed, how many tags may begin in it.
        xml_attributes: of all XML that is parsed, how many attributes it may have: each costs twenty times its bytes.
    """

    entries: int = 2000
    total_bytes: int = 64 << 20
    ratio: int = 200
    xml_bytes: int = 16 << 20
    xml_marks: int = 300_000
    xml_attributes: int = 400_000


_PDF_HEADER_WITHIN = 1024
_RATIO_FREE_BYTES = 64 << 10
_LONGEST_NAME = 512
_END, _ENTRY, _LOCAL = Struct("<4s4H2IH"), Struct("<4s2B5H3I5H2I"), Struct("<4s5H3I2H")
_DESCRIPTOR, _EXTRA = Struct("<3I"), Struct("<2H")
_MARK_OF_DESCRIPTOR, _ZIP64_LOCATOR = b"PK\x07\x08", b"PK\x06\x07"
_ENCRYPTED, _STREAMED, _UTF8 = 0x1, 0x8, 0x800
_KNOWN_FLAGS = 0x6 | _STREAMED | _UTF8  # 0x6 tells how hard deflate has tried
_STORED, _DEFLATED = 0, 8
_HARMLESS_EXTRAS = frozenset({0x000A, 0x5455, 0x5855, 0x7855, 0x7875, 0xCAFE})
"""Times, owners, and the mark of a JAR. Any other might name, size or encode an entry anew for who knows it."""


class _Item(NamedTuple):
    """One entry as the directory tells it."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    moment: tuple[int, int]
    checksum: int
    packed: int
    size: int
    attributes: int
    offset: int


def read_archive(data: bytes, limits: OfdLimits) -> dict[str, bytes]:
    """Returns the content of each file by its path, in the order of the directory.

    Raises:
        OfdRefused: FIELD_INVALID with rule ``ofd.zip`` (no archive, broken, or one that two readers could understand
            differently), ``ofd.limits``, ``ofd.path`` or ``ofd.encrypted``.
    """
    if is_pdf(data):
        raise _refused("the file is another document for readers of PDF")
    items, directory = _directory(data, limits)
    _check_names(items)
    _check_sizes(items, limits)
    contents = _contents(data, items, directory)
    return {item.name: contents[item.name] for item in items if not item.name.endswith("/")}


def is_pdf(data: bytes) -> bool:
    """Tells whether readers of PDF take a file for one: they look for its header in so much (ISO 32000-1, annex H.3)."""
    return b"%PDF-" in data[:_PDF_HEADER_WITHIN]


def _refused(description: str) -> OfdRefused:
    return OfdRefused("zip", description)


def _directory(data: bytes, limits: OfdLimits) -> tuple[list[_Item], int]:
    """Reads the directory, which must end where the end record begins, and that where the file ends."""
    if len(data) < _END.size:
        raise _refused("the file is not a sound OFD package")
    mark, disk, first_disk, here, count, length, start, comment = _END.unpack_from(data, len(data) - _END.size)
    if mark != b"PK\x05\x06" or comment or disk or first_disk or here != count:
        raise _refused("the file is not a sound OFD package, or something follows it")
    if start + length != len(data) - _END.size:
        raise _refused("the directory of the package does not stand where it says")
    if data[-_END.size - 20 :].startswith(_ZIP64_LOCATOR):
        raise _refused("the package has a second directory")
    if count > limits.entries:
        raise OfdRefused("limits", "the package has too many or too large entries")
    items = list(_listed(data[start : start + length]))
    if len(items) != count:
        raise _refused("the directory of the package holds another number of entries than it says")
    return items, start


def _listed(directory: bytes) -> Iterator[_Item]:
    at = 0
    while at < len(directory):
        if len(directory) - at < _ENTRY.size:
            raise _refused("the directory of the package is cut off")
        (
            mark,
            _,
            _,
            _,
            flags,
            method,
            time,
            date,
            checksum,
            packed,
            size,
            name_length,
            extra_length,
            comment,
            disk,
            _,
            attributes,
            offset,
        ) = _ENTRY.unpack_from(directory, at)
        name, extra, after = _tail(directory, at + _ENTRY.size, name_length, extra_length)
        if mark != b"PK\x01\x02" or comment or disk:
            raise _refused("the directory of the package is broken, or holds a comment")
        _check_extra(extra)
        _check_way(flags, method)
        yield _Item(_text(name, flags), name, flags, method, (time, date), checksum, packed, size, attributes, offset)
        at = after


def _tail(data: bytes, at: int, name_length: int, extra_length: int) -> tuple[bytes, bytes, int]:
    name, extra = data[at : at + name_length], data[at + name_length : at + name_length + extra_length]
    if len(name) != name_length or len(extra) != extra_length:
        raise _refused("the file is cut off")
    return name, extra, at + name_length + extra_length


def _text(name: bytes, flags: int) -> str:
    # Without the flag, what is not ASCII is CP 437 to one reader and GBK to the next.
    try:
        return name.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise OfdRefused("path", "the name of an entry can be read in more than one way") from None


def _check_extra(extra: bytes) -> None:
    at = 0
    while at < len(extra):
        if len(extra) - at < _EXTRA.size:
            raise _refused("an extra field of an entry is broken")
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size + length
        if kind not in _HARMLESS_EXTRAS or at > len(extra):
            raise _refused("an entry has an extra field that only some readers understand")


def _check_way(flags: int, method: int) -> None:
    if flags & _ENCRYPTED:
        raise OfdRefused("encrypted", "an entry of the package is encrypted")
    if method not in (_STORED, _DEFLATED) or flags & ~_KNOWN_FLAGS:
        raise _refused("an entry of the package is packed by an unusual method")
    if flags & _STREAMED and method == _STORED:
        raise _refused("an entry of the package has no end that a reader from the front could find")


def _check_names(items: list[_Item]) -> None:
    known: set[str] = set()
    for item in items:
        _check_name(item)
        known.add(_folded(item.name))
    if len(known) != len(items):
        raise OfdRefused("path", "two entries of the package have the same name")
    files = {_folded(item.name) for item in items if not item.name.endswith("/")}
    if any(parent in files for item in items for parent in _parents(_folded(item.name))):
        raise OfdRefused("path", "an entry of the package is a file and a folder")


def _folded(name: str) -> str:
    """The name as the most careless reader compares it: case and composition aside."""
    return unicodedata.normalize("NFC", name).casefold().removesuffix("/")


def _parents(name: str) -> Iterator[str]:
    while name := dirname(name):
        yield name


def _check_name(item: _Item) -> None:
    plain = item.name.removesuffix("/")
    if plain.startswith(("/", "../")) or any(mark in plain for mark in ":\\") or normpath(plain) != plain:
        raise OfdRefused("path", "the name of an entry is not a plain relative path")
    if len(item.name) > _LONGEST_NAME or any(character < " " or character == "\x7f" for character in item.name):
        raise OfdRefused("path", "the name of an entry is too long or holds a control character")
    if S_IFMT(item.attributes >> 16) not in (0, S_IFREG, S_IFDIR):
        raise OfdRefused("path", "an entry of the package is a link or a device")


def _check_sizes(items: list[_Item], limits: OfdLimits) -> None:
    if sum(item.size for item in items) > limits.total_bytes:
        raise OfdRefused("limits", "the package has too many or too large entries")
    for item in items:
        if item.size > max(_RATIO_FREE_BYTES, limits.ratio * item.packed):
            raise OfdRefused("limits", "an entry of the package is compressed beyond measure")
        if item.size and item.name.endswith("/"):
            raise _refused("a folder of the package has content")


def _contents(data: bytes, items: list[_Item], directory: int) -> Mapping[str, bytes]:
    """Walks from the first byte, as a reader of a stream does, and meets just what the directory lists."""
    contents: dict[str, bytes] = {}
    at = 0
    for item in sorted(items, key=lambda item: item.offset):
        if item.offset != at:
            raise _refused("something stands before or between the entries of the package")
        contents[item.name], at = _content(data, item, directory)
    if at != directory:
        raise _refused("something stands between the entries of the package and their directory")
    return contents


def _content(data: bytes, item: _Item, directory: int) -> tuple[bytes, int]:
    """Returns an entry's content and where the next one must begin."""
    start = _check_local(data, item)
    end = start + item.packed
    if end > directory:
        raise _refused("an entry of the package is cut off")
    content = _unpacked(data[start:end], item)
    if len(content) != item.size or zlib.crc32(content) != item.checksum:
        raise _refused("the content of an entry differs from what the package says")
    return content, end + (_descriptor(data, end, item) if item.flags & _STREAMED else 0)


def _check_local(data: bytes, item: _Item) -> int:
    """Compares the local header with the directory; returns where the content begins.

    The version needed is left out: writers differ in it, and no reader reads otherwise for it.
    """
    if len(data) - item.offset < _LOCAL.size:
        raise _refused("the file is cut off")
    (mark, _, flags, method, time, date, *sizes, name_length, extra_length) = _LOCAL.unpack_from(data, item.offset)
    name, extra, start = _tail(data, item.offset + _LOCAL.size, name_length, extra_length)
    told = [item.checksum, item.packed, item.size]
    agreed = sizes == told or (item.flags & _STREAMED and sizes == [0, 0, 0])
    same = (flags, method, (time, date), name) == (item.flags, item.method, item.moment, item.raw_name)
    if mark != b"PK\x03\x04" or not same or not agreed:
        raise _refused("an entry says something else of itself than the directory does")
    _check_extra(extra)
    return start


def _unpacked(packed: bytes, item: _Item) -> bytes:
    if item.method == _STORED:
        return packed
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than the directory says, so that a lie shows; the stream must end where the directory says.
        content = inflater.decompress(packed, item.size + 1)
    except zlib.error:
        raise _refused("an entry of the package can't be unpacked") from None
    if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
        raise _refused("the size of an entry differs from what the package says")
    return content


def _descriptor(data: bytes, at: int, item: _Item) -> int:
    """Checks the data descriptor of a streamed entry (4.3.9); returns its length, with its mark or without."""
    told = _DESCRIPTOR.pack(item.checksum, item.packed, item.size)
    for prefix in (_MARK_OF_DESCRIPTOR, b""):
        if data.startswith(prefix + told, at) and (prefix or not told.startswith(_MARK_OF_DESCRIPTOR)):
            return len(prefix) + len(told)
    raise _refused("the data descriptor of an entry differs from the directory")
