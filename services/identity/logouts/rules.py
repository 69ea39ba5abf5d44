"""When a client is told again that a sign-in ended, and which addresses are called at all."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
GIVEN_UP = timedelta(hours=26)
"""So long it is tried: a client that is away for a day is told nevertheless."""
_STEPS = 9
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 by way of IPv6 (RFC 6052): the address behind it is the one that counts."""
Address = IPv4Address | IPv6Address


def next_attempt(attempts: int, now: datetime) -> datetime:
    """Returns when a client is told again that could not be told ``attempts`` times."""
    return now + min(FIRST_WAIT * (1 << min(attempts - 1, _STEPS)), LONGEST_WAIT)


def is_given_up(create_time: datetime, now: datetime) -> bool:
    """Says whether it was tried for long enough."""
    return create_time + GIVEN_UP <= now


def may_be_called(address: str, private_ranges: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Says whether an address is public, or lies in a range that the region's configuration lets be called."""
    try:
        meant = _meant(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(meant in each for each in private_ranges):
        return True
    return meant.is_global and not meant.is_multicast


def _meant(address: Address) -> Address:
    """Returns the address that is reached in the end by one that holds another."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
