"""Who may use a licence: presentations, bases, originals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.access.context import name_here
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, TongbanError
from services.license.core.reading import (
    HandledCase,
    LicenseFacts,
    Presentation,
    PresentationState,
    Purpose,
    Reader,
    UseBasis,
    basis_for,
    rests_on_case,
)
from services.license.files.rules import check_original
from services.license.presentations.rules import (
    check_consent,
    check_held,
    code_text,
    expiry,
    redeem,
    region_of_code,
    withdraw,
)

NOW = datetime(2024, 5, 18, 2, 0, tzinfo=UTC)
LICENSE = "licenses/1"
CASE = "//320402/cases/7"
VERIFIER = Reader("320402", department="departments/9")
STRANGER = Reader("320402", department="departments/8")
ACTIVE = Presentation(
    id="1",
    holder="organizations/5",
    licenses=(LICENSE,),
    verifier="//320402/departments/9",
    item_code="item-1",
    purpose_code="LICENSE_CHECK",
    purpose="",
    service_item="",
    case_name=CASE,
    department="",
    operator="",
    transaction_id="",
    consent="",
    single_use=True,
    code=b"",
    code_digest=b"",
    expire_time=NOW + timedelta(minutes=10),
    create_time=NOW,
    update_time=NOW,
)
FACTS = LicenseFacts(LICENSE, "341500", frozenset({"organizations/5"}), "departments/1", "cases/3", "320402", "T1")


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(TongbanError) as caught:
        call()
    named = caught.value.metadata.get("resource", LICENSE)
    assert named in (LICENSE, "presentations/1", "organizations/5")
    return caught.value.reason, caught.value.metadata.get("rule", "")


def test_code_names_its_region_and_holds_all_128_bits() -> None:
    code = code_text("341500", bytes(range(16)))
    assert len(code) == 33
    assert region_of_code(code) == "341500"
    assert len({code_text("341500", bytes([*([0] * 15), value])) for value in range(256)}) == 256
    assert region_of_code(code_text("wan-zhi-2", bytes(16))) == "wan-zhi-2"
    with pytest.raises(ValueError, match="16"):
        code_text("341500", b"")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "341500-abc",
        "3-" + "A" * 26,
        "-wanzhi-" + "A" * 26,
        "Wanzhi-" + "A" * 26,
        "341500-" + "1" * 26,
        "341500-" + "A" * 27,
    ],
)
def test_other_texts_are_no_code_and_are_not_repeated(code: str) -> None:
    with pytest.raises(NotFound) as caught:
        region_of_code(code)
    assert caught.value.reason == "PRESENTATION_CODE_INVALID"
    assert not code or code not in str(caught.value)


def test_presentations_end_in_ten_minutes_unless_said_and_in_ninety_days_at_most() -> None:
    assert expiry(NOW, None) == NOW + timedelta(minutes=10)
    assert expiry(NOW, NOW + timedelta(days=90)) == NOW + timedelta(days=90)
    for wrong in (NOW, NOW + timedelta(days=91)):
        with pytest.raises(InvalidArgument):
            expiry(NOW, wrong)


def test_who_is_not_the_holder_needs_consent() -> None:
    check_consent("organizations/5", frozenset({"persons/1", "organizations/5"}), "")
    check_consent("organizations/5", frozenset(), "consents/1")
    assert refusal(lambda: check_consent("organizations/5", frozenset({"persons/1"}), ""))[0] == "CONSENT_MISSING"


def test_only_held_licences_are_presented() -> None:
    check_held("persons/1", LICENSE, frozenset({"persons/1", "persons/2"}), official=False)
    told = refusal(lambda: check_held("persons/3", LICENSE, frozenset({"persons/1"}), official=True))
    hidden = refusal(lambda: check_held("persons/3", LICENSE, frozenset({"persons/1"}), official=False))
    assert (told[0], hidden[0]) == ("NOT_OWNER", "RESOURCE_NOT_FOUND")


def test_single_use_code_is_redeemed_once_and_then_read_by_name() -> None:
    done = redeem(ACTIVE, VERIFIER, CASE, NOW)
    assert (done.state, done.redeem_count, done.redeemer) == (PresentationState.REDEEMED, 1, "//320402/departments/9")
    assert refusal(lambda: redeem(done, VERIFIER, CASE, NOW))[0] == "PRESENTATION_USED"
    done.check_read(LICENSE, VERIFIER, CASE, NOW)


def test_reusable_code_is_bound_by_its_first_redemption() -> None:
    open_one = replace(ACTIVE, single_use=False, verifier="//320402", case_name="")
    done = redeem(open_one, VERIFIER, CASE, NOW)
    assert (done.state, done.redeemer, done.case_name) == (PresentationState.ACTIVE, "//320402/departments/9", CASE)
    assert redeem(done, VERIFIER, CASE, NOW).redeem_count == 2
    assert refusal(lambda: redeem(done, STRANGER, CASE, NOW)) == ("PRESENTATION_BOUND_ELSEWHERE", "verifier")
    assert refusal(lambda: redeem(done, VERIFIER, "//320402/cases/8", NOW)) == ("PRESENTATION_BOUND_ELSEWHERE", "case")


@pytest.mark.parametrize(
    ("reader", "case_name", "rule"),
    [
        (STRANGER, CASE, "verifier"),
        (Reader("341500", department="departments/9"), CASE, "verifier"),
        (Reader("320402"), CASE, "verifier"),
        (VERIFIER, "", "case"),
        (VERIFIER, "cases/7", "case"),
    ],
)
def test_nobody_else_redeems(reader: Reader, case_name: str, rule: str) -> None:
    assert refusal(lambda: redeem(ACTIVE, reader, case_name, NOW)) == ("PRESENTATION_BOUND_ELSEWHERE", rule)


def test_a_presentation_ends() -> None:
    late = ACTIVE.expire_time
    assert ACTIVE.state_at(late - timedelta(seconds=1)) is PresentationState.ACTIVE
    assert ACTIVE.state_at(late) is PresentationState.EXPIRED
    done = redeem(ACTIVE, VERIFIER, CASE, NOW)
    assert refusal(lambda: redeem(ACTIVE, VERIFIER, CASE, late))[0] == "PRESENTATION_EXPIRED"
    assert refusal(lambda: done.check_read(LICENSE, VERIFIER, CASE, late))[0] == "PRESENTATION_EXPIRED"
    taken_back = withdraw(done)
    assert taken_back.state_at(late) is PresentationState.WITHDRAWN
    assert refusal(lambda: taken_back.check_read(LICENSE, VERIFIER, CASE, NOW))[0] == "PRESENTATION_EXPIRED"


def test_nothing_is_read_before_redemption_or_beyond_it() -> None:
    done = redeem(ACTIVE, VERIFIER, CASE, NOW)
    assert refusal(lambda: ACTIVE.check_read(LICENSE, VERIFIER, CASE, NOW))[1] == "not_redeemed"
    assert refusal(lambda: done.check_read("licenses/2", VERIFIER, CASE, NOW))[1] == "license"


def test_case_names_are_compared_in_one_form() -> None:
    assert name_here("//320402/cases/7", "320402", "320402") == "cases/7"
    assert name_here("//320402/cases/7", "341500", "341500") == "//320402/cases/7"
    assert name_here("cases/7", "341500", "341500") == "cases/7"
    assert name_here("cases/7", "320402", "341500") == "//320402/cases/7"


ITEM, OTHER_ITEM, LAW = "serviceItems/4", "serviceItems/5", "《中华人民共和国行政许可法》第四十二条"
LAWFUL = Purpose("cases/12", law=LAW)
FOR_ITEM = Purpose("cases/12", service_item=ITEM, item=ITEM)
HANDLED = HandledCase(
    "departments/2",
    frozenset({"organizations/5", "persons/9"}),
    frozenset({"T1", "T2"}),
    f"{LAW}；《食品经营许可和备案管理办法》",
    item=ITEM,
)


@pytest.mark.parametrize(
    ("reader", "purpose", "expected"),
    [
        (Reader("341500", frozenset({"persons/1", "organizations/5"})), Purpose(""), UseBasis.HOLDER),
        (Reader("341500", department="departments/1"), Purpose(""), UseBasis.ISSUER),
        (Reader("320402", department="departments/9"), Purpose("cases/3"), UseBasis.RECEIVING_REGION),
        (Reader("320402", department="departments/9"), Purpose("cases/3", law=LAW), UseBasis.RECEIVING_REGION),
        (Reader("341500", department="departments/2"), LAWFUL, UseBasis.LAW),
        (Reader("341500", department="departments/2"), FOR_ITEM, UseBasis.ITEM),
    ],
)
def test_bases(reader: Reader, purpose: Purpose, expected: UseBasis) -> None:
    assert basis_for(reader, FACTS, purpose, HANDLED) is expected
    assert rests_on_case(reader, FACTS, purpose) is (expected in (UseBasis.LAW, UseBasis.ITEM))


@pytest.mark.parametrize(
    ("reader", "purpose", "rule"),
    [
        (Reader("110000", department="departments/1"), Purpose("cases/12"), "region"),
        (Reader("110000", department="departments/1"), LAWFUL, "law"),
        (Reader("110000", department="departments/1"), Purpose("cases/12", item="//110000/serviceItems/1"), "item"),
        (Reader("320402", department="departments/9"), Purpose("cases/4", law=LAW), "case"),
        (Reader("341500", frozenset({"persons/1"})), LAWFUL, "department"),
        (Reader("341500", department="departments/2"), Purpose("", law=LAW), "case"),
        (Reader("341500", department="departments/2"), Purpose("cases/12"), "basis"),
        (Reader("341500", department="departments/2"), Purpose("cases/12", item=OTHER_ITEM), "item"),
        (Reader("341500", department="departments/2"), Purpose("cases/12", OTHER_ITEM, law=LAW), "service_item"),
        (Reader("341500", department="departments/2"), Purpose("cases/12", law="《中华人民共和国行政许可法》"), "law"),
        # Who issued it may read it; a law that is named holds, or the use would count under a law of the reader's own.
        (Reader("341500", department="departments/1"), LAWFUL, "case"),
    ],
)
def test_no_basis(reader: Reader, purpose: Purpose, rule: str) -> None:
    refused = refusal(lambda: basis_for(reader, FACTS, purpose, HANDLED if purpose.case_name else None))
    assert refused == ("LICENSE_USE_NOT_ALLOWED", rule)


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        (None, "case"),
        (replace(HANDLED, department="departments/3"), "case"),
        (replace(HANDLED, parties=frozenset({"organizations/6"})), "case"),
        (replace(HANDLED, type_codes=frozenset({"T2"})), "item"),
        (replace(HANDLED, legal_basis="《另一法》"), "law"),
        (replace(HANDLED, legal_basis=LAW.strip("《》")), "law"),
        (replace(HANDLED, legal_basis=""), "law"),
    ],
)
def test_what_a_basis_by_law_names_must_cover_reader_item_and_licence(case: HandledCase | None, rule: str) -> None:
    reader = Reader("341500", department="departments/2")
    assert refusal(lambda: basis_for(reader, FACTS, LAWFUL, case)) == ("LICENSE_USE_NOT_ALLOWED", rule)


def test_a_region_without_a_case_of_ours_gets_nothing() -> None:
    facts = replace(FACTS, case_name="")
    asker = Reader("320402")
    assert refusal(lambda: basis_for(asker, facts, Purpose("")))[1] == "case"


def test_a_presentation_lets_its_redeemer_read_and_nobody_else() -> None:
    done = redeem(ACTIVE, VERIFIER, CASE, NOW)
    done.check_read(FACTS.name, VERIFIER, CASE, NOW)
    with pytest.raises(PermissionDenied):
        done.check_read(FACTS.name, Reader("341500", department="departments/1"), CASE, NOW)


def test_originals_go_to_the_issuer_and_to_listed_items() -> None:
    check_original(LICENSE, UseBasis.ISSUER, "", frozenset())
    check_original(LICENSE, UseBasis.PRESENTATION, "item-1", frozenset({"item-1"}))


@pytest.mark.parametrize(
    ("basis", "item_code"),
    [
        (UseBasis.HOLDER, "item-1"),
        (UseBasis.LAW, "item-1"),
        (UseBasis.RECEIVING_REGION, "item-1"),
        (UseBasis.PRESENTATION, "item-2"),
        (UseBasis.PRESENTATION, ""),
    ],
)
def test_all_others_get_copies(basis: UseBasis, item_code: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        check_original(LICENSE, basis, item_code, frozenset({"item-1"}))
    assert (caught.value.reason, caught.value.metadata["basis"]) == ("ORIGINAL_NOT_ALLOWED", basis.value)


def test_failed_preconditions_carry_the_state() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        redeem(withdraw(ACTIVE), VERIFIER, CASE, NOW)
    assert caught.value.metadata == {"resource": "presentations/1", "state": "WITHDRAWN"}
