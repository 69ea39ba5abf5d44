import pytest

from libs.civil.calendar import Calendar
from libs.civil.notices import all_rows


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    """2024 to 2026 after the State Council's notices."""
    return Calendar(all_rows())
