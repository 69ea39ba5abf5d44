"""Says which certificates a validation trusts, and turns refusals of libs.crypto into findings."""

from dataclasses import dataclass
from datetime import datetime

from libs.crypto.errors import CertificateNotAccepted, CryptoError, MalformedCertificate
from libs.crypto.provider import SmProvider
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy, verify_chain
from libs.crypto.x509.roles import Role
from libs.crypto.x509.time_stamp import verify_time_stamp
from libs.sub_indications import SubIndication
from services.seal.validation.rules import StepFinding, Times, failed, indeterminate, passed
from services.seal.validation.steps import unreadable

# What had ended by the stated time had no force; what ended since leaves open whether the stated time is the true one.
_UNKNOWNS = frozenset(
    {
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
        SubIndication.TRY_LATER,
        SubIndication.OUT_OF_BOUNDS_NO_POE,
        SubIndication.REVOKED_NO_POE,
        SubIndication.REVOKED_CA_NO_POE,
    }
)
"""Those that leave a validation INDETERMINATE; the others make it fail."""


@dataclass(frozen=True, slots=True)
class CertificateTrust:
    """Signatures and chains, checked with SM2 certificates.

    Attributes:
        policy: the roots and the revocation lists.
        provider: the algorithms.
        intermediates: CAs below the roots.
        stamps: the roots of time-stamp authorities.
    """

    policy: TrustPolicy
    provider: SmProvider
    intermediates: tuple[Certificate, ...] = ()
    stamps: TrustPolicy | None = None

    def verify(self, certificate: bytes, message: bytes, signature: bytes) -> None:
        """Checks a DER signature over ``message``; raises CryptoError where it does not hold."""
        self.provider.sm2_verify(Certificate.parse(certificate).public_key, message, signature)

    def chain(self, certificate: bytes, role: Role, times: Times) -> StepFinding:
        """Tells whether a chain leads from a DER certificate to a root, entitles it to ``role``, and held at its use."""
        try:
            leaf = Certificate.parse(certificate)
            found = verify_chain(
                leaf, self.intermediates, times.stated, self.policy, self.provider, role, proven=times.proven
            )
        except MalformedCertificate as error:
            return unreadable(error)
        except CertificateNotAccepted as error:
            why = error.sub_indication
            if why in _UNKNOWNS:
                return indeterminate(why, why.value)
            return failed(why, f"{why.value}, asked for {role.name}")
        return passed(f"{len(found)} certificates for {role.name}, root serial {found[-1].serial_number:x}")

    def time_stamp(self, stamp: bytes, value: bytes, now: datetime) -> datetime | None:
        """Returns since when a signature value exists, as a time stamp shows; None where that can't be relied on."""
        if self.stamps is None:
            return None
        try:
            return verify_time_stamp(stamp, value, now, self.stamps, self.provider)
        except CryptoError:
            return None
