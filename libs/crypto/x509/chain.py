"""Verifies a certificate's chain up to a trusted root, at a given time, with revocation.

After RFC 5280, 6.1, for the certificates that Tongban meets: no policies, no name constraints (a certificate with
critical ones is not accepted). Errors speak the words of ETSI EN 319 102-1.

That an issuer is trusted says who somebody is, not what they may do: whoever verifies names the role, and there is no
way to leave it out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from libs.crypto.errors import CertificateNotAccepted, InvalidSignature
from libs.crypto.provider import SmProvider
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.crl import Crl
from libs.crypto.x509.extensions import KeyUsage
from libs.crypto.x509.names import same
from libs.crypto.x509.roles import ANY_PURPOSE, Role
from libs.sub_indications import SubIndication


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
    role: Role | None,
    *,
    proven: datetime | None = None,
) -> tuple[Certificate, ...]:
    """Checks that ``leaf`` was entitled to ``role`` at the moment ``at``; returns the chain, leaf first and root last.

    1. A chain leads from the leaf to a root, every signature in it holds, and every issuer is a CA that may sign
       certificates, within its path length (RFC 5280, 6.1.3 (a)(1), 6.1.4 (k) to (n)).
    2. No critical extension is unknown. The leaf is made for ``role`` and says so, and no CA above it is bound to other
       roles. None asks for an issuer alone, such as a root.
    3. Every certificate of the chain is within its validity at ``at``, and was not revoked by then.
    4. The same at ``proven``, before which the signature is known to have existed. Who holds a key says what time they
       like: what ended between the two is not known to have been used before its end (EN 319 102-1, 5.6.2).

    The caller still checks that the leaf is the one it expects: name, place in a seal's list.

    Args:
        leaf: the certificate.
        intermediates: CAs below the roots.
        at: the moment that the signer states.
        policy: what is trusted.
        provider: the algorithms.
        role: what the leaf's key was used for.
        proven: the moment of the earliest proof of existence: of a record, of a time stamp, else of the validation.
            Without it ``at`` is taken as proven: it is the verifier's own time.

    Raises:
        CertificateNotAccepted: with the rule that is broken.
    """
    chain = _build(leaf, tuple(intermediates), policy, provider)
    _check_constraints(chain)
    if role is not None:
        _check_role(chain, role)
    existed = max(at, proven or at)
    for certificate in chain:
        _check_time(certificate, at, existed)
    for certificate, issuer in pairwise(chain):
        _check_revocation(certificate, issuer, at, existed, policy, provider)
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
    if issuer == child or not same(issuer.subject_der, child.issuer_der):
        return False
    return not child.authority_key_identifier or child.authority_key_identifier == issuer.key_identifier


def _signed(issuer: Certificate, child: Certificate | Crl, provider: SmProvider) -> bool:
    try:
        provider.sm2_verify(issuer.public_key, child.tbs, child.signature)
    except InvalidSignature:
        return False
    return True


def _check_constraints(chain: tuple[Certificate, ...]) -> None:
    for certificate in chain:
        if certificate.faults:
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, certificate, ", ".join(certificate.faults))
        if certificate.unknown_critical:
            unknown = ", ".join(certificate.unknown_critical)
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, certificate, f"critical extension {unknown}")
    for below, issuer in enumerate(chain[1:]):
        if not issuer.is_ca or not issuer.allows(KeyUsage.KEY_CERT_SIGN):
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, issuer, "it is no CA")
        if issuer.path_length is not None and below > issuer.path_length:
            raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, issuer, "too many CAs below it")


def _check_role(chain: tuple[Certificate, ...], role: Role) -> None:
    """An end entity has the role it names; a CA passes on what it is bound to, or anything where it is not bound."""
    leaf, *issuers = chain
    if leaf.is_ca or not leaf.allows(KeyUsage.DIGITAL_SIGNATURE) or leaf.purposes != frozenset((role.value,)):
        raise _refusal(SubIndication.CHAIN_CONSTRAINTS_FAILURE, leaf, f"it is not made for {role.name}, or not alone")
    for issuer in issuers:
        if issuer.purposes is not None and not issuer.purposes & {role.value, ANY_PURPOSE}:
            raise _refusal(
                SubIndication.CHAIN_CONSTRAINTS_FAILURE, issuer, f"it issues no certificates for {role.name}"
            )


def _check_time(certificate: Certificate, at: datetime, existed: datetime) -> None:
    if at < certificate.not_before:
        raise _refusal(SubIndication.NOT_YET_VALID, certificate, f"valid from {certificate.not_before}")
    if at > certificate.not_after:
        raise _refusal(SubIndication.EXPIRED, certificate, f"valid until {certificate.not_after}")
    if existed > certificate.not_after:
        raise _refusal(SubIndication.OUT_OF_BOUNDS_NO_POE, certificate, f"valid until {certificate.not_after}")


def _check_revocation(
    certificate: Certificate,
    issuer: Certificate,
    at: datetime,
    existed: datetime,
    policy: TrustPolicy,
    provider: SmProvider,
) -> None:
    mine = [crl for crl in policy.crls if same(crl.issuer_der, issuer.subject_der) and issuer.allows(KeyUsage.CRL_SIGN)]
    lists = [crl for crl in mine if _signed(issuer, crl, provider)]
    for crl in lists:
        entry = crl.entries.get(certificate.serial_number)
        if entry is not None and entry.revocation_time <= at:
            raise _refusal(SubIndication.REVOKED, certificate, f"revoked at {entry.revocation_time}")
        if entry is not None and entry.doubtful_from <= existed:
            no_proof = SubIndication.REVOKED_CA_NO_POE if certificate.is_ca else SubIndication.REVOKED_NO_POE
            raise _refusal(no_proof, certificate, f"revoked at {entry.revocation_time}, {entry.reason.value}")
    # A later list covers an earlier moment too: entries stay until the certificate has expired.
    if policy.require_crl and not any(existed <= crl.next_update for crl in lists):
        raise _refusal(SubIndication.TRY_LATER, certificate, "no CRL of its issuer covers that time")


def _refusal(sub_indication: SubIndication, certificate: Certificate, message: str) -> CertificateNotAccepted:
    return CertificateNotAccepted(sub_indication, certificate.subject, message)
