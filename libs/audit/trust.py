"""Under which certificates a signed head is believed."""

from libs.audit.heads import VerifySignature
from libs.audit.records import parse_rfc3339
from libs.crypto.errors import InvalidSignature
from libs.crypto.provider import SmProvider
from libs.crypto.x509 import Certificate, Role, TrustPolicy, verify_chain


def trust(root: Certificate, provider: SmProvider) -> VerifySignature:
    """Returns the check of a head's signature under the region's root.

    The certificate must have been issued by ``root`` for audit logs, be valid at the time the head says it was signed, and
    name the log: a region's other keys sign no heads, and one service's key none of another's.
    """

    def check(certificate: bytes, message: bytes, signature: bytes) -> None:
        leaf = Certificate.parse(certificate)
        _, log, _, _, sign_time, *_ = message.decode().split("\n")
        policy = TrustPolicy((root,), require_crl=False)
        verify_chain(leaf, (), parse_rfc3339(sign_time), policy, provider, Role.AUDIT_LOG)
        common_name = leaf.subject.removeprefix("CN=").partition(", ")[0]
        if not f" {common_name}".endswith(f" {log.removeprefix('//')}"):
            raise InvalidSignature(f"the certificate is that of {common_name}, not of {log}")
        provider.sm2_verify(leaf.public_key, message, signature)

    return check
