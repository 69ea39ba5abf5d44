"""What holds in every test of a service: a call that wrote a record answers with its receipt, and nobody waits too short."""

from collections.abc import Iterator

import pytest

from libs.db import connection as database_connection
from libs.events import connection as events_connection
from libs.security import once
from tests.support.patience import PATIENCE
from tests.support.receipts import RecordedCalls


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """Stores that are well have all the time there is: one process is all services here, their callers and the suite itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(once, "_WAIT_SECONDS", PATIENCE)
        patch.setattr(events_connection, "_CONNECT_SECONDS", PATIENCE)
        patch.setattr(events_connection, "_ANSWER_SECONDS", PATIENCE)
        patch.setattr(database_connection, "CONNECT_SECONDS", PATIENCE)
        yield


@pytest.fixture(scope="session")
def _recorded_calls() -> Iterator[RecordedCalls]:
    with RecordedCalls().watching() as calls:
        yield calls


@pytest.fixture(autouse=True)
def _every_recorded_call_answers_with_its_receipt(_recorded_calls: RecordedCalls) -> Iterator[None]:
    yield
    assert _recorded_calls.take_faults() == []
