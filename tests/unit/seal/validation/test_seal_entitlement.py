"""Issued by a trusted authority is not entitled: roles at every step, and the seal is the registered one."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from libs.crypto.provider import SoftwareSigner
from libs.crypto.x509 import Crl, DistinguishedName, Profile, RevocationReason, RevokedEntry, TrustPolicy, Validity
from libs.crypto.x509.crl import make_crl
from libs.crypto.x509.issue import issue_certificate
from libs.sub_indications import SubIndication
from services.seal.core.seal_rules import SealState
from services.seal.validation.documents import validate_document, validate_seal
from services.seal.validation.rules import Conclusion
from services.seal.validation.steps import Checks
from services.seal.validation.trust import CertificateTrust
from tests.support.seals import (
    ABROAD,
    T0,
    T1,
    Party,
    Records,
    SealKit,
    make_seal,
    ofd_document,
    seal_plan,
    stamped,
    unsound,
)
from tests.support.stamps import Stamper

NOW = T1 + timedelta(hours=1)
ROLE, NO_PROOF = SubIndication.CHAIN_CONSTRAINTS_FAILURE, SubIndication.REVOKED_NO_POE
CHAIN = "signature.certificate_chain"


def of(kit: SealKit, name: str, profile: Profile) -> Party:
    """Somebody with a genuine certificate of the region."""
    key = SoftwareSigner(kit.provider, kit.provider.sm2_generate())
    period = Validity(kit.root.certificate.not_before, kit.root.certificate.not_after)
    return Party(
        key,
        issue_certificate(
            kit.root.certificate,
            kit.root.signer,
            DistinguishedName(name),
            key.public_key,
            profile,
            period,
        ),
    )


@pytest.mark.parametrize("profile", [Profile.LOG, Profile.SIGNER, Profile.SUBORDINATE_CA])
def test_a_seal_made_with_another_certificate_of_the_region_is_none(kit: SealKit, profile: Profile) -> None:
    forger = of(kit, "审计日志 341500/license", profile)
    forged = replace(kit, seal=make_seal(forger, seal_plan(kit.signer)))
    for report in (
        validate_document(forged.sealed(ofd_document()), kit.checks()),
        validate_seal(forged.seal, kit.checks()),
    ):
        assert unsound(report) == {"seal.maker_certificate_chain": ROLE}
        assert report.verdict.conclusion is Conclusion.TOTAL_FAILED


@pytest.mark.parametrize("profile", [Profile.LOG, Profile.SEAL_MAKER, Profile.SUBORDINATE_CA])
def test_a_signature_with_another_certificate_of_the_region_is_none(kit: SealKit, profile: Profile) -> None:
    forger = of(kit, "审计日志 341500/license", profile)
    # The seal's own list does not help: the true maker would have to have put it there.
    listed = replace(kit, seal=make_seal(kit.maker, replace(seal_plan(forger), certificates=(forger.certificate.der,))))
    report = validate_document(listed.sealed(ofd_document(), by=forger), kit.checks())
    assert (unsound(report), report.verdict.conclusion) == ({CHAIN: ROLE}, Conclusion.TOTAL_FAILED)


def test_a_seal_with_a_registered_id_is_the_registered_one_byte_by_byte(kit: SealKit) -> None:
    """Whoever made it: a maker of the region, with a picture and a list of signers that differ."""
    records = Records(structure=kit.seal)
    copy = replace(kit, seal=make_seal(kit.maker, seal_plan(kit.signer)))
    assert copy.seal != kit.seal
    for seal in (copy, kit.made_by(lambda plan: replace(plan, picture=b"\x89PNG another"))):
        for report in (
            validate_document(seal.sealed(ofd_document()), kit.checks(records=records)),
            validate_seal(seal.seal, kit.checks(records=records)),
        ):
            assert unsound(report) == {"seal.registered": SubIndication.HASH_FAILURE}
            assert report.verdict.conclusion is Conclusion.TOTAL_FAILED
    assert unsound(validate_document(kit.sealed(ofd_document()), kit.checks(records=records))) == {}


def test_without_the_records_nothing_is_valid(kit: SealKit) -> None:
    report = validate_document(kit.sealed(ofd_document()), kit.checks(records=Records(reachable=False)))
    assert report.verdict.conclusion is Conclusion.INDETERMINATE
    assert unsound(report) == dict.fromkeys(
        ("seal.registered", "seal.status", "signature.existence"), SubIndication.TRY_LATER
    )


def listed(kit: SealKit, *entries: RevokedEntry) -> Crl:
    """The root's list."""
    return make_crl(kit.root.certificate, kit.root.signer, 1, T0, NOW + timedelta(days=900), entries)


def with_list(kit: SealKit, crl: Crl, records: Records, now: datetime = NOW) -> Checks:
    """What a validator knows who has that list."""
    trust = CertificateTrust(TrustPolicy((kit.root.certificate,), (crl,)), kit.provider)
    return replace(kit.checks(records=records), chain=trust.chain, now=now)


ABROAD_STATUS = {"seal.status": SubIndication.TRY_LATER}


@pytest.mark.parametrize("reason", [RevocationReason.KEY_COMPROMISE, RevocationReason.SUPERSEDED])
def test_a_signers_own_time_does_not_save_a_revoked_certificate(kit: SealKit, reason: RevocationReason) -> None:
    crl = listed(kit, RevokedEntry(kit.signer.certificate.serial_number, T1 + timedelta(minutes=30), reason))
    sealed = kit.sealed(ofd_document())
    # On record here: proven.
    assert unsound(validate_document(sealed, with_list(kit, crl, Records()))) == {}
    # Not on record: who has the key now may have written that time.
    report = validate_document(sealed, with_list(kit, crl, ABROAD))
    assert unsound(report) == ABROAD_STATUS | {CHAIN: NO_PROOF}
    assert report.verdict.conclusion is Conclusion.INDETERMINATE
    # This region's own seal, and a use that is not on record: likewise.
    unrecorded = validate_document(sealed, with_list(kit, crl, Records(recorded=False)))
    assert unsound(unrecorded) == {CHAIN: NO_PROOF, "signature.existence": SubIndication.NO_POE}
    # Stated after the revocation: nothing can mend that.
    late = kit.sealed(ofd_document(), at=T1 + timedelta(minutes=40))
    assert unsound(validate_document(late, with_list(kit, crl, Records()))) == {CHAIN: SubIndication.REVOKED}


def test_a_time_stamp_proves_the_time_too(kit: SealKit) -> None:
    crl = listed(kit, RevokedEntry(kit.signer.certificate.serial_number, T1 + timedelta(minutes=30)))
    trust = CertificateTrust(
        TrustPolicy(()), kit.provider, stamps=TrustPolicy((kit.root.certificate,), require_crl=False)
    )
    stamper = Stamper.of(kit)
    for minute, proof in ((29, True), (30, False)):
        at = T1 + timedelta(minutes=minute)
        document = stamped(kit.sealed(ofd_document()), partial(stamper.stamp, at=at))
        checks = replace(with_list(kit, crl, ABROAD), time_stamp=trust.time_stamp)
        expected = ABROAD_STATUS if proof else ABROAD_STATUS | {CHAIN: NO_PROOF}
        assert unsound(validate_document(document, checks)) == expected


def test_the_date_of_the_compromise_counts_not_that_of_the_revocation(kit: SealKit) -> None:
    for reason, good in ((RevocationReason.KEY_COMPROMISE, False), (RevocationReason.CESSATION_OF_OPERATION, True)):
        entry = RevokedEntry(
            kit.signer.certificate.serial_number, T1 + timedelta(minutes=30), reason, T1 - timedelta(days=1)
        )
        report = validate_document(kit.sealed(ofd_document()), with_list(kit, listed(kit, entry), Records()))
        assert unsound(report) == ({} if good else {CHAIN: NO_PROOF})


def test_a_registered_seal_outlives_its_makers_certificate(kit: SealKit) -> None:
    entry = RevokedEntry(
        kit.maker.certificate.serial_number, T1 + timedelta(minutes=30), RevocationReason.KEY_COMPROMISE
    )
    crl, sealed = listed(kit, entry), kit.sealed(ofd_document())
    assert unsound(validate_document(sealed, with_list(kit, crl, Records()))) == {}
    # Registered long before, used after: the seal is known by its record, whatever its maker's key signs now.
    late = kit.sealed(ofd_document(), at=T1 + timedelta(minutes=40))
    assert unsound(validate_document(late, with_list(kit, crl, Records()))) == {}
    assert unsound(validate_document(sealed, with_list(kit, crl, ABROAD))) == ABROAD_STATUS | {
        "seal.maker_certificate_chain": NO_PROOF
    }


@pytest.mark.parametrize(
    ("state", "end", "records", "told"),
    [
        (SealState.REVOKED, T1 + timedelta(minutes=1), Records(), None),
        (SealState.REVOKED, T1 + timedelta(minutes=1), Records(recorded=False), NO_PROOF),
        (SealState.FROZEN, None, Records(), None),
        (SealState.FROZEN, None, Records(recorded=False), SubIndication.TRY_LATER),
    ],
)
def test_a_signers_own_time_does_not_save_a_seal_that_ended(
    kit: SealKit, state: SealState, end: datetime | None, records: Records, told: SubIndication | None
) -> None:
    report = validate_document(
        kit.sealed(ofd_document()), kit.checks(records=replace(records, state=state, end_time=end))
    )
    assert unsound(report).get("seal.status") is told
    assert report.verdict.conclusion is (Conclusion.INDETERMINATE if told else Conclusion.TOTAL_PASSED)


def test_a_seal_and_certificates_that_ran_out_need_a_proof(kit: SealKit) -> None:
    sealed = kit.sealed(ofd_document())
    bounds = SubIndication.OUT_OF_BOUNDS_NO_POE
    year = T0 + timedelta(days=366)
    assert unsound(validate_document(sealed, kit.checks(year))) == {}
    abroad = validate_document(sealed, kit.checks(year, ABROAD))
    assert unsound(abroad) == ABROAD_STATUS | {"seal.period": bounds}
    later = kit.signer.certificate.not_after + timedelta(days=1)
    assert unsound(validate_document(sealed, kit.checks(later, ABROAD))) == ABROAD_STATUS | dict.fromkeys(
        (
            "seal.period",
            "seal.maker_certificate_period",
            "seal.maker_certificate_chain",
            "signature.certificate_period",
            CHAIN,
        ),
        bounds,
    )
    assert unsound(validate_document(sealed, kit.checks(later))) == {}
