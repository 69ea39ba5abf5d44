"""Where callers call from: ranges of addresses, as a client states them and its tokens carry them (claim `cip`)."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from libs.errors import reasons

Ranges = tuple[IPv4Network | IPv6Network, ...]
_MOST_KNOWN = 4096


def parsed_range(text: str) -> IPv4Network | IPv6Network:
    """Reads one range, `203.0.113.0/24`; raises ValueError where it is none, or a bit is set behind its prefix.

    An IPv4 address written as IPv6 is refused: callers are compared as what they are, and such a range would never hold.
    """
    found = ip_network(text, strict=True)
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise ValueError("an IPv4 range is written as one")
    return found


@lru_cache(maxsize=_MOST_KNOWN)
def parsed(texts: tuple[str, ...]) -> Ranges:
    """Reads ranges; raises ValueError where one is none."""
    return tuple(map(parsed_range, texts))


def holds(texts: tuple[str, ...], address: str) -> bool:
    """Says whether an address lies in one of the ranges; where there are none, any does. What is no address lies in none."""
    if not texts:
        return True
    found = _address(address)
    return found is not None and any(found in each for each in parsed(texts))


def require(texts: tuple[str, ...], client: str, address: str) -> None:
    """Raises PermissionDenied CLIENT_ADDRESS_NOT_ALLOWED where the client may not call from this address.

    Args:
        texts: its ranges; none means anywhere.
        client: its id, for who is told.
        address: the caller's, as the gateway saw it; empty where it is not known.
    """
    if not holds(texts, address):
        raise reasons.client_address_not_allowed(
            "the client may not call from this address", client=f"clients/{client}"
        )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
