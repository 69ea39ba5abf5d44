"""Working days, by the State Council's notices as the package ``chinesecalendar`` has them."""

from datetime import date, datetime, timedelta, timezone

from chinese_calendar import is_workday

from libs.errors import FailedPrecondition

_CHINA_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
_ONE_DAY = timedelta(days=1)


def local_day(moment: datetime) -> date:
    """Returns the day that an aware ``moment`` falls on in China (UTC+8)."""
    return moment.astimezone(_CHINA_TIME).date()


def is_working_day(day: date) -> bool:
    """Tells whether ``day`` is worked; raises FailedPrecondition CALENDAR_UNKNOWN where no notice covers its year."""
    try:
        return bool(is_workday(day))
    except NotImplementedError as error:
        raise FailedPrecondition("CALENDAR_UNKNOWN", f"no holiday notice covers {day}", date=day.isoformat()) from error


def add_working_days(day: date, count: int) -> date:
    """Returns the ``count``-th working day after ``day``; raises FailedPrecondition CALENDAR_UNKNOWN."""
    while count > 0:
        day += _ONE_DAY
        count -= is_working_day(day)
    return day
