"""The extensions of a certificate that a chain is checked by (RFC 5280, 4.2).

An extension that can't be read does not make the certificate unreadable: it is a fault, and no chain with it holds.
"""

import re
from dataclasses import dataclass, field
from enum import Enum

from libs.crypto.asn1_budget import CONSTRUCTED
from libs.crypto.x509.tlv import BIT_STRING, BOOLEAN, OCTET_STRING, SEQUENCE, Tlv, dotted, only


class KeyUsage(Enum):
    """What a key may be used for (RFC 5280, 4.2.1.3); in the order of the bits."""

    DIGITAL_SIGNATURE = "digital_signature"
    NON_REPUDIATION = "non_repudiation"
    KEY_ENCIPHERMENT = "key_encipherment"
    DATA_ENCIPHERMENT = "data_encipherment"
    KEY_AGREEMENT = "key_agreement"
    KEY_CERT_SIGN = "key_cert_sign"
    CRL_SIGN = "crl_sign"
    ENCIPHER_ONLY = "encipher_only"
    DECIPHER_ONLY = "decipher_only"


_KEY_ID, _KEY_USAGE, _NAMES, _CONSTRAINTS, _AUTHORITY, _PURPOSES = (
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.35",
    "2.5.29.37",
)
_IDENTITY = "1.2.156.10260.4.1.1"
"""The number of the person's document (GB/T 20518, private extensions)."""
_RESIDENT_NUMBER = re.compile(rb"(?<![0-9])[0-9]{17}[0-9X](?![0-9A-Za-z])")
_PROCESSED = frozenset((_KEY_ID, _KEY_USAGE, _NAMES, _CONSTRAINTS, _AUTHORITY, _PURPOSES))
_IN_AUTHORITY = 0x80


@dataclass(slots=True)
class Extensions:
    """What they say; the attributes are those of ``Certificate``."""

    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[KeyUsage] | None = None
    purposes: frozenset[str] | None = None
    key_identifier: bytes = b""
    authority_key_identifier: bytes = b""
    resident_number: str = ""
    unknown_critical: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, holder: Tlv | None) -> "Extensions":
        """Reads ``[3] Extensions``; None where a certificate has none."""
        found = cls()
        for extension in only(holder.content, SEQUENCE).children if holder else ():
            found._one(extension)
        return found

    def _one(self, extension: Tlv) -> None:
        oid, critical, value = split_extension(extension)
        if oid in self._seen:
            self.faults += (f"{oid} twice",)
        self._seen.add(oid)
        if oid == _IDENTITY:
            self.resident_number = _resident_number(value.content)
        if oid not in _PROCESSED:
            self.unknown_critical += (oid,) if critical else ()
            return
        try:
            self._take(oid, value.expect(OCTET_STRING).content)
        except (ValueError, IndexError):
            self.faults += (f"{oid} unreadable",)

    def _take(self, oid: str, value: bytes) -> None:
        if oid == _CONSTRAINTS:
            self._constraints(only(value, SEQUENCE))
        elif oid == _KEY_USAGE:
            self.key_usage = _usages(only(value, BIT_STRING).content)
        elif oid == _PURPOSES:
            self.purposes = frozenset(dotted(purpose) for purpose in only(value, SEQUENCE).children)
        elif oid == _KEY_ID:
            self.key_identifier = only(value, OCTET_STRING).content
        elif oid == _AUTHORITY:
            for part in only(value, SEQUENCE).children:
                if part.tag | CONSTRUCTED == _IN_AUTHORITY | CONSTRUCTED:
                    self.authority_key_identifier = part.implicit(_IN_AUTHORITY)

    def _constraints(self, value: Tlv) -> None:
        parts = value.children
        if parts and parts[0].tag == BOOLEAN:
            self.is_ca = parts.pop(0).content != b"\0"
        length = parts[0].integer if parts else None
        # A length without a CA, or a negative one, says nothing that could be held to (RFC 5280, 4.2.1.9).
        if length is not None and (length < 0 or not self.is_ca):
            self.faults += ("path length",)
        self.path_length = length if self.is_ca else None


def split_extension(extension: Tlv) -> tuple[str, bool, Tlv]:
    """Returns what kind an extension is, whether it is critical, and the element that holds its value."""
    kind, *rest = extension.expect(SEQUENCE).children
    return dotted(kind), len(rest) > 1 and rest[0].expect(BOOLEAN).content != b"\0", rest[-1]


def _usages(bits: bytes) -> frozenset[KeyUsage]:
    unused, octets = bits[0], bits[1:]
    size = len(octets) * 8 - unused
    if unused > 7 or size < 0:
        raise ValueError("not a bit string")
    return frozenset(
        usage for place, usage in enumerate(KeyUsage) if place < size and octets[place // 8] & 0x80 >> place % 8
    )


def _resident_number(value: bytes) -> str:
    """Returns the one number of a resident identity card that stands there: authorities wrap it in one way or another."""
    found = set(_RESIDENT_NUMBER.findall(value))
    return found.pop().decode() if len(found) == 1 else ""
