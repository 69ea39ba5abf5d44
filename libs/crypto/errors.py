"""What cryptography can refuse. These never cross an RPC by themselves: a use case turns them into its own errors."""

from enum import Enum


class CryptoError(Exception):
    """The root of the family."""


class InvalidSignature(CryptoError):
    """The signature is not one of this key over these bytes, or is no signature at all."""


class DecryptionFailed(CryptoError):
    """Key, nonce, associated data, ciphertext or tag do not belong together."""


class InvalidKey(CryptoError):
    """The bytes are no key of the kind that was expected."""


class KeyNotFound(CryptoError):
    """The key store has no such key, or no such version of it."""


class MalformedCertificate(CryptoError):
    """The bytes are no certificate or CRL that this library reads."""


class UnsupportedCertificate(MalformedCertificate):
    """A certificate of another algorithm than SM2 with SM3: sound for all that is known, but not for this library."""


class SubIndication(Enum):
    """Why a certificate is not accepted, in the words of ETSI EN 319 102-1, 5.1.3 and tables 4 to 6.

    Where there is a pair, the first says that it had ended by the time of its use, the second (NO_POE) that it has ended
    since and nothing proves that it was used before.
    """

    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    REVOKED = "REVOKED"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    TRY_LATER = "TRY_LATER"


class CertificateNotAccepted(CryptoError):
    """The chain of a certificate does not hold at the time asked for.

    Attributes:
        sub_indication: which rule it breaks.
        subject: the subject of the certificate that breaks it.
    """

    def __init__(self, sub_indication: SubIndication, subject: str, message: str) -> None:
        super().__init__(f"{sub_indication.value}: {subject}: {message}")
        self.sub_indication = sub_indication
        self.subject = subject
