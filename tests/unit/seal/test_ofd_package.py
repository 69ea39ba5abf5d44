"""OFD packages from anyone: what leaves the package, bombs, or brings entities is refused."""

import io
import zipfile

import pytest

from services.seal import ofd_package
from services.seal.ofd_package import Package, PackageError
from tests.support.seals import T0, ofd_document, ofd_files


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


def test_a_package_comes_back_as_it_was_written() -> None:
    data = ofd_document()
    assert dict(ofd_package.read(data).files) == ofd_files()
    assert ofd_package.write(ofd_files(), T0) == data


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "zip_unreadable"),
        (b"PK\x03\x04 not really", "zip_unreadable"),
        (ofd_document()[:-40], "zip_unreadable"),
        (packed(("../evil", b"")), "name_leaves_package"),
        (packed(("Doc_0/../../evil", b"")), "name_leaves_package"),
        (packed(("Doc_0/./x", b"")), "name_leaves_package"),
        (packed(("//evil", b"")), "name_leaves_package"),
        (packed(("..\\evil", b"")), "name_leaves_package"),
        (packed(("C:/evil", b"")), "name_leaves_package"),
        (packed(("a\nb", b"")), "name_malformed"),
        (packed(("x" * 600, b"")), "name_malformed"),
        (packed(("/OFD.xml", b"1"), ("OFD.xml", b"2")), "name_twice"),
        (packed((link("OFD.xml"), b"/etc/passwd")), "entry_not_plain"),
        (packed(*((f"f{n}", b"") for n in range(2001))), "too_many_entries"),
        (packed(("bomb", bytes((16 << 20) + 1))), "too_large"),
        (packed(*((f"bomb{n}", bytes(15 << 20)) for n in range(3))), "too_large"),
    ],
)
def test_hostile_archives_are_refused(data: bytes, rule: str) -> None:
    with pytest.raises(PackageError) as caught:
        ofd_package.read(data)
    assert caught.value.rule == rule


def test_an_encrypted_entry_is_refused() -> None:
    data = bytearray(packed(("OFD.xml", b"text")))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(PackageError) as caught:
        ofd_package.read(bytes(data))
    assert caught.value.rule == "entry_not_plain"


def test_a_size_that_lies_is_not_believed() -> None:
    data = packed(("OFD.xml", b"x" * 1000))
    place = data.index(b"PK\x01\x02") + 24
    with pytest.raises(PackageError):
        ofd_package.read(data[:place] + (10).to_bytes(4, "little") + data[place + 4 :])


@pytest.mark.parametrize(
    ("xml", "rule"),
    [
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>', "xml_doctype"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', "xml_doctype"),
        (b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>', "xml_doctype"),
        (b"<a>&undeclared;</a>", "xml_unreadable"),
        (b"<a>", "xml_unreadable"),
        (b"", "xml_unreadable"),
        (b"<a>" * 400 + b"</a>" * 400, "xml_unreadable"),
    ],
)
def test_hostile_xml_is_refused(xml: bytes, rule: str) -> None:
    with pytest.raises(PackageError) as caught:
        ofd_package.parse_xml(xml, "x")
    assert caught.value.rule == rule


def test_paths_are_found_whatever_their_case_unless_two_files_answer() -> None:
    package = Package({"Doc_0/Tpls/a.xml": b"", "Doc_0/b.xml": b"1", "Doc_0/B.xml": b"2"})
    assert package.find("/Doc_0/TPLS/a.xml") == "Doc_0/Tpls/a.xml"
    assert package.find("TPLS/a.xml", "Doc_0") == "Doc_0/Tpls/a.xml"
    assert package.find("../Doc_0/b.xml", "Doc_0") == "Doc_0/b.xml"
    assert package.find("/doc_0/b.xml") is None
    assert package.find("../../etc/passwd", "Doc_0") is None


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"OFD.xml": b"<x/>"},
        {"OFD.xml": ofd_files()["OFD.xml"]},
    ],
)
def test_a_package_without_a_document_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(PackageError):
        ofd_package.document_roots(Package(files))
