"""When a client is told again, and which addresses are called."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from services.identity.logouts.rules import is_given_up, may_be_called, next_attempt

_NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (11, 3600), (10_000, 3600)]
)
def test_each_wait_is_twice_the_one_before_to_an_hour(attempts: int, seconds: int) -> None:
    assert next_attempt(attempts, _NOW) == _NOW + timedelta(seconds=seconds)


def test_it_is_tried_for_more_than_a_day() -> None:
    assert not is_given_up(_NOW - timedelta(hours=26) + timedelta(seconds=1), _NOW)
    assert is_given_up(_NOW - timedelta(hours=26), _NOW)


@pytest.mark.parametrize("address", ["1.1.1.1", "223.5.5.5", "2400:3200::1", "64:ff9b::101:101", "2002:101:101::1"])
def test_public_addresses_are_called(address: str) -> None:
    assert may_be_called(address, ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "localhost",
        "",
    ],
)
def test_others_are_not_nor_what_holds_one(address: str) -> None:
    """The IANA registries of special-purpose addresses (RFC 6890), and their forms within IPv6 (RFC 4291, 6052, 3056, 4380)."""
    assert not may_be_called(address, ())


def test_what_the_region_lets_be_called_is() -> None:
    ranges = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    assert may_be_called("10.1.255.255", ranges)
    assert may_be_called("fd00:1::1", ranges)
    assert may_be_called("::ffff:10.1.0.1", ranges)
    assert not may_be_called("10.2.0.0", ranges)
    assert not may_be_called("fd00:2::1", ranges)
