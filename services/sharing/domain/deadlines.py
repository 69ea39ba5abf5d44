"""Deadlines in working days (《政务数据共享条例》, State Council Order 809; standards.md 5.2).

The numbers are configuration, because their text could not be verified; which days work is the calendar's to say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from libs.errors import invalid_field
from services.sharing.domain.catalog import SharingClass

AddWorkingDays = Callable[[date, int], date]
"""(day, n) -> the n-th working day after that day, which itself does not count."""

CountWorkingDays = Callable[[date, date], int]
"""(first, last) -> how many working days lie after ``first``, up to and with ``last``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits in working days."""

    answer_unconditional: int = 1
    answer_conditional: int = 10
    answer_extension: int = 10
    supply: int = 20
    verification: int = 10
    catalogue_update: int = 10
    catalogue_publication: int = 2


def answer_days(sharing_class: SharingClass, limits: Limits) -> int:
    """Returns how many working days there are for the answer to a request."""
    return limits.answer_unconditional if sharing_class is SharingClass.UNCONDITIONAL else limits.answer_conditional


def answer_due(sharing_class: SharingClass, submitted: date, limits: Limits, add: AddWorkingDays) -> date:
    """Returns the last day for the answer to a request handed in on ``submitted``."""
    return add(submitted, answer_days(sharing_class, limits))


def extended(due: date, days: int, limits: Limits, add: AddWorkingDays) -> date:
    """Returns the last day after an extension of the answer, which the competent authority approved.

    Raises:
        InvalidArgument: FIELD_INVALID, where ``days`` is not between 1 and the limit.
    """
    if not 1 <= days <= limits.answer_extension:
        raise invalid_field("days", "extension.limit", f"must be 1 to {limits.answer_extension} working days")
    return add(due, days)


def resumed(due: date, asked: date, supplied: date, count: CountWorkingDays, add: AddWorkingDays) -> date:
    """Returns the last day after a supplement: it moves by the working days that the applicant took."""
    return add(due, count(asked, supplied)) if supplied > asked else due


def supply_due(granted: date, limits: Limits, add: AddWorkingDays) -> date:
    """Returns the last day for the data to flow after consent."""
    return add(granted, limits.supply)


def verification_due(reported: date, limits: Limits, add: AddWorkingDays) -> date:
    """Returns the last day for the answer to a verification request (校核)."""
    return add(reported, limits.verification)


def catalogue_update_due(changed: date, limits: Limits, add: AddWorkingDays) -> date:
    """Returns the last day for the catalogue to follow a change of law or duty."""
    return add(changed, limits.catalogue_update)


def publication_due(submitted: date, limits: Limits, add: AddWorkingDays) -> date:
    """Returns the last day for an entry that was handed in to be reviewed and published."""
    return add(submitted, limits.catalogue_publication)
