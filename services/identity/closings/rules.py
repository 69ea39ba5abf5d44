"""Why an account is closed, and who may say so."""

from datetime import date
from enum import StrEnum

from libs.errors import invalid_field


class ClosingCause(StrEnum):
    """Why an account was closed."""

    OWN = "OWN"
    DEATH = "DEATH"
    REGISTER = "REGISTER"


def check_death(death: date | None, today: date, *, by_staff: bool) -> ClosingCause:
    """Returns why a person's account is closed: by themselves, or because they died, which staff say.

    Raises:
        InvalidArgument: FIELD_INVALID where staff do not say that the person died, a person says it of themselves, or the day
            lies ahead.
    """
    if not by_staff:
        if death is not None:
            raise invalid_field("death", "death.own", "is not said by the person themselves")
        return ClosingCause.OWN
    if death is None:
        raise invalid_field("death", "required", "staff close an account only because its owner died")
    if death > today:
        raise invalid_field("death.death_date", "death.ahead", "lies ahead")
    return ClosingCause.DEATH
