"""Which addresses are reached of those that clients name: none within the region, unless its configuration lets them."""

import ipaddress
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from libs.errors import invalid_field

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpRange = ipaddress.IPv4Network | ipaddress.IPv6Network
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 by way of IPv6 (RFC 6052): the address behind it is the one that counts."""
_TRANSLATED_LOCALLY = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Likewise, in a way that each network chooses for itself (RFC 8215)."""
_PORTS = range(1, 65_536)


def is_reached(address: IpAddress, allowed: Iterable[IpRange]) -> bool:
    """Whether something is sent to an address: one of the public internet, or of the ranges that the region allows."""
    meant = _meant(address)
    if any(meant in each for each in allowed if each.version == meant.version):
        return True
    return meant.is_global and not meant.is_multicast and not _in_local_translation(meant)


def _in_local_translation(address: IpAddress) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address in _TRANSLATED_LOCALLY


def _meant(address: IpAddress) -> IpAddress:
    """Returns the address that is reached in the end by one that holds another (RFC 4291, 6052, 3056, 4380)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def ranges(allowed: Iterable[object]) -> tuple[IpRange, ...]:
    """Reads ranges as configurations have them."""
    return tuple(ipaddress.ip_network(str(each)) for each in allowed)


def check_called(url: str, field: str, what: str, *, allow_http: bool, allowed: Collection[IpRange]) -> None:
    """Raises InvalidArgument FIELD_INVALID of ``field`` with a rule of ``what`` where nothing may be sent to an address.

    A name is looked up when something is sent; an address that is never reached is refused here already.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise invalid_field(field, f"{what}.url", "is no URL") from None
    if parts.scheme != "https" and not (allow_http and parts.scheme == "http"):
        raise invalid_field(field, f"{what}.https", "begins with https://")
    if not host or port not in (None, *_PORTS):
        raise invalid_field(field, f"{what}.url", "names a host")
    if "@" in parts.netloc or "#" in url or "\\" in url:
        raise invalid_field(field, f"{what}.plain", "has neither user nor fragment")
    address = _address(host)
    if address is not None and not is_reached(address, allowed):
        raise invalid_field(field, f"{what}.address", "is an address of the public internet")


def _address(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
