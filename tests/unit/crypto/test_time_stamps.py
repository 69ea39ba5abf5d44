"""Time stamps (RFC 3161) with SM2 and SM3: what is believed, and what is not."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from libs.crypto.errors import CertificateNotAccepted, CryptoError, InvalidSignature
from libs.crypto.x509 import Profile, TimeStampNotAccepted, TrustPolicy, verify_time_stamp
from libs.sub_indications import SubIndication
from tests.support import ber
from tests.support.seals import T0, T1, SealKit, make_kit
from tests.support.stamps import Stamper, genuine

VALUE, NOW = b"a signature value", T1 + timedelta(days=3)


@pytest.fixture(scope="module")
def kit() -> SealKit:
    return make_kit()


def verify(kit: SealKit, token: bytes, value: bytes = VALUE, now: datetime = NOW) -> datetime:
    return verify_time_stamp(token, value, now, TrustPolicy((kit.root.certificate,), require_crl=False), kit.provider)


@pytest.mark.parametrize("key_identifier", [False, True])
def test_a_time_stamp_proves_its_time(kit: SealKit, key_identifier: bool) -> None:
    token = replace(Stamper.of(kit), key_identifier=key_identifier).stamp(VALUE, T1)
    assert verify(kit, token) == T1
    assert genuine(token)[1] == T1


WRONG: list[tuple[str, Callable[[SealKit], bytes]]] = [
    ("of other bytes", lambda kit: Stamper.of(kit).stamp(b"another", T1)),
    ("signed by another key", lambda kit: replace(Stamper.of(kit), by=kit.stranger).stamp(VALUE, T1)),
    ("whose attributes are of other bytes", lambda kit: replace(Stamper.of(kit), digest=bytes(32)).stamp(VALUE, T1)),
    ("of another content", lambda kit: replace(Stamper.of(kit), content_type="1.2.840.113549.1.7.1").stamp(VALUE, T1)),
    ("without its certificate", lambda kit: replace(Stamper.of(kit), certificates=False).stamp(VALUE, T1)),
    ("by a seal's signer", lambda kit: Stamper.of(kit, Profile.SIGNER).stamp(VALUE, T1)),
    ("by a log", lambda kit: Stamper.of(kit, Profile.LOG).stamp(VALUE, T1)),
    ("by nobody known", lambda kit: Stamper.of(make_kit()).stamp(VALUE, T1)),
    ("from before its authority began", lambda kit: Stamper.of(kit).stamp(VALUE, T0 - timedelta(days=2))),
    ("that is none", lambda _: b"no time stamp"),
    ("that is empty", lambda _: b""),
]


@pytest.mark.parametrize("make", [make for _, make in WRONG], ids=[name for name, _ in WRONG])
def test_a_time_stamp_that_does_not_hold_proves_nothing(kit: SealKit, make: Callable[[SealKit], bytes]) -> None:
    with pytest.raises((TimeStampNotAccepted, CertificateNotAccepted, InvalidSignature)):
        verify(kit, make(kit))


def test_an_authority_that_has_run_out_proves_nothing_any_more(kit: SealKit) -> None:
    stamper = Stamper.of(kit)
    late = stamper.party.certificate.not_after + timedelta(days=1)
    with pytest.raises(CertificateNotAccepted) as caught:
        verify(kit, stamper.stamp(VALUE, T1), now=late)
    assert caught.value.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE


@pytest.mark.parametrize("key_identifier", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_token_is_cms_and_may_be_ber(kit: SealKit, seed: int, key_identifier: bool) -> None:
    """What is signed are the attributes in DER, in whatever form they come (RFC 5652, 5.4)."""
    stamper = replace(Stamper.of(kit), key_identifier=key_identifier)
    token, signed = stamper.stamp(VALUE, T1), stamper.party.certificate.tbs
    assert verify(kit, ber.anew(token, ber.any_form(random.Random(seed)), signed)) == T1
    assert verify(kit, ber.anew(token, ber.endless, signed)) == T1


def test_attributes_signed_in_the_order_of_der_may_come_in_another(kit: SealKit) -> None:
    token = replace(Stamper.of(kit), signed_in_order=True).stamp(VALUE, T1)
    assert verify(kit, token) == T1


def test_no_changed_byte_goes_through(kit: SealKit) -> None:
    token = Stamper.of(kit).stamp(VALUE, T1)
    for place in range(0, len(token), 7):
        changed = token[:place] + bytes((token[place] ^ 0x10,)) + token[place + 1 :]
        try:
            at = verify(kit, changed)
        except CryptoError:
            continue
        # What is not signed may change (versions, a digest list); what is proven may not.
        assert at == T1
