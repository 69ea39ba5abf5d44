"""Who gets the original, and on which terms all others get annotated copies (加注件): with purpose, maker and expiry on them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.errors import invalid_field, reasons
from services.license.core.reading import UseBasis

DEFAULT_LIFE = timedelta(days=30)
LONGEST_LIFE = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class CopyTerms:
    """What is written on a copy. ``maker`` is the platform or department that makes it; times are aware."""

    purpose: str
    maker: str
    make_time: datetime
    expire_time: datetime


def copy_terms(purpose: str, maker: str, now: datetime, expire_time: datetime | None) -> CopyTerms:
    """Returns the terms of a copy made ``now``; without ``expire_time`` it is good for 30 days.

    Raises FIELD_INVALID where the expiry is before now (the sharing interface asks 有效期截止 to be now or later) or
    more than 180 days on.
    """
    until = now + DEFAULT_LIFE if expire_time is None else expire_time
    if until < now:
        raise invalid_field("copy_expire_time", "copy_expire_time.future", "must not be before now")
    if until > now + LONGEST_LIFE:
        raise invalid_field("copy_expire_time", "copy_expire_time.limit", "must be at most 180 days on")
    return CopyTerms(_one_line(purpose), _one_line(maker), now, until)


def check_original(license_name: str, basis: UseBasis, item_code: str, original_item_codes: frozenset[str]) -> None:
    """Raises ORIGINAL_NOT_ALLOWED unless the reader may have the original.

    Originals go to the issuer, and to verifiers under a presentation for an item on the type's list.
    """
    listed = basis is UseBasis.PRESENTATION and item_code in original_item_codes
    if basis is not UseBasis.ISSUER and not listed:
        raise reasons.original_not_allowed(
            f"{license_name}: an annotated copy only", resource=license_name, basis=basis.value
        )


def _one_line(text: str) -> str:
    """Takes out what could break out of a line of the watermark: control characters and runs of white space."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
