"""Where a sign-in to a client stands."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition
from services.identity.sign_in_grants.rules import SignInGrantState, check_stands, ends, state_of

_NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
_LATER = _NOW + timedelta(seconds=1)


def test_it_is_over_at_its_end_and_revoked_whenever_it_was() -> None:
    assert state_of(None, _LATER, _NOW) is SignInGrantState.ACTIVE
    assert state_of(None, _NOW, _NOW) is SignInGrantState.EXPIRED
    assert state_of(_NOW, _LATER, _NOW) is SignInGrantState.REVOKED
    assert state_of(_NOW, _NOW, _NOW) is SignInGrantState.REVOKED


def test_one_without_an_end_has_the_latest_that_it_could_have() -> None:
    """Decision 0069: ninety days after the person signed in."""
    assert ends(_LATER, _NOW) == _LATER
    assert ends(None, _NOW) == _NOW + timedelta(days=90)


def test_what_ended_is_not_ended_again() -> None:
    check_stands("signInGrants/x", SignInGrantState.ACTIVE)
    check_stands("signInGrants/x", SignInGrantState.EXPIRED)
    with pytest.raises(FailedPrecondition) as refusal:
        check_stands("signInGrants/x", SignInGrantState.REVOKED)
    assert refusal.value.reason == "STATE_CONFLICT"
    assert refusal.value.metadata["state"] == "REVOKED"
