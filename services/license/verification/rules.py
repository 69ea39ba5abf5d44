"""What public verification may tell: whether a licence is good, and nothing personal beyond what the asker brought."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from libs.civil.calendar import local_day
from libs.ids.documents import is_organization
from libs.names import is_blank, key
from services.license.core.catalogue import Holder
from services.license.core.lifecycle import LicenseStanding, LicenseState, standing
from services.license.core.validity import LicenseTerm


class SealOutcome(Enum):
    """What the seal on a file says; the names are those of SealOutcome in the contract."""

    NOT_CHECKED = "NOT_CHECKED"
    VALID = "VALID"
    INVALID = "INVALID"


class ComparedField(Enum):
    """What an asker may bring to be compared; the names are those of ComparedField in the contract."""

    NUMBER = "NUMBER"
    HOLDER_NAME = "HOLDER_NAME"
    HOLDER_DOCUMENT = "HOLDER_DOCUMENT"


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What anyone may know of a licence. ``state_time`` is when it came into a state other than ISSUED."""

    identifier: str
    type_display_name: str
    issuer_display_name: str
    version: int
    issue_date: date
    validity: LicenseTerm
    state_time: datetime | None


@dataclass(frozen=True, slots=True)
class VerifiedLicense:
    """What is on record of the licence asked about. ``check`` is the one in its QR code."""

    public: PublicFacts
    state: LicenseState
    number: str
    holders: tuple[Holder, ...]
    check: str


@dataclass(frozen=True, slots=True)
class PresentedDetails:
    """What the asker brought; empty text and None mean: not brought. ``copy_expire_time`` is that of the file."""

    check: str = ""
    number: str = ""
    holder_name: str = ""
    holder_document: str = ""
    copy_expire_time: datetime | None = None
    seal_outcome: SealOutcome = SealOutcome.NOT_CHECKED


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What is told. ``public`` is None where only the conclusion may be told."""

    standing: LicenseStanding
    seal_outcome: SealOutcome
    public: PublicFacts | None = None
    organization_names: tuple[str, ...] = ()
    comparisons: tuple[tuple[ComparedField, bool], ...] = ()


def disclose(found: VerifiedLicense | None, brought: PresentedDetails, now: datetime) -> Disclosure:
    """Returns what may be told about ``found`` (None: nothing on record) to somebody who brought ``brought``.

    Number and natural persons are answered by comparison alone. Of a licence that was altered nothing is told: its
    facts would lend the forgery their weight.
    """
    conclusion = _conclude(found, brought, now)
    if found is None or conclusion in (LicenseStanding.UNKNOWN, LicenseStanding.ALTERED):
        return Disclosure(conclusion, brought.seal_outcome)
    names = tuple(holder.display_name for holder in found.holders if is_organization(holder.document_type))
    return Disclosure(conclusion, brought.seal_outcome, found.public, names, _comparisons(found, brought))


def _conclude(found: VerifiedLicense | None, brought: PresentedDetails, now: datetime) -> LicenseStanding:
    if found is None:
        return LicenseStanding.UNKNOWN
    worth = standing(found.state, found.public.validity, local_day(now))
    if worth is LicenseStanding.UNKNOWN:
        return worth
    if brought.seal_outcome is SealOutcome.INVALID or brought.check not in ("", found.check):
        return LicenseStanding.ALTERED
    expired = brought.copy_expire_time is not None and now > brought.copy_expire_time
    return LicenseStanding.COPY_EXPIRED if expired and worth is LicenseStanding.VALID else worth


def _comparisons(found: VerifiedLicense, brought: PresentedDetails) -> tuple[tuple[ComparedField, bool], ...]:
    asked = (
        (ComparedField.NUMBER, brought.number, _plain, [found.number]),
        (ComparedField.HOLDER_NAME, brought.holder_name, key, [each.display_name for each in found.holders]),
        (
            ComparedField.HOLDER_DOCUMENT,
            brought.holder_document,
            _plain,
            [each.document_number for each in found.holders],
        ),
    )
    return tuple((field, form(value) in map(form, known)) for field, value, form, known in asked if not is_blank(value))


def _plain(text: str) -> str:
    # Upper case because people write the check character of their number as x or X.
    return text.strip().upper()
