"""Numbers of identity documents, by the type that GA/T 2000.156 gives them: one rule for all services.

What is known of a type is checked; the number of a type without a known rule is taken in upper case, without blanks around it.
"""

import re
from datetime import date

from libs.errors import InvalidArgument, invalid_field
from libs.ids import citizen_id, uscc

CITIZEN_ID = "111"
"""公民身份号码 (GB 11643-1999)."""
CREDIT_CODE = "001"
"""统一社会信用代码 (GB 32100-2015)."""
PERMANENT_RESIDENCE = "553"
"""外国人永久居留身份证."""

_RESIDENCE = re.compile(r"9[0-9]{16}[0-9X]", re.ASCII)
_OLD_RESIDENCE = re.compile(r"[A-Z]{3}[0-9]{12}", re.ASCII)


def normal_number(type_code: str, number: str, field: str, today: date) -> str:
    """Returns a document's number as it is kept and compared.

    Args:
        type_code: three digits of GA/T 2000.156.
        number: as it was given.
        field: the request's field, for the error.
        today: by the business clock; nobody is born after it.

    Raises:
        InvalidArgument: FIELD_INVALID, with the rule of the type that is broken.
    """
    if type_code == CITIZEN_ID:
        return str(citizen_id.parse(number.strip(), field, today))
    if type_code == CREDIT_CODE:
        return str(uscc.parse(number.strip(), field))
    if type_code == PERMANENT_RESIDENCE:
        return _residence(number.strip().upper(), field, today)
    plain = number.strip().upper()
    if not plain or not plain.isprintable():
        raise invalid_field(field, "document.number", "must hold a number that can be read")
    return plain


def _residence(number: str, field: str, today: date) -> str:
    """Checks the card of 2023 (18 digits that begin with 9, GB 11643's check character); before it 3 letters, 12 digits."""
    if _OLD_RESIDENCE.fullmatch(number):
        return number
    if _RESIDENCE.fullmatch(number) is None:
        raise _refused(field, "shape", "has 18 digits that begin with 9, or 3 letters and 12 digits")
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise _refused(field, "birth_date", "digits 7 to 14 are no date") from None
    if not citizen_id.EARLIEST_BIRTH <= born <= today:
        raise _refused(field, "birth_date", "the birth date is not plausible")
    if citizen_id.check_char(number[:17]) != number[17]:
        raise _refused(field, "check", "the check character does not match")
    return number


def _refused(field: str, rule: str, description: str) -> InvalidArgument:
    return invalid_field(field, f"residence_number.{rule}", description)


def is_organization(document_type: str) -> bool:
    """Returns whether a document type code names an organisation (001 to 099) and not a natural person."""
    return document_type.startswith("0")


def mask_document_number(document_type: str, number: str) -> str:
    """Returns a document number for lists: organisations' as it is, persons' with the first 3 and last 4 characters.

    Short numbers keep their last character only.
    """
    if is_organization(document_type):
        return number
    if len(number) < 10:
        return "*" * (len(number) - 1) + number[-1:]
    return number[:3] + "*" * (len(number) - 7) + number[-4:]
