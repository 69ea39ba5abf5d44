"""One-time codes are those of the RFCs, and only those of now."""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from services.identity.signin.one_time_codes import new_secret, setup_uri, step_of
from services.identity.signin.rules import session_level

_SECRET = base64.b32encode(b"12345678901234567890").decode()
"""The secret of RFC 4226, appendix D."""
_CODES = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")
"""Its codes for the counts 0 to 9."""


def _at(step: int, second: int = 0) -> datetime:
    return datetime.fromtimestamp(step * 30 + second, UTC)


@pytest.mark.parametrize("step", range(3, 9))
def test_the_codes_of_rfc_4226_are_taken_in_their_time_and_beside_it(step: int) -> None:
    code = _CODES[step]
    for now in (_at(step), _at(step, 29), _at(step - 1), _at(step + 1, 29), _at(step - 1, 0)):
        assert step_of(_SECRET, code, now) == step
    assert step_of(_SECRET, code, _at(step + 2)) is None
    assert step_of(_SECRET, code, _at(step - 2, 29)) is None


def test_the_code_of_rfc_6238_is_taken_at_its_time() -> None:
    """Appendix B: at 1111111109 SHA-1 gives 07081804, of which applications show the last six digits."""
    assert step_of(_SECRET, "081804", datetime.fromtimestamp(1_111_111_109, UTC)) == 0x23523EC


@pytest.mark.parametrize(
    "typed", ["", "75522", "7552244", "００００００", "abcdef", "-55224", " ", "\u0667\u0665\u0665\u0662\u0662\u0664"]
)
def test_what_is_no_code_is_none(typed: str) -> None:
    assert step_of(_SECRET, typed, _at(1)) is None


def test_a_code_may_have_blanks_around_it() -> None:
    assert step_of(_SECRET, f" {_CODES[1]}\n", _at(1)) == 1


def test_secrets_are_random_and_long_enough() -> None:
    secrets = {new_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert {len(base64.b32decode(each)) for each in secrets} == {20}, "RFC 4226, 4: 160 bits are recommended"


def test_an_application_takes_the_secret_up_from_the_address() -> None:
    parts = urlsplit(setup_uri(_SECRET, "六安市统一身份认证", "208204779"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/六安市统一身份认证:208204779"
    said = parse_qs(parts.query)
    assert (said["secret"], said["issuer"]) == ([_SECRET], ["六安市统一身份认证"])
    assert said.get("period", ["30"]) == ["30"]
    assert said.get("digits", ["6"]) == ["6"]


@pytest.mark.parametrize(
    ("account", "set_at", "level"), [(4, (4, 4), 3), (4, (4, 2), 2), (2, (4, 4), 2), (3, (3, 3), 3), (4, (1, 4), 1)]
)
def test_both_together_stand_for_level_three_and_for_no_more_than_who_set_them(
    account: int, set_at: tuple[int, ...], level: int
) -> None:
    assert session_level(account, ("pwd", "otp"), set_at) == level
