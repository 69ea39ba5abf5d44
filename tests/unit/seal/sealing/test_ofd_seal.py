"""A seal on an OFD document, in two halves around the key."""

import base64
import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from libs.documents.ofd import NAMESPACES, open_ofd, texts
from libs.documents.ofd.reader import parse_xml
from libs.errors import FailedPrecondition, InvalidArgument
from services.seal.core.ses import parse_signature
from services.seal.sealing.ofd import Placement, finish, prepare
from tests.support.seals import T1, SealKit, ofd_document, ofd_files, rewritten

PLACE = [Placement(1, 150, 240)]


def test_preparing_is_pure_and_fixes_what_is_signed(kit: SealKit) -> None:
    one = prepare(ofd_document(), kit.seal, kit.signer.certificate.der, PLACE, T1 + timedelta(microseconds=5))
    two = prepare(ofd_document(), kit.seal, kit.signer.certificate.der, PLACE, T1)
    assert one == two
    signature = parse_signature(value_of(finish(one, b"v")))
    assert signature.tbs_raw == one.tbs
    assert (signature.time, signature.data_hash, signature.property_info) == (T1, one.data_hash, one.property_info)
    assert signature.certificate == kit.signer.certificate.der


def value_of(document: bytes) -> bytes:
    return open_ofd(document).entries["Doc_0/Signs/Sign_1/SignedValue.dat"]


def test_the_package_holds_what_the_standard_asks_for(kit: SealKit) -> None:
    files = open_ofd(kit.sealed(ofd_document())).entries
    assert texts(parse_xml(files["OFD.xml"]), "ofd:DocBody/ofd:Signatures") == ["Doc_0/Signs/Signatures.xml"]
    listing = parse_xml(files["Doc_0/Signs/Signatures.xml"])
    assert texts(listing, "ofd:MaxSignId") == ["1"]
    entry = listing.find("ofd:Signature", NAMESPACES)
    assert dict(entry.attrib) == {"ID": "1", "Type": "Seal", "BaseLoc": "/Doc_0/Signs/Sign_1/Signature.xml"}
    assert files["Doc_0/Signs/Sign_1/Seal.esl"] == kit.seal


def test_signature_xml_refers_to_every_file_and_shows_the_seal(kit: SealKit) -> None:
    files = open_ofd(kit.sealed(ofd_document())).entries
    root = parse_xml(files["Doc_0/Signs/Sign_1/Signature.xml"])
    assert texts(root, "ofd:SignedInfo/ofd:SignatureMethod") == ["1.2.156.10197.1.501"]
    assert texts(root, "ofd:SignedInfo/ofd:SignatureDateTime") == ["20260312010000Z"]
    assert texts(root, "ofd:SignedValue") == ["/Doc_0/Signs/Sign_1/SignedValue.dat"]
    references = {
        node.get("FileRef"): texts(node, "ofd:CheckValue")[0] for node in root.iterfind(".//ofd:Reference", NAMESPACES)
    }
    assert set(references) == {f"/{name}" for name in [*ofd_files(), "Doc_0/Signs/Sign_1/Seal.esl"]}
    for path, value in references.items():
        assert base64.b64decode(value) == hashlib.new("sm3", files[path[1:]]).digest()
    stamp = root.find(".//ofd:StampAnnot", NAMESPACES)
    assert dict(stamp.attrib) == {"ID": "1", "PageRef": "10", "Boundary": "129 219 42 42"}


def test_openssl_alone_verifies_the_signature_value(kit: SealKit, tmp_path: Path) -> None:
    signature = parse_signature(value_of(kit.sealed(ofd_document())))
    (tmp_path / "key.pem").write_bytes(kit.signer.certificate.public_key.pem)
    (tmp_path / "tbs").write_bytes(signature.tbs_raw)
    (tmp_path / "sig").write_bytes(signature.signature)
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in tbs -sigfile sig -digest sm3"
    command += " -pkeyopt distid:1234567812345678"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Signature Verified Successfully" in done.stdout) == (0, True), done.stderr


def test_a_second_seal_leaves_the_first_as_it_is(kit: SealKit) -> None:
    first = kit.sealed(ofd_document())
    before, after = open_ofd(first).entries, open_ofd(kit.sealed(first)).entries
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"Doc_0/Signs/Signatures.xml"}
    assert set(after) - set(before) == {
        f"Doc_0/Signs/Sign_2/{name}" for name in ("Seal.esl", "Signature.xml", "SignedValue.dat")
    }


def test_a_document_locked_by_a_signature_takes_no_further_seal(kit: SealKit) -> None:
    def lock(files: dict[str, bytes]) -> None:
        name = "Doc_0/Signs/Sign_1/Signature.xml"
        files[name] = files[name].replace(b"/Doc_0/Document.xml", b"/Doc_0/Signs/Signatures.xml")

    with pytest.raises(FailedPrecondition) as caught:
        kit.sealed(rewritten(kit.sealed(ofd_document()), lock))
    assert caught.value.reason == "SEAL_DOCUMENT_LOCKED"
    assert caught.value.metadata["signature"] == "Doc_0/Signs/Sign_1/Signature.xml"


@pytest.mark.parametrize(
    "placement",
    [
        Placement(3, 100, 100),
        Placement(0, 100, 100),
        Placement(1, 20.9, 100),
        Placement(1, 100, 276.1),
        Placement(2, 140, 100),
        Placement(1, float("nan"), 100),
    ],
)
def test_a_seal_lies_on_its_page_as_a_whole(kit: SealKit, placement: Placement) -> None:
    with pytest.raises(InvalidArgument) as caught:
        prepare(ofd_document(), kit.seal, kit.signer.certificate.der, [placement], T1)
    assert (caught.value.reason, caught.value.metadata["page"]) == ("SEAL_PLACEMENT_INVALID", str(placement.page))


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("OFD.xml", b"<!DOCTYPE a><a/>", "xml"),
        ("Doc_0/Document.xml", b"<a", "xml"),
        ("Doc_0/Pages/Page_0/Content.xml", None, "page_missing"),
        ("Doc_0/Signs/Sign_1/Signature.xml", b"", "signature_folder_taken"),
    ],
)
def test_what_is_no_sound_package_is_refused(kit: SealKit, name: str, content: bytes | None, rule: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        files.pop(name, None)
        if content is not None:
            files[name] = content

    with pytest.raises(InvalidArgument) as caught:
        kit.sealed(rewritten(ofd_document(), change))
    assert (caught.value.reason, caught.value.metadata["rule"]) == ("SEAL_DOCUMENT_INVALID", rule)


def test_numbers_go_on_from_the_highest_that_was_used(kit: SealKit) -> None:
    def renumber(files: dict[str, bytes]) -> None:
        name = "Doc_0/Signs/Signatures.xml"
        files[name] = files[name].replace(b'ID="1"', b'ID="s007"')

    files = open_ofd(kit.sealed(rewritten(kit.sealed(ofd_document()), renumber))).entries
    assert "Doc_0/Signs/Sign_8/Signature.xml" in files
