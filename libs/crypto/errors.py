"""What cryptography can refuse. These never cross an RPC by themselves: a use case turns them into its own errors."""

from libs.sub_indications import SubIndication


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
