"""The ways to sign in by a key, as the pages offer them: each with its scripts, and where these ask what is to be signed."""

from dataclasses import dataclass

from services.identity.config import SignInCertificates
from services.identity.openid.pages import PageScript, own_script
from services.identity.signin.service import KeySignIns


@dataclass(frozen=True, slots=True)
class KeyWay:
    """A way, and what a page with it runs."""

    sign_ins: KeySignIns
    scripts: tuple[PageScript, ...]

    @property
    def called(self) -> str:
        """What it is called in templates, faults and addresses."""
        return self.sign_ins.called

    @property
    def path(self) -> str:
        """Where the page's form goes."""
        return f"/oauth/{self.called}"

    @property
    def challenge_path(self) -> str:
        """Where its script asks what is to be signed."""
        return f"{self.path}-challenge"


def by_passkey(sign_ins: KeySignIns) -> KeyWay:
    """Passkeys: the browser itself reaches them."""
    return KeyWay(sign_ins, (own_script("passkeys.js", "/oauth/passkey-challenge"),))


def by_certificate(sign_ins: KeySignIns, section: SignInCertificates | None) -> KeyWay:
    """Certificates: a script of the devices' maker reaches them, which the operator brings; it runs before ours, which asks it.

    Raises:
        OSError: the operator's file can't be read, and the service does not start.
    """
    if section is None:
        return KeyWay(sign_ins, ())
    makers = PageScript("/oauth/certificate-devices.js", section.script.read_bytes(), section.connect)
    return KeyWay(sign_ins, (makers, own_script("certificates.js", "/oauth/certificate-challenge")))
