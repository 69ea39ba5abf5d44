"""Deadlines in working days (《政务数据共享条例》, State Council Order 809).

The numbers stand in one place, because their text could not be verified; which days work is the calendar's to say.
"""

from dataclasses import dataclass

from services.sharing.core.catalogue import SharingClass


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingLimits:
    """The limits in working days: for the answer to a request, and for the data to flow after consent."""

    answer_unconditional: int = 1
    answer_conditional: int = 10
    supply: int = 20


def answer_days(sharing_class: SharingClass, limits: SharingLimits) -> int:
    """Returns how many working days there are for the answer to a request."""
    return limits.answer_unconditional if sharing_class is SharingClass.UNCONDITIONAL else limits.answer_conditional
