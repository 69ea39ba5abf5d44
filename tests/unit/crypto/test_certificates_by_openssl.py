"""SM2 certificates and CRLs against OpenSSL's command line: it reads ours, and we read its."""

import subprocess
from pathlib import Path

import pytest

from libs.crypto.errors import MalformedCertificate
from libs.crypto.x509 import (
    Certificate,
    Crl,
)
from tests.unit.crypto.conftest import NOW, PROVIDER, Pki

DISTID = "distid:1234567812345678"


def test_certificates_of_another_algorithm(tmp_path: Path) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    made = openssl(tmp_path, "req", "-x509", *curve, "-nodes", "-keyout", "key.pem", "-subj", "/CN=x")
    with pytest.raises(MalformedCertificate, match="not signed by SM2"):
        Certificate.from_pem(made.encode())


def openssl(folder: Path, *arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def folder(pki: Pki, tmp_path: Path) -> Path:
    for name, value in (("root", pki.root), ("ca", pki.ca), ("maker", pki.maker), ("crl", pki.ca_crl)):
        (tmp_path / f"{name}.pem").write_bytes(value.pem)
    return tmp_path


def test_openssl_verifies_each_link(folder: Path) -> None:
    # `openssl verify` 3.0 gives the distinguishing identifier to the first certificate only, so link by link.
    for name, issuer in (("ca", "root"), ("maker", "ca")):
        trust = ("-x509_strict", "-partial_chain", "-trusted", f"{issuer}.pem")
        at = str(int(NOW.timestamp()))
        assert openssl(folder, "verify", "-attime", at, "-vfyopt", DISTID, *trust, f"{name}.pem") == f"{name}.pem: OK\n"


def test_openssl_reads_a_certificate(folder: Path) -> None:
    text = openssl(folder, "x509", "-in", "maker.pem", "-noout", "-text")
    for line in (
        "Signature Algorithm: SM2-with-SM3",
        "ASN1 OID: SM2",
        "CA:FALSE",
        "Digital Signature, Non Repudiation",
        "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier",
        "URI:http://crl.invalid/ca.crl",
        "Serial Number: 1234 (0x4d2)",
    ):
        assert line in text
    assert "CA:TRUE, pathlen:0" in openssl(folder, "x509", "-in", "ca.pem", "-noout", "-text")


def test_openssl_verifies_root_and_crl_signatures(pki: Pki, folder: Path) -> None:
    assert "X509v3 CRL Number" in openssl(folder, "crl", "-in", "crl.pem", "-noout", "-text")
    check_signature(folder, "crl.pem", pki.ca_crl, pki.ca)
    check_signature(folder, "root.pem", pki.root, pki.root)


def check_signature(folder: Path, name: str, signed: Certificate | Crl, issuer: Certificate) -> None:
    offset = str(signed.der.index(signed.tbs))
    openssl(folder, "asn1parse", "-in", name, "-strparse", offset, "-noout", "-out", "tbs")
    assert (folder / "tbs").read_bytes() == signed.tbs
    (folder / "signature").write_bytes(signed.signature)
    (folder / "public.pem").write_bytes(issuer.public_key.pem)
    key = ("-pubin", "-inkey", "public.pem", "-rawin", "-digest", "sm3", "-pkeyopt", DISTID)
    assert "Successfully" in openssl(folder, "pkeyutl", "-verify", *key, "-in", "tbs", "-sigfile", "signature")


def test_we_read_openssl(folder: Path) -> None:
    (folder / "k.pem").write_bytes(PROVIDER.sm2_generate().pem)
    request = "req -x509 -key k.pem -sm3 -days 9 -subj /CN=o -out o.pem"
    openssl(folder, *request.split(), "-sigopt", DISTID)
    root = Certificate.from_pem((folder / "o.pem").read_bytes())
    PROVIDER.sm2_verify(root.public_key, root.tbs, root.signature)
    assert root.is_ca
