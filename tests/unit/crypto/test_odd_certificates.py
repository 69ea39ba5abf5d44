"""Certificates as others make them: what the openssl command reads we read, and to the same meaning."""

import random
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import core

from libs.crypto.errors import CertificateNotAccepted
from libs.crypto.x509 import Certificate, Role, TrustPolicy
from libs.crypto.x509.chain import verify_chain
from libs.sub_indications import SubIndication
from tests.support import ber
from tests.support.odd_certificates import (
    EC_SM2,
    KEY,
    OTHERS,
    POINTS,
    PROVIDER,
    SERIALS,
    STRINGS,
    TIMES,
    Odd,
    agree,
    any_odd,
    extension,
    name,
    openssl,
    tlv,
)


@pytest.mark.parametrize("kind", STRINGS)
def test_strings(kind: str, tmp_path: Path) -> None:
    tag, value = STRINGS[kind]
    read = agree(Odd(subject=name(tag, value), issuer=name(tag, value)).der(), tmp_path)
    assert read.subject.startswith("CN=")
    assert read.subject.isprintable()
    if "utf-8" in kind or kind in ("bmp", "universal", "utf8"):
        assert "王" in read.subject


def test_a_value_can_not_pass_for_a_part_of_the_name(tmp_path: Path) -> None:
    read = agree(Odd(subject=name(0x0C, b"a, CN=b")).der(), tmp_path)
    assert read.subject == "CN=a\\, CN\\=b"
    assert agree(Odd(subject=name(0x0C, b"a\0b")).der(), tmp_path).subject == "CN=a\\00b"


@pytest.mark.parametrize("kind", TIMES)
def test_times(kind: str, tmp_path: Path) -> None:
    tag, value = TIMES[kind]
    read = agree(Odd(start=tlv(tag, value)).der(), tmp_path)
    year = {"utc of last century": 1950, "generalized after 2050": 2060}.get(kind, 2026)
    assert (read.not_before.year, read.not_before.month, read.not_before.tzinfo) == (year, 3, UTC)


@pytest.mark.parametrize("kind", SERIALS)
def test_serial_numbers(kind: str, tmp_path: Path) -> None:
    agree(Odd(serial=SERIALS[kind]).der(), tmp_path)


@pytest.mark.parametrize("kind", POINTS)
def test_points(kind: str, tmp_path: Path) -> None:
    read = agree(Odd(key=tlv(0x30, EC_SM2, tlv(0x03, b"\0" + POINTS[kind]))).der(), tmp_path)
    assert read.public_key == KEY.public_key


@pytest.mark.parametrize("kind", OTHERS)
def test_the_rest(kind: str, tmp_path: Path) -> None:
    agree(Odd(**OTHERS[kind]).der(), tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_all_at_once(seed: int, tmp_path: Path) -> None:
    agree(any_odd(random.Random(seed)).der(), tmp_path)


FORMS: dict[str, ber.Forms] = {
    "lengths with zeros": lambda tag, content: ber.longer(tag, content, 2),
    "indefinite lengths": ber.endless,
    "strings in pieces": lambda tag, content: (
        ber.in_pieces(tag, content[:3], content[3:]) if tag in (0x0C, 0x17, 0x04) else ber.shortest(tag, content)
    ),
    "a bit string in one piece": lambda tag, content: (
        ber.in_pieces(tag, content) if tag == 0x03 else ber.shortest(tag, content)
    ),
}


@pytest.mark.parametrize("kind", FORMS)
def test_what_is_not_encoded_as_der_is_read_and_named(kind: str, tmp_path: Path) -> None:
    identifier = extension("551d0e", tlv(4, b"an identifier"))
    read = agree(Odd(extensions=(identifier,)).der(FORMS[kind]), tmp_path)
    assert (read.subject, read.key_identifier) == ("CN=某人", b"an identifier")
    assert read.tolerated
    assert not read.faults
    assert not Certificate.parse(Odd(extensions=(identifier,)).der()).tolerated


def test_any_form_of_any_odd_certificate(tmp_path: Path) -> None:
    """The same is read from any form; openssl refuses some that X.690 allows."""
    compared = 0
    for seed in range(60):
        choose = random.Random(seed)
        odd = any_odd(choose)
        encoded, plain = odd.der(ber.any_form(choose)), Certificate.parse(odd.der())
        read = Certificate.parse(encoded)
        if openssl(encoded, tmp_path) is not None:
            agree(encoded, tmp_path)
            compared += 1
        for attribute in ("subject", "issuer", "serial_number", "not_before", "public_key", "is_ca", "faults"):
            assert getattr(read, attribute) == getattr(plain, attribute), seed
        PROVIDER.sm2_verify(read.public_key, read.tbs, read.signature)
    assert compared > 50


@pytest.mark.parametrize(
    ("issuer", "good"),
    [
        (name(0x13, b"Test CA"), True),
        (name(0x0C, b"test  ca "), True),
        (name(0x1E, "TEST CA".encode("utf-16-be")), True),
        (name(0x0C, b"Test CB"), False),
        (name(0x0C, b"Test CA", "55040a"), False),
        (tlv(0x30), False),
    ],
)
def test_an_issuer_is_found_by_its_name_however_that_is_written(issuer: bytes, good: bool, tmp_path: Path) -> None:
    """As ``openssl verify`` finds it, whose word for it is compared."""
    constraints = extension("551d13", tlv(0x30, b"\x01\x01\xff"), b"\x01\x01\xff")
    purposes = extension("551d25", tlv(0x30, core.ObjectIdentifier(Role.SEAL_MAKER.value).dump()))
    subject = name(0x0C, b"Test CA")
    root = Odd(issuer=subject, subject=subject, extensions=(constraints,)).der()
    leaf = Odd(issuer=issuer, extensions=(purposes,)).der()
    for file, der in (("root", root), ("leaf", leaf)):
        (tmp_path / f"{file}.pem").write_bytes(Certificate.parse(der).pem)
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-attime",
            "1780000000",
            "-vfyopt",
            "distid:1234567812345678",
            "-partial_chain",
            "-trusted",
            "root.pem",
            "leaf.pem",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is good, done.stderr
    policy = TrustPolicy((Certificate.parse(root),), require_crl=False)
    arguments = (Certificate.parse(leaf), (), datetime(2026, 6, 1, tzinfo=UTC), policy, PROVIDER, Role.SEAL_MAKER)
    if good:
        assert len(verify_chain(*arguments)) == 2
        return
    with pytest.raises(CertificateNotAccepted) as caught:
        verify_chain(*arguments)
    assert caught.value.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
