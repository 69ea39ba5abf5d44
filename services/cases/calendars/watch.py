"""Says in time that a year's holiday notice is missing: 90 days before the first limit can reach that year.

Nobody is refused meanwhile (decision 0024); but a deadline that was told provisionally moves by the days that the notice swaps.
"""

from datetime import timedelta

from libs.background import forever
from libs.observability import metrics
from libs.observability.end_warning import EndWarning
from services.cases.calendars.rules import unsettled_year
from services.cases.core.clock import MAX_EXTENSION_DAYS
from services.cases.core.parts import Parts

_AHEAD = timedelta(days=90)
_EVERY_SECONDS = 30.0
_SHARING_DAYS = 30
"""The longest that the sharing of data takes by its rules: 10 working days for the answer, and 20 for the data."""


class CalendarWatch:
    """Looks at the calendar for ever, on every replica: each shows the same."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._warning = EndWarning("calendar")

    async def run(self) -> None:
        """Looks for ever."""
        await forever("cases:calendar", self.look, _EVERY_SECONDS)

    async def look(self) -> None:
        """Looks once; tells by log and metric."""
        calendar, today = await self._parts.calendars.current(), self._parts.workflow.today()
        limit = max(await self._parts.items.longest_limit(), _SHARING_DAYS) + MAX_EXTENSION_DAYS
        year = unsettled_year(calendar, today, limit, _AHEAD)
        provisional = year in calendar.known_years
        metrics.CALENDAR_UNSETTLED.labels("MISSING").set(0 if provisional else year)
        metrics.CALENDAR_UNSETTLED.labels("PROVISIONAL").set(year if provisional else 0)
        basis = "is provisional" if provisional else "is missing"
        self._warning.tell(f"the calendar of {year} {basis}; limits of {limit} working days reach it" if year else "")
