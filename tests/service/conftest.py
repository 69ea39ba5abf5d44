"""What holds in every test of a service: a call that wrote a record answers with its receipt."""

from collections.abc import Iterator

import pytest

from tests.support.receipts import RecordedCalls


@pytest.fixture(scope="session")
def _recorded_calls() -> Iterator[RecordedCalls]:
    with RecordedCalls().watching() as calls:
        yield calls


@pytest.fixture(autouse=True)
def _every_recorded_call_answers_with_its_receipt(_recorded_calls: RecordedCalls) -> Iterator[None]:
    yield
    assert _recorded_calls.take_faults() == []
