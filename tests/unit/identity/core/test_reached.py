"""Which addresses are reached of those that clients name."""

from ipaddress import ip_address, ip_network

import pytest

from services.identity.core.reached import is_reached

INSIDE = (ip_network("10.1.0.0/16"),)


@pytest.mark.parametrize("address", ["1.1.1.1", "223.5.5.5", "2400:3200::1", "64:ff9b::101:101", "2002:101:101::1"])
def test_public_addresses_are_called(address: str) -> None:
    assert is_reached(ip_address(address), ())


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
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)
def test_others_are_not_nor_what_holds_one(address: str) -> None:
    """The IANA registries of special-purpose addresses (RFC 6890), and their forms within IPv6 (RFC 4291, 6052, 3056, 4380)."""
    assert not is_reached(ip_address(address), ())


def test_what_the_region_lets_be_called_is() -> None:
    ranges = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    assert is_reached(ip_address("10.1.255.255"), ranges)
    assert is_reached(ip_address("fd00:1::1"), ranges)
    assert is_reached(ip_address("::ffff:10.1.0.1"), ranges)
    assert not is_reached(ip_address("10.2.0.0"), ranges)
    assert not is_reached(ip_address("fd00:2::1"), ranges)


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.1.255.255", True),
        ("::ffff:10.1.0.1", True),
        ("10.2.0.0", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),  # where clouds keep the credentials of their machines
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("ff0e::1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
    ],
)
def test_addresses_are_those_of_the_public_internet_or_of_the_regions_own(address: str, reached: bool) -> None:
    assert is_reached(ip_address(address), INSIDE) is reached
