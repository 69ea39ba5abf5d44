"""When a certificate for windows holds."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from libs.errors import PermissionDenied
from services.identity.core.staff import StaffMember

NOW = datetime(2024, 6, 3, tzinfo=UTC)
TODAY = date(2024, 6, 3)
CLERK = StaffMember("1", b"", "7", "2", "3", NOW, NOW)


@pytest.mark.parametrize(
    ("last", "needed"),
    [(None, False), (date(2024, 6, 3), True), (date(2024, 6, 3), False), (date(2024, 6, 4), True)],
)
def test_it_holds_through_its_last_day_and_none_is_needed_unless_the_region_says_so(
    last: date | None, needed: bool
) -> None:
    replace(CLERK, certificate_expire_date=last).check_certified(TODAY, needed=needed)


@pytest.mark.parametrize(("last", "needed"), [(None, True), (date(2024, 6, 2), True), (date(2024, 6, 2), False)])
def test_what_is_over_or_missing_does_not(last: date | None, needed: bool) -> None:
    with pytest.raises(PermissionDenied) as refused:
        replace(CLERK, certificate_expire_date=last).check_certified(TODAY, needed=needed)
    assert (refused.value.reason, refused.value.metadata) == ("STAFF_NOT_CERTIFIED", {"staff": "staff/1"})
