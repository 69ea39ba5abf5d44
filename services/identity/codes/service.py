"""Makes personal codes and opens them: who has a code's keys, and who it is of."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from libs import personal_codes
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.crypto.errors import DecryptionFailed
from libs.personal_codes import CodeContent, CodeRefused, KeyId, ReadCode
from services.identity.codes.rules import invalid, refused
from services.identity.codes.store import HANDLE
from services.identity.core.signing_keys import TokenKeys

_ES256 = ec.ECDSA(SHA256())
_KNOWN_FOR = 1.0
"""For so many seconds a key is taken without another look."""


@dataclass(frozen=True, slots=True)
class OpenedCode:
    """A code whose signature and time hold.

    Attributes:
        person: the id of who holds it; empty for another region's.
    """

    code: ReadCode
    person: str = ""


class CodeMint:
    """Makes this region's codes, and reads them.

    Attributes:
        keys: the keys that sign codes.
    """

    def __init__(self, keys: TokenKeys, handles: FieldCipher, wall: Clock, region: str) -> None:
        """Takes the keys of codes, the cipher of handles (with keys of its own), the machine's clock and this region's id."""
        self.keys = keys
        self._handles = handles
        self._wall = wall
        self._region = region
        self._parts: dict[str, bytes] = {}
        self._public: Mapping[KeyId, ec.EllipticCurvePublicKey] = {}
        self._looked = -_KNOWN_FOR

    def make(self, person: str, assurance: int) -> tuple[str, CodeContent]:
        """Makes a code for a person (an id); returns its text and what it says."""
        current = self.keys.current
        secret = current.key.private_key
        assert secret is not None
        if current.kid not in self._parts:
            self._parts = {current.kid: personal_codes.key_part(current.key.as_dict(private=False))}
        handle = self._handles.encrypt(HANDLE, self._region, uuid.UUID(person).bytes)
        issued = int(self._wall.now().timestamp())
        content = CodeContent(self._region, self._parts[current.kid], issued, assurance, handle)
        return personal_codes.write(content, lambda data: secret.sign(data, _ES256)), content

    def public(self) -> Mapping[KeyId, ec.EllipticCurvePublicKey]:
        """Returns the public keys of this region's codes."""
        if time.monotonic() - self._looked >= _KNOWN_FOR:
            self._public = personal_codes.keys_of(self._region, self.keys.public())
            self._looked = time.monotonic()
        return self._public

    def opened(self, code: ReadCode, keys: Mapping[KeyId, ec.EllipticCurvePublicKey]) -> OpenedCode:
        """Opens a code by ``keys``, this region's or others'.

        Raises:
            InvalidArgument: CODE_INVALID with rule ``key``, ``signature``, ``early`` or ``handle``.
            FailedPrecondition: CODE_EXPIRED.
        """
        try:
            personal_codes.check_signature(code, keys.get((code.content.region, code.content.key)))
            personal_codes.check_time(code.content, self._wall.now().timestamp())
        except CodeRefused as error:
            raise refused(error.rule) from error
        return OpenedCode(code, self._holder(code) if code.content.region == self._region else "")

    def _holder(self, code: ReadCode) -> str:
        try:
            return str(uuid.UUID(bytes=self._handles.decrypt(HANDLE, self._region, code.content.handle)))
        except (DecryptionFailed, ValueError) as error:
            raise invalid("handle") from error
