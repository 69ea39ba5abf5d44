"""What roles may name, and what is left of them."""

from datetime import UTC, datetime

import pytest

from libs.errors import InvalidArgument
from services.identity.roles.rules import StaffRole, check_given, narrowed

NOW = datetime(2024, 6, 3, tzinfo=UTC)
ROLE = StaffRole("1", "收件", ("cases.cases.create", "cases.cases.get", "cases.cases.submit"), NOW, NOW)


def _rule(error: InvalidArgument) -> tuple[str, str]:
    return error.violations[0].field, error.violations[0].rule


def test_a_role_names_what_duties_give() -> None:
    check_given(ROLE.permissions, set(ROLE.permissions), "post.roles")
    with pytest.raises(InvalidArgument) as refused:
        check_given(ROLE.permissions, {"cases.cases.create", "cases.cases.get"}, "post.roles")
    assert _rule(refused.value) == ("post.roles", "role.duties")


def test_what_is_taken_is_gone_and_the_rest_stays() -> None:
    assert narrowed(ROLE, ["cases.cases.get"]) == ("cases.cases.create", "cases.cases.submit")


@pytest.mark.parametrize(
    ("taken", "rule"), [(["cases.cases.decide"], "role.holds"), ([*ROLE.permissions], "role.empty")]
)
def test_what_it_does_not_hold_or_all_of_it_is_not_taken(taken: list[str], rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        narrowed(ROLE, taken)
    assert _rule(refused.value) == ("permissions", rule)
