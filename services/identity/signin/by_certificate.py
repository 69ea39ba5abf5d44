"""Judging a certificate: of an authority that the region trusts, and the one that its holder set."""

import base64
import json

from libs.crypto.provider import SmProvider
from libs.observability.logs import logger
from services.identity.config import SignInCertificates
from services.identity.core.parts import Parts
from services.identity.signin import certificates, store
from services.identity.signin.authorities import AuthorityFiles
from services.identity.signin.by_key import KeyProof
from services.identity.signin.certificates import CertificateNotJudged, CertificateRefused, ShownCertificate
from services.identity.signin.opening import SignInNotJudged, SignInRefused
from services.identity.signin.rules import HELD_KEY, Authenticator, AuthenticatorKind

_log = logger(__name__)


class CertificateJudge:
    """Certificates, as a kind of key that one signs in by."""

    called = "certificate"

    def __init__(self, parts: Parts, provider: SmProvider, section: SignInCertificates | None) -> None:
        self._parts = parts
        self._provider = provider
        self._believed = section.assurance if section else 0
        self._files = AuthorityFiles(section) if section else None

    @property
    def offered(self) -> bool:
        """Whether the region trusts an authority with it."""
        return self._files is not None

    @property
    def believed(self) -> int:
        """How far a certificate that names its holder's number is believed."""
        return self._believed

    def options(self, challenge: bytes) -> str:
        """Returns as JSON what is to be signed; raises SignInRefused where no certificates are taken."""
        if self._files is None:
            raise SignInRefused
        return json.dumps({"text": self._text(certificates.SIGN_IN, _encoded(challenge))})

    def text_to_set(self, challenge: str) -> str:
        """Returns what is to be signed by who sets a certificate."""
        return self._text(certificates.SET, challenge)

    async def set_by(self, answer: str, challenge: str) -> ShownCertificate:
        """Judges what somebody signed with the certificate that they set.

        Raises:
            CertificateRefused: also where no certificates are taken any more.
            SignInNotJudged.
        """
        return await self._shown(answer, self.text_to_set(challenge))

    async def judged(self, answer: str, challenge: bytes) -> tuple[Authenticator | None, KeyProof | None]:
        """Returns the certificate that somebody set, where it is this one, and what it proves; raises SignInNotJudged."""
        # Without a challenge of ours whatever was once signed would do.
        if not challenge:
            return None, None
        try:
            said = await self._shown(answer, self._text(certificates.SIGN_IN, _encoded(challenge)))
        except CertificateRefused:
            return None, None
        async with self._parts.database.read() as connection:
            held = await store.key_in_use(connection, AuthenticatorKind.CERTIFICATE, said.key)
        return held, KeyProof((HELD_KEY,), self._believed, expire_time=said.certificate.not_after)

    async def _shown(self, answer: str, text: str) -> ShownCertificate:
        if self._files is None:
            raise CertificateRefused
        try:
            return certificates.shown(answer, text, await self._files.now(), self._parts.wall.now(), self._provider)
        except CertificateNotJudged as error:
            _log.error("sign_in_revocation_lists_outdated")
            raise SignInNotJudged from error

    def _text(self, purpose: str, challenge: str) -> str:
        return certificates.signed_text(self._parts.base_url, purpose, challenge)


def _encoded(challenge: bytes) -> str:
    return base64.urlsafe_b64encode(challenge).decode().rstrip("=")
