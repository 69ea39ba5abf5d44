"""Unified social credit code (统一社会信用代码), GB 32100-2015: authority, type, region, subject, check character."""

import re
from dataclasses import dataclass

from libs.errors import InvalidArgument, invalid_field

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The 31 characters of GB 32100-2015, 4; a character's index is its value. I, O, S, V and Z are left out."""

_WEIGHTS = tuple(pow(3, position, 31) for position in range(17))
_VALUES = {char: value for value, char in enumerate(ALPHABET)}
_SHAPE = re.compile(rf"[1-9ANY][{ALPHABET}][0-9]{{6}}[{ALPHABET}]{{10}}", re.ASCII)
_SUBJECT_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, slots=True)
class Uscc:
    """A checked unified social credit code."""

    code: str

    def __str__(self) -> str:
        return self.code

    @property
    def authority(self) -> str:
        """The registering authority: 1 establishment office, 5 civil affairs, 9 market regulation, and so on."""
        return self.code[0]

    @property
    def category(self) -> str:
        """Authority and type: 11 government body, 12 public institution, 91 company, 92 sole trader."""
        return self.code[:2]

    @property
    def region_code(self) -> str:
        """The 6 digits of the registering authority's region; 100000 is the national level."""
        return self.code[2:8]

    @property
    def organization_code(self) -> str:
        """The subject code, which is the older organisation code (GB 11714) with its own check character."""
        return self.code[8:17]


def check_char(body: str) -> str:
    """Returns the MOD 31-3 check character of the first 17 characters (GB 32100-2015, 5)."""
    total = sum(_VALUES[char] * weight for char, weight in zip(body, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def organization_check_char(body: str) -> str:
    """Returns the GB 11714 check character of the first 8 characters of an organisation code."""
    total = sum(int(char, 36) * weight for char, weight in zip(body, _SUBJECT_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def parse(text: str, field: str) -> Uscc:
    """Checks a code of 18 characters; lower-case letters are taken and stored in upper case.

    The check character inside the subject code is not enforced: GB 32100 protects the whole by its own.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``uscc.shape`` or ``uscc.check``.
    """
    code = text.upper()
    if not text.isascii() or _SHAPE.fullmatch(code) is None:
        raise invalid_field(field, "uscc.shape", "a unified social credit code has 18 characters of GB 32100-2015")
    if check_char(code[:17]) != code[17]:
        raise invalid_field(field, "uscc.check", "the check character does not match")
    return Uscc(code)


def is_valid(text: str) -> bool:
    """Says whether ``text`` is a well-formed code with a matching check character."""
    try:
        parse(text, "code")
    except InvalidArgument:
        return False
    return True
