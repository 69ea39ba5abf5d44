"""How many checks may be started, and what of a configuration is a verifier."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from libs.errors import ResourceExhausted
from services.identity.config import PopulationRegister, VerifierSection
from services.identity.verifiers import rules

NOW = datetime(2024, 1, 9, 10, 0, tzinfo=UTC)


def test_the_sixth_check_within_an_hour_waits_for_the_first() -> None:
    started = [NOW - timedelta(minutes=minutes) for minutes in (1, 2, 3, 20, 50)]
    rules.check_started(started[:4], NOW)
    with pytest.raises(ResourceExhausted) as refused:
        rules.check_started(started, NOW)
    assert (refused.value.reason, refused.value.retry_after) == ("RATE_LIMITED", 600.0)


@pytest.mark.parametrize("told", [{}, {"url": "http://127.0.0.1", "insecure_double": True}])
def test_a_verifier_is_one_thing_or_the_other(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either a url, or insecure_double"):
        VerifierSection.model_validate(told)


@pytest.mark.parametrize("told", [{}, {"table": "t"}, {"url": "http://127.0.0.1", "table": "t", "key_file": "k"}])
def test_a_register_is_one_thing_or_the_other(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either a url, or a table"):
        PopulationRegister.model_validate(told)
