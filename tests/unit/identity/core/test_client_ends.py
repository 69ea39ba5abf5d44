"""The ends of clients: until when tokens come through one, of which environment it is, and when its end is told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.identity.core import client_rules as rules
from services.identity.core import issue
from services.identity.core.claims import Claims, TokenType, from_payload
from services.identity.core.client_rules import Client, ClientEnvironment, ClientKind, ClientState
from services.identity.core.issue import SignIn, StaffFacts, TokenIssue
from tests.unit.identity.records import NOW, client

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ERP = client("erp", ClientKind.PARTNER)
APP = client("app", ClientKind.CHANNEL, assertable=("PERSON", "STAFF"), max_assurance=4)
LUAN = TokenIssue("341500", "https://luan.example", NOW, "1", "2")
FACTS = StaffFacts("staff/1", "departments/1", ("posts/1",), "persons/1")


def test_an_ended_client_is_expired_and_gets_no_token() -> None:
    ends = replace(ERP, expire_time=NOW + SECOND)
    rules.check_standing(ends, NOW)
    assert ends.state_at(NOW) is ClientState.ACTIVE
    over = replace(ERP, expire_time=NOW)
    assert over.state_at(NOW) is ClientState.EXPIRED
    with pytest.raises(PermissionDenied) as refused:
        rules.check_standing(over, NOW)
    assert (refused.value.reason, refused.value.metadata) == (
        "CLIENT_EXPIRED",
        {"client": "clients/erp", "expire_time": "2024-06-03T09:00:00Z"},
    )
    suspended = replace(over, state=ClientState.SUSPENDED)
    assert suspended.state_at(NOW) is ClientState.SUSPENDED
    with pytest.raises(PermissionDenied, match="CLIENT_NOT_ACTIVE"):
        rules.check_standing(suspended, NOW)
    assert (ERP.state_at(NOW), ERP.end) == (ClientState.ACTIVE, 0)


MADE: dict[str, Callable[[Client], object]] = {
    "its own": lambda each: issue.for_client(LUAN, each, ()),
    "a person's": lambda each: issue.for_person(LUAN, each, "persons/1", SignIn(4, 4), ()),
    "staff's": lambda each: issue.for_staff(LUAN, each, FACTS, ()),
}


@pytest.mark.parametrize("token", MADE)
def test_no_token_outlives_its_client_nor_holds_elsewhere(token: str) -> None:
    ranges = ("203.0.113.0/24",)
    made = MADE[token](replace(APP, expire_time=NOW + 90 * SECOND, ip_ranges=ranges))
    assert isinstance(made, Claims)
    assert (made.exp - made.iat, made.ip_ranges) == (90, ranges)
    assert made.payload()["cip"] == list(ranges)
    assert from_payload(TokenType.ACCESS, made.payload()) == made
    with pytest.raises(PermissionDenied, match="CLIENT_EXPIRED"):
        MADE[token](replace(APP, expire_time=NOW))
    free = MADE[token](APP)
    assert isinstance(free, Claims)
    assert "cip" not in free.payload()
    assert free.lifetime == 600


def test_each_environment_has_its_own_clients() -> None:
    trial = replace(ERP, environment=ClientEnvironment.SANDBOX)
    rules.check_environment(ERP, ClientEnvironment.PRODUCTION)
    rules.check_environment(trial, ClientEnvironment.SANDBOX)
    for one, region in ((ERP, ClientEnvironment.SANDBOX), (trial, ClientEnvironment.PRODUCTION)):
        with pytest.raises(PermissionDenied) as refused:
            rules.check_environment(one, region)
        assert refused.value.reason == "CLIENT_WRONG_ENVIRONMENT"
        assert refused.value.metadata == {"client": "clients/erp", "environment": one.environment.value}


@pytest.mark.parametrize(
    ("left", "told", "due"),
    [
        (30 * DAY + SECOND, None, 0),
        (30 * DAY, None, 30),
        (30 * DAY, 30, 0),
        (7 * DAY + SECOND, 30, 0),
        (7 * DAY, 30, 7),
        (7 * DAY, None, 7),
        (7 * DAY, 7, 0),
        (DAY + SECOND, 7, 0),
        (DAY, 7, 1),
        (SECOND, 30, 1),
        (SECOND, 1, 0),
        (0 * DAY, None, 0),
        (-DAY, None, 0),
    ],
)
def test_the_end_is_told_30_7_and_1_days_before_once_each(left: timedelta, told: int | None, due: int) -> None:
    assert rules.notice_due(replace(ERP, expire_time=NOW + left, expiry_notice=told), NOW) == due


def test_nobody_is_warned_of_what_ends_never_or_is_shut_out() -> None:
    assert rules.notice_due(ERP, NOW) == 0
    ends = replace(ERP, expire_time=NOW + DAY)
    assert rules.notice_due(ends, NOW) == 1
    for state in (ClientState.SUSPENDED, ClientState.REQUESTED, ClientState.REFUSED):
        assert rules.notice_due(replace(ends, state=state), NOW) == 0


def test_what_was_refused_stays_so() -> None:
    waits = replace(ERP, state=ClientState.REQUESTED)
    refused = replace(waits, state=rules.refuse(waits))
    assert refused.state is ClientState.REFUSED
    for step in (rules.refuse, rules.suspend, rules.resume, rules.check_not_refused):
        with pytest.raises(FailedPrecondition) as caught:
            step(refused)
        assert caught.value.reason == "STATE_CONFLICT"
        assert (caught.value.metadata["resource"], caught.value.metadata["state"]) == ("clients/erp", "REFUSED")
    for state in (ClientState.ACTIVE, ClientState.SUSPENDED, ClientState.REQUESTED):
        rules.check_not_refused(replace(ERP, state=state))
    for state in (ClientState.ACTIVE, ClientState.SUSPENDED):
        with pytest.raises(FailedPrecondition) as caught:
            rules.refuse(replace(ERP, state=state))
        assert caught.value.metadata["allowed"] == "REQUESTED"


def test_what_was_asked_for_from_outside_is_approved_before_it_comes_back() -> None:
    """A request that was put off must not become a client by a resumption, which one person alone may do."""
    asked = replace(ERP, state=ClientState.SUSPENDED, applicant="persons/1")
    assert rules.resume(asked) is ClientState.REQUESTED
    assert rules.resume(replace(asked, applicant="")) is ClientState.ACTIVE


def test_so_many_stand_behind_a_client() -> None:
    assert rules.approvers_needed(ClientKind.CHANNEL) == 2
    assert {rules.approvers_needed(each) for each in (ClientKind.PARTNER, ClientKind.SYSTEM)} == {1}
