"""Codes of devices as people type them, and how often a device may ask (RFC 8628)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.identity.openid.rules import (
    asks_too_soon,
    new_user_code,
    next_interval,
    normal_user_code,
    shown_user_code,
)

_NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("WDJB-MJHT", "WDJBMJHT"),
        ("wdjbmjht", "WDJBMJHT"),
        (" wdjb mjht ", "WDJBMJHT"),
        ("ｗｄｊｂ－ｍｊｈｔ", "WDJBMJHT"),
        ("WDJB·MJHT。", "WDJBMJHT"),
        ("WDJB-MJH", ""),
        ("WDJB-MJHTB", ""),
        ("WDJB-MJHA", ""),
        ("WDJB-MJH1", ""),
        ("", ""),
        ("-" * 93 + "WDJBMJHT", ""),
        ("-" * 92 + "WDJBMJHT", "WDJBMJHT"),
    ],
)
def test_a_code_is_read_however_it_is_typed(typed: str, code: str) -> None:
    assert normal_user_code(typed) == code


def test_codes_are_as_the_standard_advises_and_differ() -> None:
    """RFC 8628, 6.1: eight of twenty letters without vowels."""
    codes = {new_user_code() for _ in range(200)}
    assert len(codes) == 200
    assert {len(each) for each in codes} == {8}
    assert set("".join(codes)) == set("BCDFGHJKLMNPQRSTVWXZ")
    assert shown_user_code("WDJBMJHT") == "WDJB-MJHT"
    assert all(normal_user_code(shown_user_code(each)) == each for each in codes)


def test_a_device_waits_as_it_was_told() -> None:
    assert not asks_too_soon(None, 5, _NOW)
    assert asks_too_soon(_NOW - timedelta(seconds=4.9), 5, _NOW)
    assert not asks_too_soon(_NOW - timedelta(seconds=5), 5, _NOW)


def test_who_asks_too_soon_waits_five_seconds_more_to_a_minute() -> None:
    """RFC 8628, 3.5."""
    assert next_interval(5, too_soon=False) == 5
    assert next_interval(5, too_soon=True) == 10
    assert next_interval(10, too_soon=True) == 15
    assert next_interval(60, too_soon=True) == 60
