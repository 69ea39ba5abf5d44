"""One reading: what is taken looks the same to a reader of the directory and to one that walks from the front."""

import io
import struct
import zlib
from collections.abc import Callable
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.documents.ofd import OfdLimits, OfdRefused
from libs.documents.ofd.archive import read_archive
from libs.documents.ofd.container import pack

FILES = {"OFD.xml": b"<a/>", "Doc_0/Page.xml": b"<page>" + b"x" * 400 + b"</page>", "Doc_0/Res.png": bytes(range(256))}
GOOD = pack(FILES)


class _Unseekable(io.RawIOBase):
    """A sink that can't be gone back in, as a servlet's answer is: ZipFile then writes data descriptors."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.written += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def from_the_front(data: bytes) -> dict[str, bytes]:
    """What a reader of the stream sees (as the JDK's ZipInputStream does): local headers one after the other."""
    seen: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] == b"PK\x03\x04":
        _, flags, method, _, _, _, packed, _, names, extras = struct.unpack_from("<5H3I2H", data, at + 4)
        name = data[at + 30 : at + 30 + names].decode()
        at += 30 + names + extras
        if method == 8:
            inflater = zlib.decompressobj(-15)
            seen[name] = inflater.decompress(data[at:])
            at = len(data) - len(inflater.unused_data)
        else:
            seen[name], at = data[at : at + packed], at + packed
        if flags & 8:
            at += 16 if data[at : at + 4] == b"PK\x07\x08" else 12
    return seen


def _refused(data: bytes, rule: str) -> None:
    with pytest.raises(OfdRefused) as caught:
        read_archive(data, OfdLimits())
    assert caught.value.rule == rule


def _directory_at(data: bytes) -> int:
    return int(struct.unpack_from("<I", data, len(data) - 6)[0])


def _moved(data: bytes, by: int, at: int = 0) -> bytearray:
    """The archive whose directory counts from ``by`` bytes later, for every entry that stands at ``at`` or behind."""
    moved = bytearray(data)
    place = start = _directory_at(data)
    while moved[place : place + 4] == b"PK\x01\x02":
        names, extras, comments = struct.unpack_from("<3H", moved, place + 28)
        (offset,) = struct.unpack_from("<I", moved, place + 42)
        struct.pack_into("<I", moved, place + 42, offset + (by if offset >= at else 0))
        place += 46 + names + extras + comments
    struct.pack_into("<I", moved, len(moved) - 6, start + by)
    return moved


def _local(name: bytes, content: bytes) -> bytes:
    sizes = (zlib.crc32(content), len(content), len(content), len(name), 0)
    return struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0x800, 0, 0, 0x21, *sizes) + name + content


def _of_zipfile(write: Callable[[ZipFile], object], *, streamed: bool = False) -> bytes:
    seekable, stream = io.BytesIO(), _Unseekable()
    with ZipFile(stream if streamed else seekable, "w", ZIP_DEFLATED) as archive:
        write(archive)
    return bytes(stream.written) if streamed else seekable.getvalue()


def _all(archive: ZipFile) -> None:
    archive.mkdir("Doc_0")
    for name, content in FILES.items():
        archive.writestr(name, content)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_other_writers_make_is_taken(streamed: bool) -> None:
    data = _of_zipfile(_all, streamed=streamed)
    assert read_archive(data, OfdLimits()) == FILES
    assert {name: content for name, content in from_the_front(data).items() if not name.endswith("/")} == FILES


def test_a_page_that_only_a_reader_from_the_front_sees_is_refused() -> None:
    forged = _local(b"Doc_0/Page.xml", b"<page>another amount</page>")
    data = forged + _moved(GOOD, len(forged))
    with ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("Doc_0/Page.xml") == FILES["Doc_0/Page.xml"]
    assert next(iter(from_the_front(data).items())) == ("Doc_0/Page.xml", FILES["Doc_0/Page.xml"])  # met twice
    assert from_the_front(data[: len(forged)]) == {"Doc_0/Page.xml": b"<page>another amount</page>"}
    _refused(data, "zip")


def test_what_stands_between_entries_or_before_the_directory_is_refused() -> None:
    second = GOOD.index(b"PK\x03\x04", 4)
    for at in (second, _directory_at(GOOD)):
        filler = _local(b"hidden.xml", b"<x/>")
        data = _moved(GOOD, len(filler), at)
        _refused(bytes(data[:at]) + filler + bytes(data[at:]), "zip")


@pytest.mark.parametrize("tail", [b"\0", b"PK\x05\x06" + bytes(18), GOOD], ids=["a byte", "an end", "an archive"])
def test_what_follows_the_archive_is_refused(tail: bytes) -> None:
    if tail == GOOD:
        assert read_archive(tail, OfdLimits()) == FILES
    _refused(GOOD + tail, "zip")


def test_a_comment_that_could_hold_another_archive_is_refused() -> None:
    data = bytearray(GOOD) + b"abcd"
    struct.pack_into("<H", data, len(GOOD) - 2, 4)
    _refused(bytes(data), "zip")


LOCAL_FIELDS = [("flags", 6), ("method", 8), ("time", 10), ("checksum", 14), ("packed", 18), ("size", 22), ("name", 30)]


@pytest.mark.parametrize(("field", "place"), LOCAL_FIELDS, ids=[field for field, _ in LOCAL_FIELDS])
def test_a_local_header_that_differs_from_the_directory_is_refused(field: str, place: int) -> None:
    data = bytearray(GOOD)
    data[place] ^= 4
    _refused(bytes(data), "zip")


def _with_extra(kind: int, content: bytes = b"") -> bytes:
    def write(archive: ZipFile) -> None:
        item = ZipInfo("OFD.xml")
        item.extra = struct.pack("<2H", kind, len(content)) + content
        archive.writestr(item, b"<a/>")

    return _of_zipfile(write)


def test_times_and_owners_are_harmless_and_a_second_name_is_not() -> None:
    assert read_archive(_with_extra(0x5455, b"\x01" + bytes(4)), OfdLimits()) == {"OFD.xml": b"<a/>"}
    unicode_path = b"\x01" + struct.pack("<I", zlib.crc32(b"OFD.xml")) + b"Evil.xml"
    for kind, content in ((0x7075, unicode_path), (0x9901, bytes(7)), (0x1234, b"")):
        _refused(_with_extra(kind, content), "zip")


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (("é.xml", "e\u0301.xml"), "path"),
        (("Page.xml", "PAGE.XML"), "path"),
        (("Doc_0", "Doc_0/Page.xml"), "path"),
        (("doc_0", "Doc_0/Page.xml"), "path"),
    ],
)
def test_two_names_that_a_careless_reader_takes_for_one_are_refused(names: tuple[str, str], rule: str) -> None:
    _refused(pack({"OFD.xml": b"<a/>", **dict.fromkeys(names, b"x")}), rule)


def test_a_name_whose_encoding_is_anyones_guess_is_refused() -> None:
    name = "印章.xml".encode("gbk")
    data = pack({"12345678"[: len(name)]: b"x"}).replace(b"12345678"[: len(name)], name)
    plain = bytearray(data)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", plain, data.index(mark) + place, 0)
    _refused(bytes(plain), "path")


def test_two_entries_over_the_same_bytes_are_refused() -> None:
    data = _moved(GOOD, 0)
    second = data.index(b"PK\x01\x02", _directory_at(GOOD) + 4)
    struct.pack_into("<I", data, second + 42, 0)
    _refused(bytes(data), "zip")


def test_a_second_directory_for_readers_of_zip64_is_refused() -> None:
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1)
    data = bytearray(GOOD[:-22] + locator + GOOD[-22:])
    struct.pack_into("<I", data, len(data) - 10, len(data) - 22 - _directory_at(GOOD))
    _refused(bytes(data), "zip")


def test_a_streamed_entry_that_is_not_compressed_has_no_end() -> None:
    def write(archive: ZipFile) -> None:
        archive.writestr("OFD.xml", b"<a/>", ZIP_STORED)

    _refused(_of_zipfile(write, streamed=True), "zip")


def test_bytes_behind_the_end_of_a_deflate_stream_are_refused() -> None:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeezer.compress(b"<a/>") + squeezer.flush() + b"more"
    sizes = (zlib.crc32(b"<a/>"), len(packed), 4, 7, 0)
    shared = struct.pack("<5H3I2H", 20, 0x800, 8, 0, 0x21, *sizes)
    front = b"PK\x03\x04" + shared + b"OFD.xml" + packed
    listing = b"PK\x01\x02" + struct.pack("<H", 20) + shared + struct.pack("<3H2I", 0, 0, 0, 0, 0) + b"OFD.xml"
    _refused(front + listing + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(listing), len(front), 0), "zip")


@given(st.data())
def test_whatever_is_taken_is_seen_alike_from_both_ends(data: st.DataObject) -> None:
    """Random damage, inserts and cuts: either refused, or both kinds of readers see the same files."""
    changed = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(("flip", "insert", "cut"))):
            case "flip":
                changed[at] ^= 1 << data.draw(st.integers(0, 7))
            case "insert":
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=40))
            case _:
                del changed[at : at + data.draw(st.integers(1, 40))]
        if not changed:
            return
    try:
        taken = read_archive(bytes(changed), OfdLimits())
    except OfdRefused:
        return
    with ZipFile(io.BytesIO(bytes(changed))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == taken
    assert from_the_front(bytes(changed)) == taken
