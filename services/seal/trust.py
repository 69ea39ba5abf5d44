"""Says which certificates a validation trusts, and turns refusals of libs.crypto into findings."""

from dataclasses import dataclass
from datetime import datetime

from libs.crypto.errors import CertificateNotAccepted, MalformedCertificate
from libs.crypto.errors import SubIndication as Refusal
from libs.crypto.provider import SmProvider
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy, verify_chain
from services.seal.domain.validation import Finding, SubIndication, failed, indeterminate, passed

# The chain is checked at the time of use: what was revoked or expired by then had no force, whatever comes later.
_FAILURES = {
    Refusal.SIG_CRYPTO_FAILURE: SubIndication.SIG_CRYPTO_FAILURE,
    Refusal.CHAIN_CONSTRAINTS_FAILURE: SubIndication.CHAIN_CONSTRAINTS_FAILURE,
    Refusal.NOT_YET_VALID: SubIndication.NOT_YET_VALID,
    Refusal.OUT_OF_BOUNDS_NO_POE: SubIndication.EXPIRED,
    Refusal.REVOKED_NO_POE: SubIndication.REVOKED,
}
_UNKNOWNS = {
    Refusal.NO_CERTIFICATE_CHAIN_FOUND: SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    Refusal.TRY_LATER: SubIndication.TRY_LATER,
}


@dataclass(frozen=True, slots=True)
class Trust:
    """Signatures and chains, checked with SM2 certificates.

    Attributes:
        policy: the roots and the revocation lists.
        provider: the algorithms.
        intermediates: CAs below the roots.
    """

    policy: TrustPolicy
    provider: SmProvider
    intermediates: tuple[Certificate, ...] = ()

    def verify(self, certificate: bytes, message: bytes, signature: bytes) -> None:
        """Checks a DER signature over ``message``; raises CryptoError where it does not hold."""
        self.provider.sm2_verify(Certificate.parse(certificate).public_key, message, signature)

    def chain(self, certificate: bytes, at: datetime) -> Finding:
        """Tells whether a chain leads from a DER certificate to a root, and held at ``at``."""
        try:
            found = verify_chain(Certificate.parse(certificate), self.intermediates, at, self.policy, self.provider)
        except MalformedCertificate as error:
            return failed(SubIndication.FORMAT_FAILURE, str(error))
        except CertificateNotAccepted as error:
            if error.sub_indication in _UNKNOWNS:
                return indeterminate(_UNKNOWNS[error.sub_indication], error.sub_indication.value)
            return failed(_FAILURES[error.sub_indication], error.sub_indication.value)
        return passed(f"{len(found)} certificates, root serial {found[-1].serial_number:x}")
