"""Guardians (监护人): who may be recorded as one, for how long, and that two members of staff stand behind it."""

import calendar
from dataclasses import replace
from datetime import date, datetime, timedelta

from libs.civil.calendar import local_day
from libs.errors import invalid_field, state_conflict
from services.identity.core import approval
from services.identity.core.mandate_rules import Mandate, MandateState, check_draft, check_length

_ADULT_YEARS = 18
"""民法典 17: whoever is 18 years old is an adult."""
_INSTANT = timedelta(microseconds=1)


def of_age(born: date) -> date:
    """Returns the day on which somebody is an adult: the 18th birthday, of a leap day the last day of February (民法典 202)."""
    year = born.year + _ADULT_YEARS
    return date(year, born.month, min(born.day, calendar.monthrange(year, born.month)[1]))


def request_guardian(draft: Mandate, ward_born: date | None, guardian_born: date | None, now: datetime) -> Mandate:
    """Checks that somebody may be recorded as a guardian; the mandate waits for a second member of staff.

    Args:
        draft: the mandate; its agent is the guardian, its principal the ward.
        ward_born: the ward's birth date; None where no document tells it.
        guardian_born: the guardian's, likewise.
        now: the business time.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    if not draft.principal.startswith("persons/"):
        raise invalid_field("mandate.principal", "guardian.ward", "must be a person")
    if not draft.evidence:
        raise invalid_field("mandate.evidence", "required", "must show that the guardian is one")
    if draft.parent or draft.sub_delegable:
        raise invalid_field("mandate.parent", "guardian.own", "a guardian's is nobody's to pass on")
    if draft.acceptance_required:
        raise invalid_field(
            "mandate.acceptance_required", "guardian.acceptance", "staff approve it, no guardian accepts"
        )
    check_draft(draft, now)
    _check_ages(draft, ward_born, guardian_born, now)
    return replace(draft, guardian=True, state=MandateState.REQUESTED, accept_time=None)


def _check_ages(draft: Mandate, ward_born: date | None, guardian_born: date | None, now: datetime) -> None:
    if guardian_born is not None and local_day(now) < of_age(guardian_born):
        raise invalid_field("mandate.agent", "guardian.adult", "must be an adult")
    if ward_born is None or of_age(ward_born) <= local_day(now):
        check_length(draft)
    elif local_day(draft.expire_time - _INSTANT) >= of_age(ward_born):
        raise invalid_field("mandate.end_time", "guardian.of_age", "must not be after the ward's 18th birthday begins")


def approve_guardian(mandate: Mandate, human: str, staff: str, now: datetime) -> Mandate:
    """Lets a second member of staff, ``human`` as a human being, stand behind a guardian's mandate: it holds from then on.

    Raises:
        FailedPrecondition: STATE_CONFLICT unless it is REQUESTED.
        PermissionDenied: ACTING_ON_SELF where the same human being recorded it.
    """
    state = mandate.state_at(now)
    if state is not MandateState.REQUESTED:
        raise state_conflict(mandate.name, state, MandateState.REQUESTED)
    backers = approval.approved_by(mandate.backers, human, "STAFF")
    witnesses = (*mandate.witnesses, staff)
    return replace(mandate, state=MandateState.ACTIVE, accept_time=now, backers=backers, witnesses=witnesses)
