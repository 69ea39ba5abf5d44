"""SM2 certificates and CRLs: issued, read, verified; and read by OpenSSL's command line."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.crypto.asn1_budget import Asn1Limits, check_asn1
from libs.crypto.errors import CertificateNotAccepted, InvalidSignature, MalformedCertificate
from libs.crypto.x509 import (
    Certificate,
    Crl,
    DistinguishedName,
    KeyUsage,
    Profile,
    RevocationReason,
    RevokedEntry,
    Role,
    TrustPolicy,
    Validity,
    certificate,
    issue_certificate,
    make_crl,
    make_root,
    verify_chain,
)
from libs.crypto.x509.roles import ANY_PURPOSE
from libs.sub_indications import SubIndication
from tests.unit.crypto.conftest import NOW, PROVIDER, START, Pki, new_signer


def refused(pki: Pki, why: SubIndication, **arguments: object) -> CertificateNotAccepted:
    with pytest.raises(CertificateNotAccepted) as error:
        pki.verify(**arguments)  # type: ignore[arg-type]
    assert error.value.sub_indication is why
    return error.value


def test_what_a_certificate_says(pki: Pki) -> None:
    maker = pki.maker
    assert maker.serial_number == 1234
    assert maker.subject.startswith("CN=测试制章, OU=一处, O=测试机构, C=CN")
    assert maker.issuer == "CN=测试签发, C=CN"
    assert maker.issuer_der == pki.ca.subject_der
    assert (maker.not_before, maker.not_after) == (START, START + timedelta(days=365))
    assert maker.public_key == pki.maker_key.public_key
    assert maker.key_usage == frozenset((KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION))
    assert not maker.is_ca
    assert maker.authority_key_identifier == pki.ca.key_identifier
    assert (pki.ca.is_ca, pki.ca.path_length, pki.root.path_length) == (True, 0, None)
    assert pki.root.not_after.year == 2123
    assert len({pki.root.serial_number, pki.ca.serial_number}) == 2


def test_encodings(pki: Pki) -> None:
    assert Certificate.parse(pki.maker.der) == Certificate.from_pem(pki.maker.pem) == pki.maker
    assert Crl.parse(pki.ca_crl.der) == Crl.from_pem(pki.ca_crl.pem) == pki.ca_crl
    assert pki.maker.digest == PROVIDER.sm3(pki.maker.der)
    assert pki.maker.tbs in pki.maker.der


def test_log_key_profile(pki: Pki) -> None:
    log = issue_certificate(
        pki.ca, pki.ca_key, DistinguishedName("日志"), new_signer().public_key, Profile.LOG, Validity.days(START, 1)
    )
    assert log.key_usage == frozenset((KeyUsage.DIGITAL_SIGNATURE,))


def test_good_chain(pki: Pki) -> None:
    chain = verify_chain(pki.maker, [pki.ca], NOW, pki.policy, PROVIDER, Role.SEAL_MAKER)
    assert chain == (pki.maker, pki.ca, pki.root)
    assert verify_chain(pki.root, [], NOW, pki.policy, PROVIDER, None) == (pki.root,)


def test_times(pki: Pki) -> None:
    policy = replace(pki.policy, require_crl=False)
    pki.verify(at=START, policy=policy)
    pki.verify(at=pki.maker.not_after, policy=policy)
    refused(pki, SubIndication.NOT_YET_VALID, at=START - timedelta(seconds=1), policy=policy)
    late = pki.maker.not_after + timedelta(seconds=1)
    refused(pki, SubIndication.EXPIRED, at=late, policy=policy)
    # Used in time, as its holder says: nobody knows, unless something proves it.
    refused(pki, SubIndication.OUT_OF_BOUNDS_NO_POE, at=NOW, proven=late, policy=policy)
    pki.verify(at=NOW, proven=pki.maker.not_after, policy=policy)


def test_missing_issuer_and_foreign_root(pki: Pki) -> None:
    with pytest.raises(CertificateNotAccepted) as error:
        verify_chain(pki.maker, [], NOW, pki.policy, PROVIDER, Role.SEAL_MAKER)
    assert error.value.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    foreign = make_root(new_signer(), DistinguishedName("别的根"), Validity.days(START, 1))
    refused(pki, SubIndication.NO_CERTIFICATE_CHAIN_FOUND, policy=TrustPolicy((foreign,)))
    refused(pki, SubIndication.NO_CERTIFICATE_CHAIN_FOUND, policy=replace(pki.policy, max_length=2))


def test_root_of_the_same_name_does_not_do(pki: Pki) -> None:
    double = make_root(new_signer(), DistinguishedName("测试根", "测试机构"), Validity.days(START, 36500))
    refused(pki, SubIndication.NO_CERTIFICATE_CHAIN_FOUND, policy=TrustPolicy((double,)))


def test_forged_signature(pki: Pki) -> None:
    forger = new_signer()
    forged = replace(pki.maker, signature=forger.sign(pki.maker.tbs), der=b"forged")
    refused(pki, SubIndication.SIG_CRYPTO_FAILURE, leaf=forged)


def test_leaf_is_no_issuer(pki: Pki) -> None:
    # The library refuses to issue below a leaf, so the leaf is dressed up as a CA for that.
    child = issue_certificate(
        replace(pki.maker, is_ca=True),
        pki.maker_key,
        DistinguishedName("下级"),
        new_signer().public_key,
        Profile.SIGNER,
        Validity.days(START, 1),
    )
    with pytest.raises(CertificateNotAccepted) as error:
        verify_chain(
            child, [pki.maker, pki.ca], START, replace(pki.policy, require_crl=False), PROVIDER, Role.SEAL_SIGNER
        )
    assert error.value.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE
    assert "测试制章" in error.value.subject


def test_path_length(pki: Pki) -> None:
    key = new_signer()
    deeper = issue_certificate(
        pki.ca, pki.ca_key, DistinguishedName("再下级"), key.public_key, Profile.SUBORDINATE_CA, Validity.days(START, 9)
    )
    leaf = issue_certificate(
        deeper, key, DistinguishedName("末级"), new_signer().public_key, Profile.SIGNER, Validity.days(START, 9)
    )
    with pytest.raises(CertificateNotAccepted, match="too many CAs"):
        verify_chain(leaf, [pki.ca, deeper], START, replace(pki.policy, require_crl=False), PROVIDER, Role.SEAL_SIGNER)


OF_ROLE = {Role.SEAL_MAKER: Profile.SEAL_MAKER, Role.SEAL_SIGNER: Profile.SIGNER, Role.AUDIT_LOG: Profile.LOG}


@pytest.mark.parametrize("profile", [*OF_ROLE.values(), Profile.SUBORDINATE_CA])
@pytest.mark.parametrize("role", [*OF_ROLE, Role.TIME_STAMPING])
def test_a_certificate_entitles_to_its_own_role_alone(pki: Pki, profile: Profile, role: Role) -> None:
    leaf = issue_certificate(
        pki.root, pki.root_key, DistinguishedName("x"), new_signer().public_key, profile, Validity.days(START, 30)
    )
    if profile is OF_ROLE.get(role):
        assert len(verify_chain(leaf, [], NOW, pki.policy, PROVIDER, role)) == 2
        return
    with pytest.raises(CertificateNotAccepted, match=f"not made for {role.name}") as error:
        verify_chain(leaf, [], NOW, pki.policy, PROVIDER, role)
    assert error.value.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE


@pytest.mark.parametrize(
    "purposes", [None, frozenset(), {ANY_PURPOSE}, {Role.SEAL_MAKER.value, ANY_PURPOSE}, {r.value for r in OF_ROLE}]
)
def test_no_purpose_any_purpose_and_several_entitle_to_nothing(pki: Pki, purposes: frozenset[str] | None) -> None:
    refused(pki, SubIndication.CHAIN_CONSTRAINTS_FAILURE, leaf=replace(pki.maker, purposes=purposes))


def test_a_ca_gives_the_roles_it_is_bound_to(pki: Pki) -> None:
    key = new_signer()
    stamps = replace(pki.maker, purposes=frozenset({Role.TIME_STAMPING.value}))
    with pytest.raises(CertificateNotAccepted, match="issues no certificates for TIME_STAMPING"):
        verify_chain(stamps, [pki.ca], NOW, pki.policy, PROVIDER, Role.TIME_STAMPING)
    ca = issue_certificate(
        pki.root,
        pki.root_key,
        DistinguishedName("子"),
        key.public_key,
        Profile.SUBORDINATE_CA,
        Validity.days(START, 60),
    )
    maker = issue_certificate(
        ca, key, DistinguishedName("制"), key.public_key, Profile.SEAL_MAKER, Validity.days(START, 60)
    )
    policy = replace(pki.policy, require_crl=False)
    for purposes, good in (({ANY_PURPOSE}, True), (None, True), ({Role.AUDIT_LOG.value}, False)):
        bound = replace(ca, purposes=None if purposes is None else frozenset(purposes))
        if good:
            verify_chain(maker, [bound], NOW, policy, PROVIDER, Role.SEAL_MAKER)
        else:
            with pytest.raises(CertificateNotAccepted, match="issues no certificates for SEAL_MAKER"):
                verify_chain(maker, [bound], NOW, policy, PROVIDER, Role.SEAL_MAKER)


def test_a_key_that_may_not_sign_has_no_role(pki: Pki) -> None:
    agrees = replace(pki.maker, key_usage=frozenset({KeyUsage.KEY_AGREEMENT}))
    refused(pki, SubIndication.CHAIN_CONSTRAINTS_FAILURE, leaf=agrees)


def test_critical_extensions(pki: Pki) -> None:
    error = refused(pki, SubIndication.CHAIN_CONSTRAINTS_FAILURE, leaf=replace(pki.maker, unknown_critical=("1.2.3",)))
    assert "1.2.3" in str(error)


def test_revocation(pki: Pki) -> None:
    entry = RevokedEntry(pki.maker.serial_number, START + timedelta(days=5), RevocationReason.KEY_COMPROMISE)
    crl = make_crl(pki.ca, pki.ca_key, 2, NOW, NOW + timedelta(days=30), [entry, RevokedEntry(9, START)])
    assert crl.number == 2
    assert crl.entries == {1234: entry, 9: RevokedEntry(9, START)}
    policy = TrustPolicy((pki.root,), (pki.root_crl, crl))
    refused(pki, SubIndication.REVOKED, policy=policy)
    refused(pki, SubIndication.REVOKED_NO_POE, at=START, proven=NOW, policy=policy)
    refused(pki, SubIndication.REVOKED_NO_POE, at=START, proven=entry.revocation_time, policy=policy)
    before = entry.revocation_time - timedelta(seconds=1)
    pki.verify(at=before, policy=policy)
    pki.verify(at=START, proven=before, policy=policy)


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        (RevocationReason.KEY_COMPROMISE, True),
        (RevocationReason.CA_COMPROMISE, True),
        (RevocationReason.SUPERSEDED, False),
        (RevocationReason.CESSATION_OF_OPERATION, False),
        (RevocationReason.UNSPECIFIED, False),
    ],
)
def test_a_compromised_key_is_doubted_from_its_invalidity_date_on(
    pki: Pki, reason: RevocationReason, counts: bool
) -> None:
    day = timedelta(days=1)
    entry = RevokedEntry(pki.maker.serial_number, START + 5 * day, reason, START + 3 * day)
    crl = make_crl(pki.ca, pki.ca_key, 2, NOW, NOW + timedelta(days=30), [entry])
    assert crl.entries[pki.maker.serial_number] == entry
    policy = TrustPolicy((pki.root,), (pki.root_crl, crl))
    pki.verify(at=START, proven=START + 2 * day, policy=policy)
    if counts:
        refused(pki, SubIndication.REVOKED_NO_POE, at=START, proven=START + 4 * day, policy=policy)
    else:
        pki.verify(at=START, proven=START + 4 * day, policy=policy)
    refused(pki, SubIndication.REVOKED, at=START + 5 * day, policy=policy)


def test_a_revoked_ca_is_told_as_such(pki: Pki) -> None:
    entry = RevokedEntry(pki.ca.serial_number, START + timedelta(days=5))
    crl = make_crl(pki.root, pki.root_key, 2, NOW, NOW + timedelta(days=30), [entry])
    policy = TrustPolicy((pki.root,), (crl, pki.ca_crl))
    refused(pki, SubIndication.REVOKED_CA_NO_POE, at=START, proven=NOW, policy=policy)


def test_no_fresh_crl_means_not_known(pki: Pki) -> None:
    refused(pki, SubIndication.TRY_LATER, at=START + timedelta(days=31))
    refused(pki, SubIndication.TRY_LATER, policy=TrustPolicy((pki.root,), (pki.root_crl,)))
    forged = replace(pki.ca_crl, signature=pki.root_key.sign(pki.ca_crl.tbs))
    refused(pki, SubIndication.TRY_LATER, policy=TrustPolicy((pki.root,), (pki.root_crl, forged)))


def test_issuing_is_refused_where_it_makes_no_sense(pki: Pki) -> None:
    key, day = new_signer(), Validity.days(START, 1)
    for issuer, signer, validity in (
        (pki.maker, pki.maker_key, day),
        (pki.ca, pki.root_key, day),
        (pki.ca, pki.ca_key, Validity.days(START, 4000)),
        (pki.ca, pki.ca_key, Validity.days(START - timedelta(days=1), 4)),
    ):
        with pytest.raises(ValueError, match="issuer"):
            issue_certificate(issuer, signer, DistinguishedName("x"), key.public_key, Profile.SIGNER, validity)
    with pytest.raises(ValueError, match="after it begins"):
        Validity.days(START, 0)
    with pytest.raises(ValueError, match="64 characters"):
        make_root(key, DistinguishedName("长" * 65), day)
    with pytest.raises(ValueError, match="issuer's key"):
        make_crl(pki.ca, pki.root_key, 1, START, NOW, [])


def test_a_refusal_is_found_once_and_told_as_often_as_asked(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation asks a dozen times; to read what is refused anew each time cost three times what is accepted."""
    walks: list[bytes] = []

    def counted(data: bytes, limits: Asn1Limits) -> tuple[str, ...]:
        walks.append(data)
        return check_asn1(data, limits)

    monkeypatch.setattr(certificate, "check_asn1", counted)
    point = pki.maker.public_key.point
    der = pki.maker.der.replace(point, point[:-1] + bytes((point[-1] ^ 1,)))
    for _ in range(3):
        with pytest.raises(MalformedCertificate, match="not an SM2 certificate"):
            Certificate.parse(der)
    assert len(walks) == 1


def test_malformed(pki: Pki) -> None:
    der = pki.maker.der
    for bad in (b"", b"\x30\x00", der[:-1], b"\0" + der, b"\x31" + der[1:], pki.ca_crl.der, bytes(20_000)):
        with pytest.raises(MalformedCertificate):
            Certificate.parse(bad)
    for bad in (b"", der, pki.ca_crl.der[:-1]):
        with pytest.raises(MalformedCertificate):
            Crl.parse(bad)
    for text in (b"", pki.ca_crl.pem):
        with pytest.raises(MalformedCertificate):
            Certificate.from_pem(text)


@pytest.mark.parametrize("kind", [Certificate, Crl])
def test_every_changed_byte_is_noticed(pki: Pki, kind: type[Certificate | Crl]) -> None:
    der = (pki.maker if kind is Certificate else pki.ca_crl).der
    for position in range(len(der)):
        for value in {0, 5, 0xFF, der[position] ^ 0x10, der[position] ^ 0x60} - {der[position]}:
            changed = der[:position] + bytes([value]) + der[position + 1 :]
            with pytest.raises((MalformedCertificate, InvalidSignature)):
                check(kind.parse(changed), pki.ca)


def check(signed: Certificate | Crl, issuer: Certificate) -> None:
    PROVIDER.sm2_verify(issuer.public_key, signed.tbs, signed.signature)
