"""Certificates of people (数字证书): what a device such as a USB key (智能密码钥匙) is to sign, and whether what it answered is worth anything.

The device is reached by what its maker delivers (GB/T 43694-2024, 7.2: a script's interface for certificates), whose functions give a
certificate and a signature by SM2 with SM3 over a text, both as Base64.
"""

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from libs.crypto.errors import CertificateNotAccepted, InvalidSignature, MalformedCertificate
from libs.crypto.provider import SmProvider
from libs.crypto.sm3 import sm3
from libs.crypto.x509 import Certificate, KeyUsage, TrustPolicy, verify_chain
from libs.crypto.x509.roles import ANY_PURPOSE
from libs.sub_indications import SubIndication

SIGN_IN, SET = "sign-in", "set"
"""What a text is signed for: what was signed for one is worth nothing for the other."""
_CLIENT_AUTHENTICATION = "1.3.6.1.5.5.7.3.2"
_FOR_PEOPLE = frozenset({_CLIENT_AUTHENTICATION, ANY_PURPOSE})
_LONGEST = 32 * 1024
"""Characters of an answer: a certificate has 16 KiB at most, as Base64 a third more."""


class CertificateRefused(Exception):
    """What was answered can't be read, is of no authority that is trusted, holds no longer, or did not sign what was asked for."""


class CertificateNotJudged(Exception):
    """No list that holds now says whether a certificate was revoked: nothing is known against it."""


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate whose key signed what was asked for.

    Attributes:
        key: SM3 of its public key, by which it is known again.
        certificate: what it says.
    """

    key: bytes
    certificate: Certificate

    @property
    def resident_number(self) -> str:
        """The number of the holder's identity card, as the authority put it in; empty where it did not."""
        return self.certificate.resident_number


@dataclass(frozen=True, slots=True)
class Authorities:
    """Whose certificates are taken: what is trusted, and authorities below it."""

    policy: TrustPolicy
    intermediates: tuple[Certificate, ...]


def signed_text(base_url: str, purpose: str, challenge: str) -> str:
    """Returns what is to be signed: it says where and what for, so that a signature asked for elsewhere is none here."""
    return f"tongban-certificate-v1\n{base_url}\n{purpose}\n{challenge}\n"


def shown(answer: str, text: str, authorities: Authorities, at: datetime, provider: SmProvider) -> ShownCertificate:
    """Judges an answer, ``{"certificate": …, "signature": …}``, at the moment ``at``.

    Raises:
        CertificateRefused, CertificateNotJudged.
    """
    try:
        certificate, signature = _read(answer)
        provider.sm2_verify(certificate.public_key, text.encode(), signature)
        _check_purpose(certificate)
        verify_chain(certificate, authorities.intermediates, at, authorities.policy, provider, None)
    except (MalformedCertificate, InvalidSignature, ValueError, TypeError, LookupError, RecursionError) as error:
        raise CertificateRefused from error
    except CertificateNotAccepted as error:
        # Of a chain whose authorities' own lists are away nothing is known, and everything else was judged by then.
        raise (
            CertificateNotJudged if error.sub_indication is SubIndication.TRY_LATER else CertificateRefused
        ) from error
    return ShownCertificate(sm3(certificate.public_key.spki), certificate)


def _read(answer: str) -> tuple[Certificate, bytes]:
    if len(answer) > _LONGEST:
        raise ValueError("too long")
    said = json.loads(answer)
    certificate, signature = (_bytes(said[name]) for name in ("certificate", "signature"))
    return Certificate.parse(certificate), signature


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("no text")
    # Makers break Base64 into lines.
    return base64.b64decode("".join(text.split()), validate=True)


def _check_purpose(certificate: Certificate) -> None:
    """Raises ValueError unless a certificate is an end entity's whose key signs, and is not for other purposes alone."""
    purposes: Collection[str] = _FOR_PEOPLE if certificate.purposes is None else certificate.purposes
    if certificate.is_ca or not certificate.allows(KeyUsage.DIGITAL_SIGNATURE) or not _FOR_PEOPLE & set(purposes):
        raise ValueError("not made for its holder's sign-in")
