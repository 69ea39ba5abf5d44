"""What is decided of webhooks: targets, the schedule, who may do what when."""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, TongbanError
from services.identity.webhooks import rules
from services.identity.webhooks.rules import (
    Attempt,
    Delivery,
    DeliveryState,
    SendAnswer,
    SignatureScheme,
    Webhook,
    WebhookFailure,
    WebhookState,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
INSIDE = (ipaddress.ip_network("10.1.0.0/16"),)


def _webhook(**fields: Any) -> Webhook:
    given = {
        "id": "01",
        "client": "clients/a",
        "display_name": "",
        "url": "https://a.example/",
        "types": ("cn.tongban.cases.case.decided.v1", "cn.tongban.license.license.issued.v1"),
        "signature_scheme": SignatureScheme.HMAC_SHA256,
        "secret": b"",
        "create_time": NOW,
        "update_time": NOW,
    }
    return Webhook(**{**given, **fields})


def _delivery(**fields: Any) -> Delivery:
    given = {
        "id": "02",
        "webhook": "01",
        "client": "clients/a",
        "message": "cases_1",
        "type": "cn.tongban.cases.case.decided.v1",
        "subject": "cases/1",
        "place": 1,
        "cursor": "",
        "body": b"",
        "event_time": NOW,
        "create_time": NOW,
        "update_time": NOW,
        "next_attempt_time": NOW,
    }
    return Delivery(**{**given, **fields})


def _refused(url: str, *, allow_http: bool = False) -> str:
    """The rule that a target breaks; empty where it breaks none."""
    try:
        rules.check_target(url, allow_http=allow_http, allowed=INSIDE)
    except InvalidArgument as error:
        ((field, rule),) = [(each.field, each.rule) for each in error.violations]
        assert field == "webhook.url"
        return rule
    return ""


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://partner.example/hook?a=b", ""),
        ("https://partner.example:8443/", ""),
        ("https://8.8.8.8/", ""),
        ("https://10.1.2.3/", ""),
        ("http://partner.example/", "webhook.https"),
        ("ftp://partner.example/", "webhook.https"),
        ("https:///hook", "webhook.url"),
        ("https://partner.example:0/", "webhook.url"),
        ("https://partner.example:65536/", "webhook.url"),
        ("https://[::1/", "webhook.url"),
        ("https://user@partner.example/", "webhook.plain"),
        ("https://partner.example/#a", "webhook.plain"),
        ("https://partner.example\\@10.0.0.1/", "webhook.plain"),
        ("https://10.2.0.1/", "webhook.address"),
        ("https://127.0.0.1/", "webhook.address"),
        ("https://[::1]/", "webhook.address"),
    ],
)
def test_a_target_is_https_at_a_place_that_is_reached(url: str, rule: str) -> None:
    assert _refused(url) == rule


def test_http_is_for_regions_that_say_so() -> None:
    assert _refused("http://partner.example/", allow_http=True) == ""
    assert _refused("ftp://partner.example/", allow_http=True) == "webhook.https"


@pytest.mark.parametrize("status", [200, 204, 299])
def test_what_is_answered_by_2xx_is_taken(status: int) -> None:
    step = rules.after(_delivery(failures=3), SendAnswer(status), NOW)
    assert (step.state, step.failures, step.attempt_time) == (DeliveryState.DELIVERED, 3, None)


@pytest.mark.parametrize("status", [0, 199, 300, 410, 500])
def test_everything_else_is_not(status: int) -> None:
    step = rules.after(_delivery(), SendAnswer(status, WebhookFailure.STATUS), NOW)
    assert (step.state, step.failures, step.attempt_time) == (DeliveryState.WAITING, 1, NOW + timedelta(seconds=5))


def test_the_schedule_is_that_of_the_standard() -> None:
    """Time since start, from the table of Standard Webhooks 1.0.0, "Deliverability and reliability"."""
    since = ["0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05", "1 day, 7:35:05", "2 days, 3:35:05"]
    at, found, failures = NOW, [], 0
    for _ in range(9):
        step = rules.after(_delivery(failures=failures), SendAnswer(500), at)
        assert step.attempt_time is not None
        at, failures = step.attempt_time, step.failures
        found.append(str(at - NOW))
    assert found == [*since, "3 days, 3:35:05"]
    last = rules.after(_delivery(failures=failures), SendAnswer(500), at)
    assert (last.state, last.failures, last.attempt_time) == (DeliveryState.DEAD, 10, None)


def test_what_is_tried_once_is_dead_at_once() -> None:
    assert rules.after(_delivery(once=True), SendAnswer(500), NOW).state is DeliveryState.DEAD


@pytest.mark.parametrize(
    ("wait", "seconds"), [(1, 5), (600, 600), (86_400, 86_400), (86_401, 86_400), (9_999_999, 86_400)]
)
def test_a_receiver_puts_it_off_by_a_day_at_most(wait: int, seconds: int) -> None:
    step = rules.after(_delivery(), SendAnswer(503, wait=timedelta(seconds=wait)), NOW)
    assert step.attempt_time == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("9999999", 9_999_999),
        ("10000000", 0),
        ("", 0),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        ("٣", 0),
    ],
)
def test_retry_after_is_read_in_seconds(text: str, seconds: int) -> None:
    assert rules.retry_after(text) == timedelta(seconds=seconds)


def test_the_last_twenty_attempts_are_kept() -> None:
    made: tuple[Attempt, ...] = ()
    for number in range(25):
        made = rules.kept(made, Attempt("t", number, "", 0))
    assert [each.status for each in made] == list(range(5, 25))


def test_types_that_nobody_is_told_of_are_named() -> None:
    public = {"cn.tongban.cases.case.decided.v1"}
    rules.check_types(public, public)
    with pytest.raises(InvalidArgument) as refusal:
        rules.check_types(["a", "cn.tongban.cases.case.decided.v1", "b"], public)
    assert [(each.field, each.rule) for each in refusal.value.violations] == [
        ("webhook.types[0]", "public"),
        ("webhook.types[2]", "public"),
    ]


def test_a_webhook_follows_the_services_of_its_types() -> None:
    assert _webhook().services == ["cases", "license"]
    assert (_webhook().name, _delivery().name) == ("webhooks/01", "webhookDeliveries/02")


def _reason(check: Any, *given: Any) -> tuple[str, dict[str, str]]:
    with pytest.raises(TongbanError) as refusal:
        check(*given)
    return refusal.value.reason, dict(refusal.value.metadata)


def test_states_are_what_a_step_needs() -> None:
    held, ended = _webhook(state=WebhookState.SUSPENDED), _webhook(state=WebhookState.ENDED)
    rules.check_not_ended(held)
    rules.check_is(held, WebhookState.SUSPENDED)
    rules.check_dead(_delivery(state=DeliveryState.DEAD))
    for check, given, state in (
        (rules.check_not_ended, (ended,), "ENDED"),
        (rules.check_is, (held, WebhookState.ACTIVE), "SUSPENDED"),
        (rules.check_dead, (_delivery(),), "WAITING"),
    ):
        reason, metadata = _reason(check, *given)
        assert (reason, metadata["state"]) == ("STATE_CONFLICT", state)


@pytest.mark.parametrize(
    ("suspender", "who", "may"),
    [
        ("clients/a", "clients/a", True),
        ("services/identity", "clients/a", True),
        ("staff/1", "clients/a", False),
        ("clients/admin", "clients/a", False),
        ("staff/1", "staff/2", True),
        ("clients/a", "staff/2", True),
    ],
)
def test_a_client_resumes_what_nobody_else_suspended(suspender: str, who: str, may: bool) -> None:
    webhook = _webhook(state=WebhookState.SUSPENDED, suspender=suspender)
    if may:
        rules.check_resumer(webhook, who)
        return
    with pytest.raises(PermissionDenied) as refusal:
        rules.check_resumer(webhook, who)
    assert refusal.value.reason == "NOT_OWNER"


def test_a_client_has_twenty() -> None:
    rules.check_number(19, "clients/a")
    with pytest.raises(FailedPrecondition) as refusal:
        rules.check_number(20, "clients/a")
    assert (refusal.value.reason, refusal.value.metadata) == (
        "TOO_MANY_WEBHOOKS",
        {"client": "clients/a", "limit": "20"},
    )
