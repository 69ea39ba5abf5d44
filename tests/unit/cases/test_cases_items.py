from datetime import date

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, TongbanError
from services.cases.core.clock import HandlingLimits
from services.cases.core.materials import (
    MaterialRule,
    Obligation,
    check_codes,
    check_rules,
    fulfill,
    missing_at_acceptance,
    missing_at_submission,
    missing_from_correction,
    open_codes,
    tolerate,
)
from services.cases.core.numbers import CaseNumber, case_number, parse_case_number
from services.cases.core.offers import ItemState, Offer, check_offer, check_open_to
from services.cases.items.rules import (
    HandlingKind,
    KnownVersion,
    check_limits,
    code_warnings,
    next_version,
    publish,
)

# Codes as they were published; a government body's USCC, no person's data.
TASK = "11440100007483172Q3440106043001"
BASIC = "440106043001"
DAY = date(2024, 9, 30)
RULES = (
    MaterialRule("application-form", required=True),
    MaterialRule("business-license", required=True),
    MaterialRule("lease", required=True, tolerable=True),
    MaterialRule("floor-plan"),
)


def test_case_number() -> None:
    number = case_number(TASK, DAY, 42)
    assert number == "11440100007483172Q344010604300120240930000042"
    assert len(number) == 45
    assert parse_case_number(number) == CaseNumber(TASK, DAY, 42)


def test_a_days_numbers_end() -> None:
    assert case_number(TASK, DAY, 999_999).endswith("999999")
    with pytest.raises(ResourceExhausted) as caught:
        case_number(TASK, DAY, 1_000_000)
    assert caught.value.metadata == {"task_code": TASK, "date": "2024-09-30"}


@pytest.mark.parametrize(("code", "sequence"), [(TASK, 0), ("A" * 37, 1)])
def test_a_number_that_cannot_be_made(code: str, sequence: int) -> None:
    with pytest.raises(ValueError, match="36 characters"):
        case_number(code, DAY, sequence)


@pytest.mark.parametrize("text", ["", "12", f"{TASK}20241301000001", f"{TASK}2024093000000x", "a" * 45])
def test_no_case_number(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_case_number(text)


def test_versions_follow_without_gaps() -> None:
    assert next_version(TASK, []) == 1
    existing = [KnownVersion(1, ItemState.SUPERSEDED), KnownVersion(2, ItemState.PUBLISHED)]
    assert next_version(TASK, existing) == 3
    with pytest.raises(FailedPrecondition) as caught:
        next_version(TASK, [*existing, KnownVersion(3, ItemState.DRAFT)])
    assert (caught.value.reason, caught.value.metadata["version"]) == ("ITEM_DRAFT_EXISTS", "3")


def test_only_a_draft_is_published() -> None:
    assert publish("serviceItems/x", ItemState.DRAFT) is ItemState.PUBLISHED
    for state in (ItemState.PUBLISHED, ItemState.SUPERSEDED, ItemState.RETIRED):
        with pytest.raises(FailedPrecondition):
            publish("serviceItems/x", state)


@pytest.mark.parametrize(
    ("statutory", "promised", "kind"),
    [(20, 5, "PROMISED"), (20, 20, "PROMISED"), (20, 0, "INSTANT"), (0, 0, "INSTANT"), (20, 0, "OTHER")],
)
def test_limits_allowed(statutory: int, promised: int, kind: str) -> None:
    check_limits(HandlingLimits(statutory, promised), HandlingKind(kind))


@pytest.mark.parametrize(
    ("statutory", "promised", "kind"),
    [(20, 21, "PROMISED"), (20, -1, "OTHER"), (20, 1, "INSTANT"), (20, 0, "PROMISED")],
)
def test_limits_refused(statutory: int, promised: int, kind: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_limits(HandlingLimits(statutory, promised), HandlingKind(kind))
    assert caught.value.metadata == {"statutory": str(statutory), "promised": str(promised)}


def _offer(state: ItemState = ItemState.PUBLISHED, *regions: str, cross_region: bool = True) -> Offer:
    return Offer(
        "serviceItems/x", TASK, state, frozenset({"ENTERPRISE"}), frozenset({"WEB"}), cross_region, frozenset(regions)
    )


@pytest.mark.parametrize(
    ("offer", "applicant", "channel", "reason"),
    [
        (_offer(ItemState.DRAFT), "ENTERPRISE", "WEB", "ITEM_NOT_PUBLISHED"),
        (_offer(), "PERSON", "WEB", "CASE_APPLICANT_NOT_SERVED"),
        (_offer(), "ENTERPRISE", "WINDOW", "CASE_CHANNEL_NOT_OFFERED"),
    ],
)
def test_not_offered(offer: Offer, applicant: str, channel: str, reason: str) -> None:
    check_offer(_offer(), "ENTERPRISE", "WEB")
    with pytest.raises(FailedPrecondition) as caught:
        check_offer(offer, applicant, channel)
    assert caught.value.reason == reason


def test_open_to_regions() -> None:
    check_open_to(_offer(), "341500")
    check_open_to(_offer(ItemState.PUBLISHED, "341500"), "341500")
    for closed in (_offer(ItemState.PUBLISHED, "320402"), _offer(cross_region=False)):
        with pytest.raises(FailedPrecondition) as caught:
            check_open_to(closed, "341500")
        assert caught.value.metadata == {"task_code": TASK, "region": "341500"}


@pytest.mark.parametrize(
    ("basic", "task", "remarks"),
    [
        (BASIC, TASK, 0),
        ("650116013001", "11650000010183859F2650116013001", 0),
        ("440106043002", TASK, 1),
        ("4401060430", TASK, 2),
        ("000000", "37TCP0003A24J0800", 2),
    ],
)
def test_code_warnings_are_remarks(basic: str, task: str, remarks: int) -> None:
    assert len(code_warnings(basic, task)) == remarks


def test_missing_materials() -> None:
    assert missing_at_submission(RULES, {"business-license"}) == ("application-form",)
    assert missing_at_acceptance(RULES, {"business-license", "application-form"}) == ("lease",)
    assert missing_at_acceptance(RULES, {"business-license", "application-form"}, {"lease"}) == ()
    assert missing_from_correction(["", "lease", "floor-plan"], {"lease"}) == ("floor-plan",)


@pytest.mark.parametrize("codes", [["passport"], ["lease", "lease"]])
def test_materials_that_do_not_belong(codes: list[str]) -> None:
    check_codes(RULES, ["lease", "floor-plan"])
    with pytest.raises(InvalidArgument) as caught:
        check_codes(RULES, codes)
    assert caught.value.metadata == {"materials": codes[0]}


def test_material_codes_are_unique() -> None:
    check_rules(RULES)
    with pytest.raises(InvalidArgument):
        check_rules((*RULES, RULES[0]))


TOMORROW = date(2024, 10, 1)


def test_tolerance() -> None:
    obligations = tolerate(RULES, {"application-form"}, [Obligation("lease", TOMORROW)], DAY)
    assert open_codes(obligations) == ("lease",)
    fulfilled = fulfill(obligations, {"lease"})
    assert open_codes(fulfilled) == ()
    with pytest.raises(InvalidArgument):
        fulfill(fulfilled, {"lease"})


@pytest.mark.parametrize(
    ("present", "obligation", "reason"),
    [
        ((), Obligation("business-license", TOMORROW), "CASE_TOLERANCE_NOT_ALLOWED"),
        (("lease",), Obligation("lease", TOMORROW), "CASE_TOLERANCE_NOT_ALLOWED"),
        ((), Obligation("passport", TOMORROW), "CASE_MATERIAL_UNKNOWN"),
        ((), Obligation("lease", DAY), "FIELD_INVALID"),
    ],
)
def test_tolerance_refused(present: tuple[str, ...], obligation: Obligation, reason: str) -> None:
    with pytest.raises(TongbanError) as caught:
        tolerate(RULES, present, [obligation], DAY)
    assert caught.value.reason == reason
