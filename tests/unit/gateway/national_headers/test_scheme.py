"""The headers of the national platforms: their signature, their time, and what comes once."""

from dataclasses import replace

import pytest

from libs.errors import Unauthenticated
from services.gateway.national_headers import scheme

# Of the platforms' own description: key, sid, rid, rtime and the signature over the three in this order.
_SECRET, _SIGN = "test-app-secret", "ezc6gws0oBS96rxnGa0SlDybOLaMwhFfMoBqq/j18mo="
_SAID = scheme.NationalHeaders("test_rid", "s_test_sid", "1700000000000", _SIGN)
_AT = 1_700_000_000.0


def _written(prefix: str, said: scheme.NationalHeaders) -> dict[str, str]:
    return {f"{prefix}{name}": getattr(said, name) for name in ("rid", "sid", "rtime", "sign")}


def _rule(headers: dict[str, str], secret: str = _SECRET, now: float = _AT) -> str:
    try:
        scheme.check(scheme.read(headers), secret, now, 300)
    except Unauthenticated as refused:
        return refused.metadata["rule"]
    return "OK"


@pytest.mark.parametrize("prefix", ["gjgxjhpt_", "gjzwfwpt_"])
def test_the_published_vector_is_made_and_taken(prefix: str) -> None:
    assert scheme.signed_headers(prefix, _SECRET, "s_test_sid", "test_rid", 1_700_000_000_000) == _written(
        prefix, _SAID
    )
    assert _rule(_written(prefix, _SAID)) == "OK"


@pytest.mark.parametrize(("away", "told"), [(-300.0, "OK"), (300.0, "OK"), (-300.1, "rtime"), (300.1, "rtime")])
def test_a_clock_is_not_far_away(away: float, told: str) -> None:
    assert _rule(_written("gjgxjhpt_", _SAID), now=_AT + away) == told


def test_who_is_not_known_is_told_what_a_wrong_signature_is() -> None:
    assert _rule(_written("gjgxjhpt_", _SAID), secret="other") == "sign"
    nobody = scheme.sign("", "s_test_sid", "test_rid", "1700000000000")
    assert _rule(_written("gjgxjhpt_", replace(_SAID, sign=nobody)), secret="") == "sign"
    for changed in ({"rid": "test_ri"}, {"sid": "s_test_si"}, {"rtime": "1700000000001"}, {"sign": _SIGN[:-2] + "A="}):
        assert _rule(_written("gjgxjhpt_", replace(_SAID, **changed))) == "sign"


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"rid": ""}, "headers"),
        ({"sid": "x" * 129}, "headers"),
        ({"rid": "县"}, "headers"),
        ({"rid": "a\x7f"}, "headers"),
        ({"sign": ""}, "headers"),
        ({"rtime": "170000000000"}, "rtime"),
        ({"rtime": "17000000000000"}, "rtime"),
        ({"rtime": "170000000000x"}, "rtime"),
    ],
)
def test_what_can_t_be_read_is_refused(said: dict[str, str], rule: str) -> None:
    assert _rule(_written("gjgxjhpt_", replace(_SAID, **said))) == rule


def test_headers_are_those_of_one_platform() -> None:
    assert _rule({}) == "headers"
    assert _rule(_written("gjgxjhpt_", _SAID) | _written("gjzwfwpt_", _SAID)) == "headers"
    mixed = _written("gjgxjhpt_", _SAID)
    mixed["gjzwfwpt_rid"] = mixed.pop("gjgxjhpt_rid")
    assert _rule(mixed) == "headers"


def test_what_comes_once_is_the_moment_or_the_moment_with_its_body() -> None:
    strict = {scheme.once_key(_SAID, body, with_body=False) for body in (b"1", b"2")}
    loose = {scheme.once_key(_SAID, body, with_body=True) for body in (b"1", b"2")}
    assert (len(strict), len(loose)) == (1, 2)
    for changed in ({"rid": "a"}, {"sid": "a"}, {"rtime": "1700000000001"}, {"sign": "a"}):
        assert scheme.once_key(replace(_SAID, **changed), b"1", with_body=False) not in strict
