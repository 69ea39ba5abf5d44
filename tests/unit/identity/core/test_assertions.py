from datetime import UTC, datetime
from typing import Any

import pytest

from libs.errors import Unauthenticated
from services.identity.core.client_assertions import LONGEST_SECONDS, from_claims
from services.identity.core.client_rules import plain_id
from services.identity.core.issue import on_wall

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
AUDIENCES = ("https://gateway.test", "https://gateway.test/oauth/token")


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": "window",
        "sub": "persons/x",
        "aud": AUDIENCES[0],
        "exp": SECONDS + 55,
        "jti": "1",
        "acr": "3",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": [*AUDIENCES]},
        {"aud": AUDIENCES[1]},
        {"iat": SECONDS, "nbf": SECONDS + 60},
        {"exp": SECONDS + LONGEST_SECONDS},
        {"exp": SECONDS + LONGEST_SECONDS + 60},
        {"exp": SECONDS - 59},
        {"exp": SECONDS + 0.5},
    ],
    ids=str,
)
def test_what_holds_is_read(changes: dict[str, Any]) -> None:
    found = from_claims(_claims(**changes), AUDIENCES, NOW)
    assert (found.issuer, found.subject, found.jti, found.acr) == ("window", "persons/x", "1", "3")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"exp": SECONDS - 60}, "exp"),
        ({"exp": None}, "claims"),
        ({"exp": True}, "claims"),
        ({"exp": -1}, "claims"),
        ({"exp": float("nan")}, "claims"),
        ({"exp": float("inf")}, "claims"),
        ({"exp": 2**53}, "claims"),
        ({"exp": 2**53 - 1}, "lifetime"),
        ({"iat": "", "exp": 0}, "exp"),
        ({"iss": ""}, "claims"),
        ({"sub": None}, "claims"),
        ({"acr": True}, "acr"),
        ({"acr": ""}, "acr"),
        ({"exp": SECONDS + LONGEST_SECONDS + 60.5}, "lifetime"),
        ({"iat": SECONDS + 61}, "iat"),
        ({"nbf": SECONDS + 61}, "nbf"),
        ({"iat": "x"}, "claims"),
        ({"aud": "https://gateway.test/"}, "aud"),
        ({"aud": [1, None]}, "aud"),
        ({"aud": None}, "aud"),
        ({"jti": None}, "claims"),
        ({"jti": "x" * 201}, "claims"),
        ({"sub": 7}, "claims"),
        ({"acr": "x" * 65}, "acr"),
        ({"acr": 2.5}, "acr"),
        ({"acr": ["3"]}, "acr"),
    ],
    ids=str,
)
def test_what_does_not_hold_is_named(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(Unauthenticated) as error:
        from_claims(_claims(**changes), AUDIENCES, NOW)
    assert error.value.metadata == {"rule": rule}
    assert error.value.message.strip()


@pytest.mark.parametrize(("acr", "level"), [(None, ""), ("0", "0"), (4, "4"), ("x" * 64, "x" * 64)])
def test_how_far_the_channel_knows_the_person_may_be_left_open(acr: object, level: str) -> None:
    found = from_claims(_claims(acr=acr, jti="x" * 200), AUDIENCES, NOW)
    assert (found.acr, found.expire) == (level, SECONDS + 55)


def test_the_name_of_a_client_is_as_good_as_its_id() -> None:
    assert plain_id("clients/window") == plain_id("window") == "window"


def test_business_moments_are_told_by_the_machines_clock() -> None:
    business = datetime(2024, 3, 1, tzinfo=UTC)
    assert (on_wall(datetime(2024, 3, 2, tzinfo=UTC), business, NOW) - NOW).days == 1
    assert on_wall(business, business, NOW) == NOW
    assert (on_wall(datetime(9999, 1, 1, tzinfo=UTC), business, NOW) - NOW).days == 36_500
