"""SM2 certificates and CRLs (GM/T 0015-2012, which profiles RFC 5280): read, issue, revoke, verify.

What was received is kept as received: signatures are checked over those bytes, never over a new encoding.
"""

from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy, verify_chain
from libs.crypto.x509.crl import Crl, RevocationReason, RevokedEntry, make_crl
from libs.crypto.x509.extensions import KeyUsage
from libs.crypto.x509.issue import DistinguishedName, Profile, Validity, issue_certificate, make_root
from libs.crypto.x509.roles import Role
from libs.crypto.x509.time_stamp import TimeStampNotAccepted, verify_time_stamp

__all__ = [
    "Certificate",
    "Crl",
    "DistinguishedName",
    "KeyUsage",
    "Profile",
    "RevocationReason",
    "RevokedEntry",
    "Role",
    "TimeStampNotAccepted",
    "TrustPolicy",
    "Validity",
    "issue_certificate",
    "make_crl",
    "make_root",
    "verify_chain",
    "verify_time_stamp",
]
