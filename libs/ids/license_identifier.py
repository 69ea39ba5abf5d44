"""Licence identifier (证照标识), GB/T 36904-2018: root OID, type, issuer, serial, version and check character.

``1.2.156.3005.2.<type code>.<issuer code>.<serial>.<version>.<check>``. Issue strictly (``build``, ``parse``); on
import flag what is odd and keep it (``parse_tolerant``), because many numbers in the wild have a wrong check.
"""

import re
from dataclasses import dataclass

from libs.errors import InvalidArgument, invalid_field
from libs.ids import uscc

ROOT = "1.2.156.3005.2"
"""The root code of electronic licences (电子证照根代码)."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TYPE = re.compile(r"[0-9A-Z]{18}[0-9]{3}", re.ASCII)
_LOOSE_ISSUER = re.compile(r"[0-9A-Z]{6,18}", re.ASCII)
_SERIAL = re.compile(r"[0-9A-Z]{1,32}", re.ASCII)
_LOOSE_SERIAL = re.compile(r"[0-9A-Z]{1,64}", re.ASCII)
_VERSION = re.compile(r"[0-9]{3}", re.ASCII)
_MAX_VERSION = 999


@dataclass(frozen=True, slots=True)
class LicenseIdentifier:
    """A licence identifier.

    Attributes:
        type_code: 21 characters: code of the authority that defines the type, and 3 digits.
        issuer_code: code of the issuing authority; 18 characters, 6 to 18 in imported ones.
        serial: digits and upper-case letters, unique within type and issuer.
        version: 1 to 999, one more at each change of the licence.
        check: the check character as read; right in all that ``build`` and ``parse`` return.
    """

    type_code: str
    issuer_code: str
    serial: str
    version: int
    check: str

    def __str__(self) -> str:
        return f"{ROOT}.{self.type_code}.{self.issuer_code}.{self.serial}.{self.version:03}.{self.check}"

    def next_version(self) -> "LicenseIdentifier":
        """Returns the identifier of the licence after one more change.

        Raises:
            ValueError: after version 999.
        """
        return build(self.type_code, self.issuer_code, self.serial, self.version + 1)


def check_char(body: str) -> str:
    """Returns the ISO/IEC 7064 MOD 37,36 check character of ``body``; dots are left out, the root is no part of it.

    Raises:
        ValueError: if ``body`` holds anything but digits, upper-case letters and dots.
    """
    product = 36
    for char in body.replace(".", ""):
        product = ((product + _ALPHABET.index(char)) % 36 or 36) * 2 % 37
    return _ALPHABET[(37 - product) % 36]


def build(type_code: str, issuer_code: str, serial: str, version: int = 1) -> LicenseIdentifier:
    """Makes the identifier of a licence that we issue.

    Raises:
        ValueError: if a part does not keep the strict rules; the caller's own data is wrong then.
    """
    problems = _problems(type_code, issuer_code, serial, version)
    if problems:
        raise ValueError(f"a licence identifier can't be built: {', '.join(problems)}")
    check = check_char(f"{type_code}{issuer_code}{serial}{version:03}")
    return LicenseIdentifier(type_code, issuer_code, serial, version, check)


def parse(text: str, field: str) -> LicenseIdentifier:
    """Reads an identifier strictly.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``license_identifier.`` and ``shape``, ``type_code``,
            ``issuer_code``, ``serial``, ``version`` or ``check``.
    """
    identifier, problems = parse_tolerant(text, field)
    if problems:
        raise _invalid(field, problems[0], f"the {problems[0].replace('_', ' ')} is not valid")
    return identifier


def parse_tolerant(text: str, field: str) -> tuple[LicenseIdentifier, tuple[str, ...]]:
    """Reads an identifier made elsewhere, and names the parts that break a strict rule.

    A missing root code is taken as present, and issuers of 6 to 18 characters (land registries put a region code) and
    serials of up to 64 are taken.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``license_identifier.shape`` if the parts can't even be told apart.
    """
    parts = text.removeprefix(f"{ROOT}.").split(".")
    if len(parts) != 5 or not _is_readable(*parts):
        raise _invalid(field, "shape", "must be root, type, issuer, serial, version and check, with dots between")
    type_code, issuer_code, serial, version, check = parts
    problems = _problems(type_code, issuer_code, serial, int(version))
    if check != check_char(type_code + issuer_code + serial + version):
        problems += ("check",)
    if not text.startswith(f"{ROOT}."):
        problems = ("root", *problems)
    return LicenseIdentifier(type_code, issuer_code, serial, int(version), check), problems


def _is_readable(type_code: str, issuer_code: str, serial: str, version: str, check: str) -> bool:
    return bool(
        _TYPE.fullmatch(type_code)
        and _LOOSE_ISSUER.fullmatch(issuer_code)
        and _LOOSE_SERIAL.fullmatch(serial)
        and _VERSION.fullmatch(version)
        and len(check) == 1
        and check in _ALPHABET
    )


def _problems(type_code: str, issuer_code: str, serial: str, version: int) -> tuple[str, ...]:
    checks = {
        "type_code": bool(_TYPE.fullmatch(type_code)) and uscc.is_valid(type_code[:18]),
        "issuer_code": issuer_code == issuer_code.upper() and uscc.is_valid(issuer_code),
        "serial": bool(_SERIAL.fullmatch(serial)),
        "version": 1 <= version <= _MAX_VERSION,
    }
    return tuple(part for part, holds in checks.items() if not holds)


def _invalid(field: str, rule: str, description: str) -> InvalidArgument:
    return invalid_field(field, f"license_identifier.{rule}", description)
