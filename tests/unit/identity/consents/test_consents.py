from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from services.identity.consents import rules as consents
from services.identity.consents.rules import Consent, ConsentState, ConsentUse
from tests.unit.identity.records import consent

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
CONSENT = consent(
    subject="organizations/firm",
    recipient="//320402",
    resources=("licenses/a", "licenses/b"),
    case_name="//320402/cases/x",
)
USE = ConsentUse(
    "organizations/firm", "//320402/departments/d", ["licenses/a"], CONSENT.purpose_code, "//320402/cases/x"
)


def test_a_region_includes_its_departments() -> None:
    consents.check_use(CONSENT, USE, NOW)
    consents.check_use(CONSENT, replace(USE, recipient="//320402", resources=["licenses/a", "licenses/b"]), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "organizations/other"},
        {"recipient": "//3204021/departments/d"},
        {"recipient": "//341500/departments/d"},
        {"resources": ["licenses/a", "licenses/z"]},
        {"case_name": "//320402/cases/y"},
        {"case_name": ""},
        {"purpose_code": "CASE_HANDLING"},
    ],
)
def test_another_use_is_out_of_scope(change: dict[str, object]) -> None:
    with pytest.raises(PermissionDenied) as caught:
        consents.check_use(CONSENT, replace(USE, **change), NOW)  # type: ignore[arg-type]
    assert caught.value.reason == "CONSENT_OUT_OF_SCOPE"


def test_a_department_does_not_include_others() -> None:
    narrow = replace(CONSENT, recipient="//320402/departments/d")
    consents.check_use(narrow, USE, NOW)
    for recipient in ("//320402", "//320402/departments/d/e", "//320402/departments/e"):
        with pytest.raises(PermissionDenied):
            consents.check_use(narrow, replace(USE, recipient=recipient), NOW)


def test_a_collection_and_any_case_can_be_consented_to() -> None:
    wide = replace(CONSENT, resources=("licenses/-",), case_name="")
    consents.check_use(wide, replace(USE, resources=["licenses/z"], case_name="//320402/cases/y"), NOW)
    with pytest.raises(PermissionDenied):
        consents.check_use(wide, replace(USE, resources=["materials/z"]), NOW)


@pytest.mark.parametrize(
    ("consent", "at", "state"),
    [
        (CONSENT, NOW - timedelta(seconds=1), "ACTIVE"),
        (CONSENT, CONSENT.expire_time, "EXPIRED"),
        (consents.withdraw(CONSENT, NOW), NOW, "WITHDRAWN"),
    ],
)
def test_a_consent_holds_in_its_time_only(consent: Consent, at: datetime, state: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        consents.check_use(consent, USE, at)
    assert (caught.value.reason, caught.value.metadata["state"]) == ("CONSENT_NOT_ACTIVE", state)


def test_a_consent_is_withdrawn_once() -> None:
    gone = consents.withdraw(CONSENT, NOW)
    assert (gone.state, gone.withdraw_time) == (ConsentState.WITHDRAWN, NOW)
    for ended, at in ((gone, NOW), (CONSENT, CONSENT.expire_time)):
        with pytest.raises(FailedPrecondition):
            consents.withdraw(ended, at)


@pytest.mark.parametrize(
    ("begin", "expire", "rule"),
    [
        (NOW, NOW, "term.order"),
        (NOW - timedelta(9), NOW - timedelta(1), "term.order"),
        (NOW, NOW + timedelta(days=367), "term.length"),
    ],
)
def test_terms_that_contradict_themselves_are_refused(begin: datetime, expire: datetime, rule: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        consents.check_term(begin, expire, NOW)
    assert caught.value.violations[0].rule == rule
    consents.check_term(NOW, NOW + timedelta(days=366), NOW)
