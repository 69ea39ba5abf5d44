"""A refusal of the cases service names the thing, the field and the rule; what is just within is taken."""

from collections.abc import Callable
from datetime import date

import pytest

from libs.errors import InvalidArgument, TongbanError
from services.cases.core.clock import CaseClock, HandlingLimits, StandstillLedger, acceptance_clock
from services.cases.core.exchange import (
    HOLD_WINDOW,
    Inbox,
    TransferSignal,
    TransferState,
    admit,
    move,
)
from services.cases.core.materials import (
    MaterialRule,
    Obligation,
    check_codes,
    check_rules,
    fulfill,
    missing_from_correction,
    tolerate,
)
from services.cases.core.numbers import CaseNumber, case_number, parse_case_number
from services.cases.core.offers import ItemState, Offer, check_offer, check_open_to
from services.cases.core.outcomes import DecisionOutcome, check_reason
from services.cases.core.states import CaseAction, CaseFacts, CaseState, advance
from services.cases.items.rules import HandlingKind, KnownVersion, check_limits, code_warnings, next_version, publish
from services.cases.outgoing.rules import check_open
from services.cases.ratings.rules import RatingKind, check_new
from services.cases.ratings.satisfaction import Coding, decode

CASE, TRANSFER, ITEM = "cases/1", "caseTransfers/1", "serviceItems/1"
TASK, BASIC = "11440100007483172Q3440106043001", "440106043001"
DAY, LATER = date(2024, 9, 30), date(2024, 10, 1)
RULES = (
    MaterialRule("form", required=True),
    MaterialRule("lease", required=True, tolerable=True),
    MaterialRule("plan"),
)
OFFER = Offer(ITEM, TASK, ItemState.PUBLISHED, frozenset({"ENTERPRISE"}), frozenset({"WEB"}))
RATABLE = "NOT_ACCEPTED,CLOSED,DELIVERED,TERMINATED"


def act(action: CaseAction, state: CaseState, human: str = "persons/1", **facts: object) -> Callable[[], CaseState]:
    return lambda: advance(CaseFacts(CASE, state, **facts), action, human)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "reason", "metadata"),
    [
        (
            act(CaseAction.REDECIDE, CaseState.DECIDED),
            "CASE_LICENSE_NOT_FAILED",
            {},
        ),
        (act(CaseAction.REQUEST_CORRECTION, CaseState.SUBMITTED, told_too_late=True), "CASE_ACCEPTANCE_EXPIRED", {}),
        (act(CaseAction.DECLINE, CaseState.SUBMITTED, told_too_late=True), "CASE_ACCEPTANCE_EXPIRED", {}),
        (
            act(CaseAction.ACCEPT_WITH_TOLERANCE, CaseState.SUBMITTED, missing_materials=("a", "b")),
            "CASE_MATERIAL_MISSING",
            {"materials": "a,b"},
        ),
        (
            act(CaseAction.ACCEPT, CaseState.SUBMITTED, unverified_materials=("a", "b")),
            "CASE_MATERIAL_UNVERIFIED",
            {"materials": "a,b"},
        ),
        (
            act(CaseAction.DECIDE, CaseState.UNDER_REVIEW, open_obligations=("a", "b")),
            "CASE_OBLIGATION_OPEN",
            {"materials": "a,b"},
        ),
        (
            act(CaseAction.DECIDE, CaseState.UNDER_REVIEW, open_obligations=("a",), accepted_by="persons/1"),
            "CASE_DUTIES_NOT_SEPARATED",
            {"action": "DECIDE"},
        ),
        (
            act(CaseAction.SUSPEND, CaseState.ACCEPTED),
            "STATE_CONFLICT",
            {"resource": CASE, "state": "ACCEPTED", "allowed": "UNDER_REVIEW"},
        ),
        (
            lambda: check_new(CASE, CaseState.DECIDED, [], RatingKind.FIRST),
            "STATE_CONFLICT",
            {"resource": CASE, "state": "DECIDED", "allowed": RATABLE},
        ),
        (
            lambda: check_new(CASE, CaseState.CLOSED, [RatingKind.FIRST], RatingKind.FIRST),
            "RATING_EXISTS",
            {"case": CASE},
        ),
        (lambda: check_new(CASE, CaseState.CLOSED, [], RatingKind.FOLLOW_UP), "RATING_FIRST_MISSING", {"case": CASE}),
        (
            lambda: next_version(TASK, [KnownVersion(3, ItemState.DRAFT)]),
            "ITEM_DRAFT_EXISTS",
            {"task_code": TASK, "version": "3"},
        ),
        (
            lambda: publish(ITEM, ItemState.RETIRED),
            "STATE_CONFLICT",
            {"resource": ITEM, "state": "RETIRED", "allowed": "DRAFT"},
        ),
        (
            lambda: check_limits(HandlingLimits(20, 21), HandlingKind.PROMISED),
            "ITEM_LIMIT_INVALID",
            {"statutory": "20", "promised": "21"},
        ),
        (
            lambda: check_offer(
                Offer(ITEM, TASK, ItemState.RETIRED, OFFER.applicant_kinds, OFFER.channels), "ENTERPRISE", "WEB"
            ),
            "ITEM_NOT_PUBLISHED",
            {"item": ITEM},
        ),
        (
            lambda: check_offer(OFFER, "PERSON", "WEB"),
            "CASE_APPLICANT_NOT_SERVED",
            {"applicant_kind": "PERSON"},
        ),
        (lambda: check_offer(OFFER, "ENTERPRISE", "WINDOW"), "CASE_CHANNEL_NOT_OFFERED", {"channel": "WINDOW"}),
        (lambda: check_open_to(OFFER, "341500"), "ITEM_NOT_CROSS_REGION", {"task_code": TASK, "region": "341500"}),
        (lambda: check_rules((*RULES, RULES[2], RULES[0])), "CASE_MATERIAL_UNKNOWN", {"materials": "form,plan"}),
        (
            lambda: check_codes(RULES, ["x", "lease", "lease", "x", "y"]),
            "CASE_MATERIAL_UNKNOWN",
            {"materials": "x,y,lease"},
        ),
        (
            lambda: tolerate(RULES, ["lease"], [Obligation("plan", LATER), Obligation("lease", LATER)], DAY),
            "CASE_TOLERANCE_NOT_ALLOWED",
            {"materials": "plan,lease"},
        ),
        (
            lambda: fulfill([Obligation("lease", DAY), Obligation("form", DAY, fulfilled=True)], ["form", "lease"]),
            "CASE_MATERIAL_UNKNOWN",
            {"materials": "form"},
        ),
        (
            lambda: case_number(TASK, DAY, 1_000_000),
            "CASE_NUMBER_EXHAUSTED",
            {"task_code": TASK, "date": "2024-09-30"},
        ),
        (
            lambda: admit(Inbox("x", 2), HOLD_WINDOW + 3, 3, ""),
            "TRANSFER_SEQUENCE_TOO_FAR",
            {"exchange_id": "x", "sequence": "67", "expected": "3"},
        ),
        (
            lambda: admit(Inbox("x", 2), 2, 0, ""),
            "TRANSFER_MESSAGE_CONFLICT",
            {"exchange_id": "x", "sequence": "2"},
        ),
        (
            lambda: move(TRANSFER, TransferState.FAILED, TransferSignal.GIVE_UP),
            "STATE_CONFLICT",
            {"resource": TRANSFER, "state": "FAILED", "allowed": "SENT,RECEIVED"},
        ),
        (
            lambda: check_open(TRANSFER, TransferState.FAILED, []),
            "STATE_CONFLICT",
            {"resource": TRANSFER, "state": "FAILED", "allowed": "SENT,RECEIVED,ACCEPTED"},
        ),
        (
            lambda: StandstillLedger().stop(DAY).stop(DAY),
            "STATE_CONFLICT",
            {"resource": "clock", "state": "STOPPED", "allowed": "RUNNING"},
        ),
        (
            lambda: CaseClock(DAY, HandlingLimits(1, 1)).go(DAY),
            "STATE_CONFLICT",
            {"resource": "clock", "state": "RUNNING", "allowed": "STOPPED"},
        ),
    ],
)
def test_a_refusal_names_what_it_is_about(call: Callable[[], object], reason: str, metadata: dict[str, str]) -> None:
    with pytest.raises(TongbanError) as refused:
        call()
    assert (refused.value.reason, refused.value.metadata) == (reason, metadata)
    assert refused.value.message.strip()


@pytest.mark.parametrize(
    ("call", "field", "rule"),
    [
        (lambda: check_reason(DecisionOutcome.PARTIAL, " \n"), "reason", "decision.reason"),
        (lambda: parse_case_number("a" * 45), "number", "case_number.form"),
        (lambda: parse_case_number(f"{TASK}20240230000001"), "number", "case_number.date"),
        (
            lambda: tolerate(RULES, [], [Obligation("lease", DAY)], DAY),
            "obligations.due_date",
            "obligation.future",
        ),
        (lambda: decode(0, Coding.GB_T_39046), "satisfaction", "satisfaction.code"),
        (lambda: decode(6, Coding.NATIONAL_REPORTING), "satisfaction", "satisfaction.code"),
    ],
)
def test_a_field_is_named_with_its_rule(call: Callable[[], object], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call()
    assert [(each.field, each.rule) for each in refused.value.violations] == [(field, rule)]
    assert all(each.description.strip() for each in refused.value.violations)


def test_what_is_just_within_is_taken() -> None:
    longest = "A" * 36
    assert case_number(longest, DAY, 1) == f"{longest}20240930000001"
    assert parse_case_number(f"{longest}20240930000001") == CaseNumber(longest, DAY, 1)
    assert parse_case_number("A-1B20240229999999") == CaseNumber("A-1B", date(2024, 2, 29), 999_999)
    assert admit(Inbox("x", 2), HOLD_WINDOW + 2, 3, "").inbox.held == {HOLD_WINDOW + 2: 3}
    assert tolerate(RULES, ["form"], [], DAY) == ()
    assert next_version(TASK, [KnownVersion(7, ItemState.PUBLISHED), KnownVersion(2, ItemState.SUPERSEDED)]) == 8
    assert missing_from_correction(["", "b", "a"], []) == ("b", "a")


def test_an_obligation_is_fulfilled_by_its_own_material_and_stays_so() -> None:
    held = (Obligation("a", DAY, fulfilled=True), Obligation("b", DAY), Obligation("c", DAY))
    assert [each.fulfilled for each in fulfill(held, ["b"])] == [True, True, False]
    assert fulfill(held, []) == held


def test_the_clock_of_acceptance_is_five_working_days_with_what_stood_still() -> None:
    ledger = StandstillLedger().stop(DAY)
    assert acceptance_clock(DAY) == CaseClock(DAY, HandlingLimits(5, 5))
    assert acceptance_clock(DAY, ledger) == CaseClock(DAY, HandlingLimits(5, 5), ledger)


def test_remarks_on_codes_say_where_they_differ() -> None:
    assert code_warnings(BASIC, TASK) == []
    assert [text.split()[0] for text in code_warnings(BASIC[:10], f"{TASK}0")] == ["basic_code", "task_code"]
    assert [text.split()[0] for text in code_warnings("440106043002", TASK)] == ["task_code"]
