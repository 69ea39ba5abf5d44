"""What is within what: a client's terms, compared part by part; and what holds at once of what is asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import InvalidArgument
from services.identity.core.client_terms import ClientTerms, allows, check_ranges, in_common

DAY = datetime(2024, 6, 3, tzinfo=UTC)
BACK = ("https://a.test/back", "https://b.test/back")
STANDS = ClientTerms(("cases.cases.*",), ("PERSON",), 3, ("203.0.113.0/24",), DAY, "", False, BACK, BACK[:1])
NARROWER = (
    {"scopes": ()},
    {"scopes": ("cases.cases.get",)},
    {"assertable": ()},
    {"max_assurance": 2},
    {"ip_ranges": ("203.0.113.128/25",)},
    {"ip_ranges": ("203.0.113.1/32", "203.0.113.9/32")},
    {"expire_time": DAY - timedelta(seconds=1)},
    {"sender_constraint": "DPOP"},
    {"redirect_uris": BACK[1:]},
    {"redirect_uris": ()},
    {"post_logout_redirect_uris": ()},
)
WIDER = (
    {"scopes": ("cases.*",)},
    {"scopes": ("cases.cases.*", "seal.seals.get")},
    {"assertable": ("PERSON", "STAFF")},
    {"max_assurance": 4},
    {"ip_ranges": ()},
    {"ip_ranges": ("203.0.112.0/23",)},
    {"ip_ranges": ("203.0.113.0/24", "2001:db8::/32")},
    {"ip_ranges": ("::/0",)},
    {"expire_time": DAY + timedelta(seconds=1)},
    {"expire_time": None},
    {"redirect_uris": (*BACK, "https://a.test/back2")},
    {"post_logout_redirect_uris": BACK},
)


@pytest.mark.parametrize("change", NARROWER)
def test_less_is_allowed_and_the_way_back_is_not(change: dict[str, object]) -> None:
    less = replace(STANDS, **change)  # type: ignore[arg-type]
    assert allows(STANDS, less)
    assert not allows(less, STANDS)
    assert in_common(STANDS, less) == less
    assert in_common(less, STANDS) == less


@pytest.mark.parametrize("change", WIDER)
def test_more_is_not_allowed_and_changes_nothing_at_once(change: dict[str, object]) -> None:
    more = replace(STANDS, **change)  # type: ignore[arg-type]
    assert not allows(STANDS, more)
    assert in_common(STANDS, more) == STANDS


def test_all_is_allowed_that_stands() -> None:
    assert allows(STANDS, STANDS)
    for anything in (replace(STANDS, ip_ranges=(), expire_time=None),):
        assert allows(anything, anything)


def test_of_what_is_moved_the_common_part_holds_at_once() -> None:
    asked = ClientTerms(("cases.cases.get", "seal.*"), ("STAFF",), 4, ("203.0.113.0/25", "192.0.2.0/24"), None)
    assert in_common(STANDS, asked) == ClientTerms(("cases.cases.get",), (), 3, ("203.0.113.0/25",), DAY)


def test_who_moves_to_other_addresses_is_not_let_in_from_everywhere_meanwhile() -> None:
    """No range is anywhere, and so an empty meeting must not be written as one."""
    asked = replace(STANDS, ip_ranges=("192.0.2.0/24",))
    assert in_common(STANDS, asked).ip_ranges == ("203.0.113.0/24",)


def test_terms_come_back_from_json_as_they_went() -> None:
    for terms in (STANDS, replace(STANDS, expire_time=None, ip_ranges=(), sender_constraint="DPOP")):
        assert ClientTerms.of_json(terms.to_json()) == terms


def test_terms_that_were_kept_before_demand_no_key() -> None:
    kept = STANDS.to_json()
    del kept["sender_constraint"]
    assert ClientTerms.of_json(kept) == STANDS


def test_to_let_bearers_in_again_is_more() -> None:
    bound = replace(STANDS, sender_constraint="DPOP")
    assert allows(bound, bound)
    assert not allows(bound, STANDS)
    assert in_common(bound, STANDS) == bound


@pytest.mark.parametrize(
    ("ranges", "field", "rule"),
    [
        (("203.0.113.0/24", "203.0.113.1/24"), "client.ip_ranges[1]", "client.ip_range"),
        (tuple(f"2001:db8:{n:04x}:1234:5678::/80" for n in range(40)), "client.ip_ranges", "client.ip_ranges"),
    ],
)
def test_what_is_no_range_and_what_is_too_long_is_named(ranges: tuple[str, ...], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_ranges(ranges, "client.ip_ranges")
    assert [(each.field, each.rule) for each in caught.value.violations] == [(field, rule)]


def test_a_thousand_characters_fit() -> None:
    each = "203.0.113.0/24"  # 14 characters
    fitting = (each,) * 71
    assert sum(map(len, fitting)) == 994
    check_ranges(fitting, "f")
    check_ranges((*fitting, "::/128"), "f")
    with pytest.raises(InvalidArgument):
        check_ranges((*fitting, "::1/128"), "f")
