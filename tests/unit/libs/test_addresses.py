"""Where a client calls from: ranges as CIDR has them (RFC 4632, RFC 4291), and the caller's address as the gateway saw it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.access.actor import Actor, from_claims
from libs.access.addresses import holds, parsed_range, require
from libs.errors import PermissionDenied
from libs.rpc.call import Call
from libs.rpc.stages.caller import caller

OFFICE = ("203.0.113.0/24", "2001:db8:1::/48")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("203.0.113.0", True),
        ("203.0.113.255", True),
        ("203.0.114.0", False),
        ("203.0.112.255", False),
        ("2001:db8:1::1", True),
        ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:2::", False),
        ("::ffff:203.0.113.7", True),
        ("::ffff:203.0.114.7", False),
        ("", False),
        ("unknown", False),
        ("203.0.113.7:443", False),
        ("203.0.113.7, 10.0.0.1", False),
        ("203.0.113.07", False),
    ],
)
def test_an_address_lies_in_a_range_or_does_not(address: str, inside: bool) -> None:
    assert holds(OFFICE, address) is inside


def test_without_ranges_everybody_calls_from_anywhere() -> None:
    assert holds((), "198.51.100.1")
    assert holds((), "")


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.1/24",
        "203.0.113.0/33",
        "2001:db8::1/32",
        "203.0.113/24",
        "::ffff:203.0.113.0/120",
        "a/8",
        "1.2.3.4/",
        "",
    ],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ipaddress words it
        parsed_range(text)


def test_the_refusal_names_the_client_and_no_address() -> None:
    with pytest.raises(PermissionDenied) as refused:
        require(OFFICE, "erp", "198.51.100.1")
    assert (refused.value.reason, refused.value.metadata) == ("CLIENT_ADDRESS_NOT_ALLOWED", {"client": "clients/erp"})
    assert "198" not in refused.value.message


@pytest.mark.parametrize("said", ["203.0.113.0/24", ["203.0.113.1/24"], [7], {}, None, 0, False])
def test_a_token_whose_ranges_are_none_is_nobodys(said: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_claims({"sub": "clients/erp", "actor_kind": "CLIENT", "cip": said}, "")


def _token_of(ranges: tuple[str, ...]) -> Actor:
    return from_claims({"sub": "clients/erp", "actor_kind": "CLIENT", "client_id": "erp", "cip": list(ranges)}, "t")


async def _called(ranges: tuple[str, ...], peers: set[str], forwarded: str | None) -> str:
    """OK, or why a call with a token of these ranges is refused, that came from these peers."""

    async def verify(_token: str) -> Actor:
        return _token_of(ranges)

    method: Any = SimpleNamespace(access=None, descriptor=SimpleNamespace(client_streaming=False))
    metadata = {"authorization": "Bearer t", **({} if forwarded is None else {"x-forwarded-for": forwarded})}
    call = Call(method, cast("Any", None), metadata, peers=frozenset(peers))

    async def handler(_request: object, _call: Call) -> Any:
        return "OK"

    stage = caller(cast("Any", SimpleNamespace(verify=verify)))
    try:
        return cast("str", await stage(method, handler)(None, call))
    except PermissionDenied as error:
        return error.reason


async def test_a_call_through_the_gateway_comes_from_where_the_token_s_client_calls() -> None:
    no = "CLIENT_ADDRESS_NOT_ALLOWED"
    assert await _called(OFFICE, {"gateway"}, "203.0.113.9") == "OK"
    assert await _called(OFFICE, {"gateway"}, "198.51.100.1") == no
    # What stands before the last is the caller's own word.
    assert await _called(OFFICE, {"gateway"}, "203.0.113.9, 198.51.100.1") == no
    assert await _called(OFFICE, {"gateway"}, "198.51.100.1, 203.0.113.9") == "OK"
    assert await _called(OFFICE, {"gateway"}, None) == no
    assert await _called(OFFICE, {"gateway", "cases"}, None) == no
    assert await _called((), {"gateway"}, "198.51.100.1") == "OK"
    # A service hands on what was looked at when it came in.
    assert await _called(OFFICE, {"cases"}, None) == "OK"
