"""Who stands in for whom: times at their limits, posts for all of the time, and what a token of it rests on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.access.actor import Actor, from_claims
from libs.errors import TongbanError
from services.identity.core.duties import Assignment, Duty
from services.identity.core.substitution_rules import (
    LONGEST,
    Substitution,
    SubstitutionState,
    check_held,
    check_times,
)

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
UUID = "00000000-0000-7000-8000-00000000000{}"
S, R, HUMAN = f"staff/{UUID.format(1)}", f"staff/{UUID.format(2)}", f"persons/{UUID.format(3)}"
DEPARTMENT, POST, BY = f"departments/{UUID.format(4)}", "departments/4/posts/5", f"substitutions/{UUID.format(6)}"


def _substitution(**more: Any) -> Substitution:
    values: dict[str, Any] = {
        "id": "s",
        "represented": "r",
        "substitute": "u",
        "department": "d",
        "posts": ("p", "q"),
        "begin_time": NOW,
        "expire_time": NOW + HOUR,
        "state": SubstitutionState.ACTIVE,
        "backers": (),
        "create_time": NOW,
        "update_time": NOW,
    }
    return Substitution(**{**values, **more})


def _refusal(check: Any, *args: Any) -> tuple[str, dict[str, str]]:
    with pytest.raises(TongbanError) as refused:
        check(*args)
    return refused.value.reason, dict(refused.value.metadata)


def _rule(check: Any, *args: Any) -> list[tuple[str, str]]:
    with pytest.raises(TongbanError) as refused:
        check(*args)
    return [(each.field, each.rule) for each in refused.value.violations]


def test_names() -> None:
    row = _substitution()
    assert (row.name, row.represented_name) == ("substitutions/s", "staff/r")
    assert row.post_names == ["departments/d/posts/p", "departments/d/posts/q"]


def test_it_holds_from_its_beginning_to_its_end() -> None:
    row = _substitution()
    row.check_holds(NOW)
    row.check_holds(NOW + HOUR - TICK)
    not_active = "SUBSTITUTION_NOT_ACTIVE"
    assert _refusal(row.check_holds, NOW - TICK) == (not_active, {"substitution": row.name, "state": "ACTIVE"})
    assert _refusal(row.check_holds, NOW + HOUR) == (not_active, {"substitution": row.name, "state": "EXPIRED"})


@pytest.mark.parametrize(("state", "after"), [("REQUESTED", "EXPIRED"), ("REVOKED", "REVOKED"), ("ACTIVE", "EXPIRED")])
def test_its_state_follows_from_the_time_unless_it_was_ended(state: str, after: str) -> None:
    row = _substitution(state=SubstitutionState(state))
    assert (row.state_at(NOW), row.state_at(NOW + HOUR - TICK), row.state_at(NOW + HOUR)) == (state, state, after)
    if state != "ACTIVE":
        assert _refusal(row.check_holds, NOW)[1]["state"] == state


def test_it_is_the_substitutes_own() -> None:
    row = _substitution()
    row.check_of("u")
    assert _refusal(row.check_of, "r")[0] == "RESOURCE_NOT_FOUND"


def test_times() -> None:
    check_times(NOW, NOW + TICK)
    check_times(NOW, NOW + LONGEST)
    assert timedelta(days=90) == LONGEST
    assert _rule(check_times, NOW, NOW) == [("substitution.end_time", "term.order")]
    assert _rule(check_times, NOW, NOW + LONGEST + TICK) == [("substitution.end_time", "term.longest")]


def _held(begin: datetime, expire: datetime | None, post: str = POST) -> Assignment:
    return Assignment(post, frozenset({Duty.REVIEWING}), begin, expire)


@pytest.mark.parametrize(
    ("begin", "expire", "covers"),
    [
        (NOW, None, True),
        (NOW, NOW + HOUR, True),
        (NOW + TICK, None, False),
        (NOW, NOW + HOUR - TICK, False),
    ],
)
def test_a_post_is_held_for_all_of_the_time(begin: datetime, expire: datetime | None, covers: bool) -> None:
    asked = ([_held(begin, expire)], [POST], R, NOW, NOW + HOUR)
    if covers:
        check_held(*asked)
    else:
        assert _refusal(check_held, *asked) == ("POST_NOT_HELD", {"post": POST, "staff": R})


def test_each_post_is_asked_for() -> None:
    own = [_held(NOW, None), _held(NOW, None, "second")]
    check_held(own, ["second", POST], R, NOW, NOW + HOUR)
    assert _refusal(check_held, own, [POST, "third"], R, NOW, NOW + HOUR)[1]["post"] == "third"


def _actor(**more: Any) -> Actor:
    claims = {
        "sub": S,
        "actor_kind": "STAFF",
        "dept": DEPARTMENT,
        "posts": [POST],
        "human": HUMAN,
        "stands_in_for": R,
        "substitution": BY,
        **more,
    }
    return from_claims(claims, "token")


def test_the_token_rests_on_the_posts_of_who_is_away_and_on_the_substitution() -> None:
    assert _actor().parties == {f"{R} {POST}", BY, HUMAN}
    assert _actor(stands_in_for="", substitution="").parties == {f"{S} {POST}", HUMAN}


@pytest.mark.parametrize("whom", ["persons/x", HUMAN, f"//320402/{R}", "staff", "*"])
def test_nobody_stands_in_for_who_is_no_member_of_staff_of_the_region(whom: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _actor(stands_in_for=whom)
