import pytest

from services.cases.calendar_data import all_rows
from services.cases.domain.calendar import Calendar


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    """2024 to 2026 after the State Council's notices."""
    return Calendar(all_rows())
