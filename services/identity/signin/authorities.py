"""The authorities whose certificates people sign in by, and what they have revoked: files that the operator brings."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from libs.crypto.errors import MalformedCertificate
from libs.crypto.x509 import Certificate, Crl, TrustPolicy
from libs.crypto.x509.signed import unarmor_all
from libs.observability.logs import logger
from services.identity.config import SignInCertificates
from services.identity.signin.certificates import Authorities

_log = logger(__name__)
_Read = TypeVar("_Read", Certificate, Crl)


class AuthorityFiles:
    """Reads them: the authorities when the service starts, the lists again whenever their file is another.

    Raises:
        ValueError: a file is not what it should be, and the service does not start.
    """

    def __init__(self, section: SignInCertificates) -> None:
        self._lists_file = section.crl
        known = _read(section.authorities, "CERTIFICATE", Certificate.parse)
        self._anchors = tuple(each for each in known if each.subject_der == each.issuer_der)
        self._intermediates = tuple(each for each in known if each.subject_der != each.issuer_der)
        if not self._anchors:
            raise ValueError(f"{section.authorities}: no root stands in it")
        self._seen: tuple[int, ...] = ()
        self._lists: tuple[Crl, ...] = ()
        if self._lists_file is not None:
            self._seen, self._lists = _version(self._lists_file), _lists(self._lists_file)

    async def now(self) -> Authorities:
        """Returns what is trusted now."""
        if self._lists_file is not None:
            await asyncio.to_thread(self._read_again, self._lists_file)
        policy = TrustPolicy(self._anchors, self._lists, require_crl=self._lists_file is not None)
        return Authorities(policy, self._intermediates)

    def _read_again(self, file: Path) -> None:
        """Takes lists that were put in place of those before; what can't be read changes nothing, and is told."""
        try:
            version = _version(file)
            if version != self._seen:
                # First: a file that is wrong is told once, and not with every sign-in.
                self._seen = version
                self._lists = _lists(file)
        except (OSError, ValueError) as error:
            _log.error("sign_in_revocation_lists_unreadable", fault=str(error))


def _version(file: Path) -> tuple[int, ...]:
    about = file.stat()
    return about.st_ino, about.st_mtime_ns, about.st_size


def _lists(file: Path) -> tuple[Crl, ...]:
    return _read(file, "X509 CRL", Crl.parse)


def _read(file: Path, label: str, parse: Callable[[bytes], _Read]) -> tuple[_Read, ...]:
    try:
        return tuple(parse(der) for der in unarmor_all(file.read_bytes(), label))
    except MalformedCertificate as error:
        raise ValueError(f"{file.name}: {error}") from error
