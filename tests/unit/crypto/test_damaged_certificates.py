"""Certificates that break their rules: what of them is read all the same, named, and what is refused."""

import random
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import core

from libs.crypto.errors import CertificateNotAccepted, MalformedCertificate, UnsupportedCertificate
from libs.crypto.x509 import Certificate, DistinguishedName, Role, TrustPolicy, Validity, make_root
from libs.crypto.x509.chain import verify_chain
from libs.sub_indications import SubIndication
from tests.support import ber
from tests.support.odd_certificates import (
    EC_SM2,
    KEY,
    PROVIDER,
    SM2_SM3,
    Odd,
    agree,
    any_odd,
    extension,
    openssl,
    tlv,
)


def _damaged(choose: random.Random) -> bytes:
    """An odd certificate with a byte that is another, new or gone, somewhere before its signature."""
    encoded = bytearray(any_odd(choose).der(choose.choice([ber.shortest, ber.any_form(choose)])))
    at, way = choose.randrange(len(encoded) - 70), choose.randrange(4)
    if way == 0:
        encoded[at] ^= 1 << choose.randrange(8)
    elif way == 1:
        encoded[at] = choose.choice(b"\0\x80\xff\x05\x1f\x3f\x24\x23\x30")
    else:
        encoded[at : at + way - 2] = b"" if way == 3 else bytes((choose.randrange(256),))
    return bytes(encoded)


def test_what_openssl_reads_of_the_damaged_we_read_but_for_what_is_documented(tmp_path: Path) -> None:
    documented = re.compile("|".join(told.replace("…", ".*") for told, _ in _rows().values()))
    damaged = [_damaged(random.Random(seed)) for seed in range(250)]
    read = [each for each in damaged if openssl(each, tmp_path) is not None]
    assert len(read) > 30
    assert [each.hex() for each in read if (why := _refusal(each)) and not documented.search(why)] == []


def _refusal(encoded: bytes) -> str:
    try:
        Certificate.parse(encoded)
    except MalformedCertificate as error:
        return str(error)
    return ""


_CASES: dict[str, Odd] = {
    "no-point": Odd(key=tlv(0x30, EC_SM2, tlv(0x03, b"\0\4" + bytes(64)))),
    "no-time": Odd(start=tlv(0x17, b"garbage")),
    "unused-bits": Odd(key=tlv(0x30, EC_SM2, tlv(0x03, b"\1" + KEY.public_key.point[:-1] + b"\0"))),
    "bits-in-pieces": Odd(key=tlv(0x30, EC_SM2, tlv(0x23, tlv(0x04, b"\0" + KEY.public_key.point)))),
    "no-sequence": Odd(tail=tlv(0xA3, tlv(0x10, extension("551d0e", tlv(4, b"id"))))),
    "too-much": Odd(extensions=(extension("2a0304", bytes(17_000)),)),
    "other-algorithm": Odd(algorithm=tlv(0x30, bytes.fromhex("06082a811ccf55018376"))),
    "explicit-parameters": Odd(
        key=tlv(0x30, tlv(0x30, bytes.fromhex("06072a8648ce3d0201"), tlv(0x30, b"\2\1\1")), tlv(0x03, b"\0\4"))
    ),
}
_ROW = re.compile(r"\| ([a-z-]+) \| [^|]+ \| `([^`]+)` \| (FAILED|INDETERMINATE) \| [^|]+ \|")


def _rows() -> dict[str, tuple[str, str]]:
    text = (Path(__file__).parents[3] / "docs" / "validation.md").read_text("utf-8")
    found = text.partition("## What openssl reads and we do not")[2].splitlines()
    return {row[1]: (row[2], row[3]) for row in map(_ROW.fullmatch, found) if row}


@pytest.mark.parametrize("name", _CASES)
def test_what_openssl_reads_and_we_do_not_is_told_as_the_table_says(name: str, tmp_path: Path) -> None:
    told, outcome = _rows()[name]
    encoded = _CASES[name].der()
    assert openssl(encoded, tmp_path) is not None
    with pytest.raises(MalformedCertificate, match=told.replace("…", ".*")) as caught:
        Certificate.parse(encoded)
    assert isinstance(caught.value, UnsupportedCertificate) is (outcome == "INDETERMINATE")


def test_what_follows_a_certificate_is_no_part_of_it_and_named(tmp_path: Path) -> None:
    read = agree(Odd().der() + b"no ASN.1", tmp_path)
    assert read.tolerated == ("bytes after the certificate",)
    assert read != Certificate.parse(Odd().der())


@pytest.mark.parametrize(
    ("extensions", "inner"),
    [
        ((extension("551d13", b"no sequence"),), None),
        ((extension("551d0e", tlv(4, b"a")), extension("551d0e", tlv(4, b"a"))), None),
        ((extension("551d13", tlv(0x30, b"\x02\x01\x01")),), None),
        ((extension("551d0f", tlv(0x03, b"\x09\xff")),), None),
        ((), tlv(0x30, SM2_SM3, b"\x05\0")),
    ],
)
def test_what_is_read_in_spite_of_a_fault_entitles_to_nothing(
    extensions: tuple[bytes, ...], inner: bytes | None, tmp_path: Path
) -> None:
    """Read, so that the report can name it; but no chain with it holds."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    root = make_root(KEY, DistinguishedName("测试"), Validity.days(start, 9000))
    purposes = extension("551d25", tlv(0x30, core.ObjectIdentifier(Role.SEAL_MAKER.value).dump()))
    good = Odd(issuer=root.subject_der, extensions=(purposes,))
    policy = TrustPolicy((root,), require_crl=False)
    at = datetime(2026, 6, 1, tzinfo=UTC)
    verify_chain(agree(good.der(), tmp_path), (), at, policy, PROVIDER, Role.SEAL_MAKER)
    bad = Odd(issuer=root.subject_der, extensions=(purposes, *extensions), inner=inner)
    with pytest.raises(CertificateNotAccepted) as caught:
        verify_chain(agree(bad.der(), tmp_path), (), at, policy, PROVIDER, Role.SEAL_MAKER)
    assert caught.value.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE


def test_another_algorithm_is_unsupported_and_not_broken(tmp_path: Path) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    for kind in (curve, ["-newkey", "rsa:2048"]):
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                *kind,
                "-nodes",
                "-keyout",
                "k",
                "-subj",
                "/CN=x",
                "-outform",
                "DER",
                "-out",
                "c",
            ],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        with pytest.raises(UnsupportedCertificate):
            Certificate.parse((tmp_path / "c").read_bytes())
    for broken in (b"", b"\x30\0", Odd().der()[:-1], Odd(start=tlv(0x17, b"garbage")).der()):
        with pytest.raises(MalformedCertificate) as caught:
            Certificate.parse(broken)
        assert not isinstance(caught.value, UnsupportedCertificate)
