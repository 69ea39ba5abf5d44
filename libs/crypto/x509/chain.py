"""Verifies a certificate's chain up to a trusted root, at a given time, with revocation.

After RFC 5280, 6.1, for the certificates that Tongban meets: no policies, no name constraints (a certificate with
critical ones is not accepted). Errors speak the words of ETSI EN 319 102-1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from libs.crypto.errors import CertificateNotAccepted, InvalidSignature, SubIndication
from libs.crypto.provider import SmProvider
from libs.crypto.x509.certificate import Certificate, KeyUsage
from libs.crypto.x509.crl import Crl


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What a verifier trusts and asks for.

    Attributes:
        anchors: the roots; trusted because they are here, so only their validity is checked.
        crls: the revocation lists at hand; those whose signature does not hold count as absent.
        require_crl: whether a certificate below the root needs a fresh CRL of its issuer. Without one the answer is
            TRY_LATER, which means: not known, rather than bad.
        max_length: how many certificates a chain may have, root included.
    """

    anchors: tuple[Certificate, ...]
    crls: tuple[Crl, ...] = ()
    require_crl: bool = True
    max_length: int = 4


def verify_chain(
    leaf: Certificate,
    intermediates: Iterable[Certificate],
    at: datetime,
    policy: TrustPolicy,
    provider: SmProvider,
    usage: KeyUsage | None = KeyUsage.DIGITAL_SIGNATURE,
) -> tuple[Certificate, ...]:
    """Checks that ``leaf`` was trustworthy at the moment ``at``; returns the chain, leaf first and root last.

    1. A chain leads from the leaf to a root, every signature in it holds, and every issuer is a CA that may sign
       certificates, within its path length (RFC 5280, 6.1.3 (a)(1), 6.1.4 (k) to (n)).
    2. No critical extension is unknown, and key usage allows what the key was used for.
    3. Every certificate of the chain is within its validity at ``at``.
    4. None of them was revoked by ``at``, according to a CRL of its issuer that covers ``at``.

    The caller still checks that the leaf is the one it expects: name, role, place in a seal's list.

    Raises:
        CertificateNotAccepted: with the rule that is broken.
    """
    chain = _build(leaf, tuple(intermediates), policy, provider)
    _check_constraints(chain, usage)
    for certificate in chain:
        _check_time(certificate, at)
    for certificate, issuer in pairwise(chain):
        _check_revocation(certificate, issuer, at, policy, provider)
    return chain


def _build(
    leaf: Certificate, intermediates: tuple[Certificate, ...], policy: TrustPolicy, provider: SmProvider
) -> tuple[Certificate, ...]:
    chain = [leaf]
    while chain[-1] not in policy.anchors:
        child = chain[-1]
        candidates = [ca for ca in (*policy.anchors, *intermediates) if _may_have_issued(ca, child)]
        if not candidates or len(chain) >= policy.max_length:
            raise _refusal(SubIndication.NO_CERTIFICATE_CHAIN_FOUND, child, "no trusted issuer is known")
        issuer = next((ca for ca in candidates if _signed(ca, child, provider)), None)
        if issuer is None:
            raise _refusal(SubIndication.SIG_CRYPTO_FAILURE, child, "its issuer's signature does not hold")
        chain.append(issuer)
    return tuple(chain)


def _may_have_issued(issuer: Certificate, child: Certificate) -> bool:
    if issuer.subject_der != child.issuer_der or issuer == child:
        return False
    return not child.authority_key_identifier or child.authority_key_identifier == issuer.key_identifier


def _signed(issuer: Certificate, child: Certificate | Crl, provider: SmProvider) -> bool:
    try:
        provider.sm2_verify(issuer.public_key, child.tbs, child.signature)
    except InvalidSignature:
        return False
    return True


def _check_constraints(chain: tuple[Certificate, ...], usage: KeyUsage | None) -> None:
    if usage is not None and not chain[0].allows(usage):
        raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, chain[0], f"its key is not for {usage.value}")
    for certificate in chain:
        if certificate.unknown_critical:
            unknown = ", ".join(certificate.unknown_critical)
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, certificate, f"critical extension {unknown}")
    for below, issuer in enumerate(chain[1:]):
        if not issuer.is_ca or not issuer.allows(KeyUsage.KEY_CERT_SIGN):
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, issuer, "it is no CA")
        if issuer.path_length is not None and below > issuer.path_length:
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, issuer, "too many CAs below it")


def _check_time(certificate: Certificate, at: datetime) -> None:
    if at < certificate.not_before:
        raise _refusal(SubIndication.NOT_YET_VALID, certificate, f"valid from {certificate.not_before}")
    if at > certificate.not_after:
        raise _refusal(SubIndication.OUT_OF_BOUNDS_NO_POE, certificate, f"valid until {certificate.not_after}")


def _check_revocation(
    certificate: Certificate, issuer: Certificate, at: datetime, policy: TrustPolicy, provider: SmProvider
) -> None:
    mine = [crl for crl in policy.crls if crl.issuer_der == issuer.subject_der and issuer.allows(KeyUsage.CRL_SIGN)]
    lists = [crl for crl in mine if _signed(issuer, crl, provider)]
    for crl in lists:
        entry = crl.entries.get(certificate.serial_number)
        if entry is not None and entry.revocation_time <= at:
            raise _refusal(SubIndication.REVOKED_NO_POE, certificate, f"revoked at {entry.revocation_time}")
    # A later list covers an earlier moment too: entries stay until the certificate has expired.
    if policy.require_crl and not any(at <= crl.next_update for crl in lists):
        raise _refusal(SubIndication.TRY_LATER, certificate, "no CRL of its issuer covers that time")


def _refusal(sub_indication: SubIndication, certificate: Certificate, message: str) -> CertificateNotAccepted:
    return CertificateNotAccepted(sub_indication, certificate.subject, message)
