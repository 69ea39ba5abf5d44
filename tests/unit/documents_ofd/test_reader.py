"""The OFD reader: tolerant of what real files do, strict with what could do harm."""

import struct
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from libs.documents.ofd import OFD_NAMESPACE, OfdLimits, OfdRefused, open_ofd, texts
from libs.documents.ofd.container import pack
from libs.errors import InvalidArgument

_NS = f'xmlns:ofd="{OFD_NAMESPACE}"'
ENTRY = (
    f'<ofd:OFD {_NS}><ofd:DocBody><ofd:DocInfo><ofd:CustomDatas><ofd:CustomData Name="ZZMC">证</ofd:CustomData>'
    '<ofd:CuslomData name="ZZBH">7</ofd:CuslomData></ofd:CustomDatas></ofd:DocInfo>'
    "<ofd:DocRoot>/Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>"
).encode()
DOCUMENT = f'<ofd:Document {_NS}><ofd:Page ID="9" BaseLoc="PAGES/P0.xml"/></ofd:Document>'.encode()
GOOD = {"OFD.xml": ENTRY, "Doc_0/Document.xml": DOCUMENT, "Doc_0/Pages/P0.xml": b"<p/>"}


def _refused(data: bytes, rule: str, limits: OfdLimits | None = None) -> None:
    with pytest.raises(InvalidArgument) as caught:
        open_ofd(data, limits or OfdLimits())
    assert caught.value.reason == "FIELD_INVALID"
    assert caught.value.violations[0].rule == f"ofd.{rule}"


def _zip(name: str, content: bytes = b"x", method: int = ZIP_DEFLATED) -> bytes:
    target = BytesIO()
    with ZipFile(target, "w", method) as archive:
        archive.writestr("OFD.xml", ENTRY)
        item = ZipInfo(name)
        item.compress_type = method
        archive.writestr(item, content)
    return target.getvalue()


def test_reads_metadata_in_both_spellings_and_pages_whatever_their_case() -> None:
    package = open_ofd(pack(GOOD))
    assert package.custom_data() == {"ZZMC": "证", "ZZBH": "7"}
    assert package.document_path == "Doc_0/Document.xml"
    assert package.pages() == {"9": "Doc_0/Pages/P0.xml"}
    assert package.read("/doc_0/DOCUMENT.xml") == DOCUMENT
    assert package.find("../Nothing.xml", "Doc_0/Document.xml") is None


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:/x", "a\\x", "a//x", "./x"])
def test_path_that_leaves_the_package_is_refused(name: str) -> None:
    _refused(_zip(name), "path")


@pytest.mark.parametrize("name", ["a\nb", "a\x7fb", "x" * 600])
def test_a_name_that_could_fool_its_reader_is_refused(name: str) -> None:
    _refused(_zip(name), "path")


def test_a_link_is_refused() -> None:
    target = BytesIO()
    with ZipFile(target, "w") as archive:
        archive.writestr("OFD.xml", ENTRY)
        item = ZipInfo("link")
        item.external_attr = 0o120777 << 16
        archive.writestr(item, b"/etc/passwd")
    _refused(target.getvalue(), "path")


def test_documents_are_named_in_their_order_with_what_says_so() -> None:
    ((body, path),) = open_ofd(pack(GOOD)).documents()
    assert path == "Doc_0/Document.xml"
    assert texts(body, "ofd:DocRoot") == ["/Doc_0/Document.xml"]
    for entry in (b"", b"<ofd:DocBody><ofd:DocRoot>nowhere</ofd:DocRoot></ofd:DocBody>"):
        package = open_ofd(pack({"OFD.xml": b"<ofd:OFD " + _NS.encode() + b">" + entry + b"</ofd:OFD>"}))
        with pytest.raises(OfdRefused) as caught:
            package.documents()
        assert caught.value.rule == "entry"


def test_names_that_differ_only_in_case_are_refused() -> None:
    _refused(pack({**GOOD, "ofd.XML": ENTRY}), "path")


def test_limits() -> None:
    _refused(pack(GOOD), "limits", OfdLimits(entries=2))
    _refused(pack(GOOD), "limits", OfdLimits(total_bytes=100))
    _refused(pack({**GOOD, "bomb": bytes(1 << 20)}), "limits")
    assert open_ofd(pack({**GOOD, "small": bytes(60 << 10)})).entries["small"] == bytes(60 << 10)


def test_false_size_is_refused() -> None:
    data = pack({**GOOD, "last": b"0123456789" * 10})
    real, lie = struct.pack("<I", 100), struct.pack("<I", 90)
    end = data.rindex(b"last") - 46
    _refused(data[:end] + data[end:].replace(real, lie, 1), "zip")


def test_no_zip_and_broken_zip_are_refused() -> None:
    _refused(b"", "zip")
    _refused(b"%PDF-1.7", "zip")
    data = bytearray(pack(GOOD))
    data[60] ^= 0xFF
    _refused(bytes(data), "zip")


def test_unusual_method_and_encryption_are_refused() -> None:
    _refused(_zip("x", method=ZIP_BZIP2), "zip")
    data = bytearray(_zip("x"))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    _refused(bytes(data), "encrypted")


@pytest.mark.parametrize(
    "xml",
    [
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>",
        b"",
        b"\xff\xfe\x00",
    ],
)
def test_hostile_or_broken_xml_is_refused(xml: bytes) -> None:
    _refused(pack({**GOOD, "OFD.xml": xml}), "xml")


def test_missing_parts_are_refused() -> None:
    _refused(pack({"other": b"1"}), "entry")
    _refused(pack({**GOOD, "OFD.xml": b"<other/>"}), "xml")
    package = open_ofd(pack({"OFD.xml": ENTRY}))
    with pytest.raises(InvalidArgument, match="DocRoot leads nowhere"):
        package.pages()
    with pytest.raises(InvalidArgument, match="lacks a page"):
        open_ofd(pack({name: GOOD[name] for name in ("OFD.xml", "Doc_0/Document.xml")})).pages()
