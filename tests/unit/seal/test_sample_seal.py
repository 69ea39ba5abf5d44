"""The published sample seal (GB/T 38540 version 4, made by ofdrw): read, and its maker's signature verified twice."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import core, x509
from tongsuopy.crypto import hashes
from tongsuopy.crypto.asymciphers import ec

from libs.crypto.sm2 import Sm2PublicKey
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy
from services.seal.domain.validation import Conclusion, Outcome, SubIndication
from services.seal.ses import ParsedSeal, parse_seal
from services.seal.ses.structures import SESeal
from services.seal.ses_steps import Checks
from services.seal.trust import Trust
from services.seal.validation import validate_seal
from tests.support.seals import SAMPLES, seal_in_force


@pytest.fixture(scope="module")
def raw() -> bytes:
    return (SAMPLES / "seal-v4.esl").read_bytes()


@pytest.fixture(scope="module")
def seal(raw: bytes) -> ParsedSeal:
    return parse_seal(raw)


def test_the_sample_is_read(raw: bytes, seal: ParsedSeal) -> None:
    assert (seal.version, seal.vendor, seal.name) == (4, "OFDR&WTest", "OFD R&W 测试用印章")
    assert (seal.seal_type, seal.picture_type, seal.width_mm, seal.height_mm) == (3, "PNG", 40, 40)
    assert seal.picture.startswith(b"\x89PNG")
    assert seal.create_time == datetime(2020, 4, 22, 2, 9, tzinfo=UTC)
    assert SESeal.load(raw, strict=True).dump(force=True) == raw


def test_tongsuo_verifies_the_maker_over_the_info_alone(seal: ParsedSeal) -> None:
    point = x509.Certificate.load(seal.maker_certificate).public_key["public_key"].native
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SM2(), point)
    key.verify(seal.signature, seal.info_raw, ec.ECDSA(hashes.SM3()))


def test_openssl_verifies_the_maker_over_the_info_alone(seal: ParsedSeal, tmp_path: Path) -> None:
    spki = x509.Certificate.load(seal.maker_certificate).public_key.dump()
    for name, content in (("key.pem", Sm2PublicKey.from_spki(spki).pem), ("info", seal.info_raw)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "sig").write_bytes(seal.signature)
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in info -sigfile sig -digest sm3"
    command += " -pkeyopt distid:1234567812345678"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Signature Verified Successfully" in done.stdout) == (0, True), done.stderr


def test_the_report_on_the_sample_is_indeterminate_in_its_time_and_invalid_after_it(raw: bytes) -> None:
    trust = Trust(TrustPolicy(()), default_provider())
    in_time = Checks(trust.verify, trust.chain, seal_in_force, datetime(2021, 1, 1, tzinfo=UTC))
    report = validate_seal(raw, in_time)
    assert report.verdict.conclusion is Conclusion.INDETERMINATE
    assert report.verdict.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    outcomes = {step.name: step.finding.outcome for step in report.steps}
    assert outcomes["seal.maker_signature"] is Outcome.PASSED
    later = Checks(trust.verify, trust.chain, seal_in_force, datetime(2026, 1, 1, tzinfo=UTC))
    report = validate_seal(raw, later)
    assert (report.verdict.conclusion, report.verdict.sub_indication) == (Conclusion.INVALID, SubIndication.EXPIRED)


def test_a_flipped_byte_of_the_picture_breaks_the_sample(raw: bytes, seal: ParsedSeal) -> None:
    place = raw.index(seal.picture) + 1000
    trust = Trust(TrustPolicy(()), default_provider())
    checks = Checks(trust.verify, trust.chain, seal_in_force, datetime(2021, 1, 1, tzinfo=UTC))
    report = validate_seal(raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :], checks)
    assert report.verdict.sub_indication is SubIndication.SIG_CRYPTO_FAILURE


def test_both_sample_certificates_are_read(seal: ParsedSeal) -> None:
    for certificate in (seal.maker_certificate, *seal.certificates):
        assert Certificate.parse(certificate).not_before.year == 2020
    assert core.ObjectIdentifier(seal.algorithm).dotted == "1.2.156.10197.1.501"
