"""A seal of somebody else's software (GB/T 38540 version 4, keys and signatures by openssl): read and verified twice."""

from datetime import UTC, datetime

import pytest
from asn1crypto import core, x509
from tongsuopy.crypto import hashes
from tongsuopy.crypto.asymciphers import ec

from libs.crypto.tongsuo import default_provider
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy
from libs.sub_indications import SubIndication
from services.seal.core.ses import ParsedSeal, parse_seal
from services.seal.core.ses.structures import SESeal
from services.seal.validation.documents import validate_seal
from services.seal.validation.rules import Conclusion, StepOutcome
from services.seal.validation.steps import Checks
from services.seal.validation.trust import CertificateTrust
from tests.support.foreign_seal import MADE, Parties, parties, seal_v4
from tests.support.seals import Records


@pytest.fixture(scope="module")
def who(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return parties(tmp_path_factory.mktemp("maker"))


@pytest.fixture(scope="module")
def raw(who: Parties) -> bytes:
    return seal_v4(who)


@pytest.fixture(scope="module")
def seal(raw: bytes) -> ParsedSeal:
    return parse_seal(raw)


def checks(now: datetime) -> Checks:
    """What a validator knows who trusts nobody, and has the seal on its list."""
    trust = CertificateTrust(TrustPolicy(()), default_provider())
    return Checks(trust.verify, trust.chain, Records(), now)


def test_it_is_read(raw: bytes, seal: ParsedSeal) -> None:
    assert (seal.version, seal.vendor, seal.name) == (4, "SOMEBODY", "某某测试专用章")
    assert (seal.seal_type, seal.picture_type, seal.width_mm, seal.height_mm) == (3, "PNG", 40, 40)
    assert seal.picture.startswith(b"\x89PNG")
    assert seal.create_time == MADE
    assert SESeal.load(raw, strict=True).dump(force=True) == raw


def test_tongsuo_verifies_the_maker_over_the_info_alone(seal: ParsedSeal) -> None:
    point = x509.Certificate.load(seal.maker_certificate).public_key["public_key"].native
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SM2(), point)
    key.verify(seal.signature, seal.info_raw, ec.ECDSA(hashes.SM3()))


def test_openssl_verifies_the_maker_over_the_info_alone(who: Parties, seal: ParsedSeal) -> None:
    assert who.maker_key.verifies(seal.info_raw, seal.signature)
    assert not who.maker_key.verifies(seal.info_raw[:-1], seal.signature)


def test_the_report_is_indeterminate_in_its_time_and_invalid_after_it(raw: bytes) -> None:
    report = validate_seal(raw, checks(datetime(2021, 1, 1, tzinfo=UTC)))
    assert report.verdict.conclusion is Conclusion.INDETERMINATE
    assert report.verdict.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    outcomes = {step.name: step.finding.outcome for step in report.steps}
    assert outcomes["seal.maker_signature"] is StepOutcome.PASSED
    report = validate_seal(raw, checks(datetime(2026, 1, 1, tzinfo=UTC)))
    assert (report.verdict.conclusion, report.verdict.sub_indication) == (
        Conclusion.TOTAL_FAILED,
        SubIndication.EXPIRED,
    )


def test_a_flipped_byte_of_the_picture_breaks_it(raw: bytes, seal: ParsedSeal) -> None:
    place = raw.index(seal.picture) + 1000
    changed = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
    report = validate_seal(changed, checks(datetime(2021, 1, 1, tzinfo=UTC)))
    assert report.verdict.sub_indication is SubIndication.SIG_CRYPTO_FAILURE


def test_both_certificates_are_read(seal: ParsedSeal) -> None:
    for certificate in (seal.maker_certificate, *seal.certificates):
        assert Certificate.parse(certificate).not_before.year == 2020
    assert core.ObjectIdentifier(seal.algorithm).dotted == "1.2.156.10197.1.501"
