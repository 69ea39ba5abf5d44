"""A refusal names the rule and the thing that it is about; who works on a case is told from who is a party to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.errors import InvalidArgument, PermissionDenied, TongbanError, invalid_field, reasons
from services.license.core.reading import HandledCase, Presentation, Reader
from services.license.core.validity import LicenseTerm, check_validity
from services.license.files.rules import copy_terms
from services.license.issuing.rules import is_lasting
from services.license.materials.rules import Material, MaterialState, check_read, check_reuse
from services.license.presentations.rules import check_by_name, expiry

NOW = datetime(2024, 5, 18, 2, 0, tzinfo=UTC)
DAY = date(2024, 5, 18)
SECOND = timedelta(seconds=1)
LEASE = Material(
    "1",
    "organizations/5",
    "lease",
    b"",
    "sm3:",
    "application/pdf",
    1,
    "cases/7",
    "320402",
    True,
    None,
    "staff/3",
    NOW,
    NOW,
)
FOR_REGION = Presentation(
    "1", "persons/1", (), "//320402", "", "核验", "cases/7", "", "", "", "", "", True, b"", b"", NOW, NOW, NOW
)
OFFICE = Reader("320402", department="departments/9")
CASE = HandledCase("departments/9", frozenset({"persons/1"}), frozenset(), "", frozenset({"departments/9"}))


@pytest.mark.parametrize(
    ("call", "field", "rule"),
    [
        (lambda: check_validity(LicenseTerm(DAY, DAY - timedelta(days=1))), "validity.end", "validity.order"),
        (lambda: expiry(NOW, NOW), "expire_time", "expire_time.future"),
        (lambda: expiry(NOW, NOW + timedelta(days=90) + SECOND), "expire_time", "expire_time.limit"),
        (lambda: copy_terms("", "", NOW, NOW - SECOND), "copy_expire_time", "copy_expire_time.future"),
        (
            lambda: copy_terms("", "", NOW, NOW + timedelta(days=180) + SECOND),
            "copy_expire_time",
            "copy_expire_time.limit",
        ),
    ],
)
def test_a_field_is_named_with_its_rule(call: Callable[[], object], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call()
    assert [(each.field, each.rule) for each in refused.value.violations] == [(field, rule)]


def test_what_is_just_within_is_taken() -> None:
    assert check_validity(LicenseTerm(DAY, DAY)).end == DAY
    assert expiry(NOW, NOW + SECOND) == NOW + SECOND
    assert expiry(NOW, NOW + timedelta(days=90)) == NOW + timedelta(days=90)
    assert copy_terms("a\nb", " c ", NOW, NOW).expire_time == NOW
    assert copy_terms("a\nb", " c ", NOW, None).expire_time == NOW + timedelta(days=30)


def test_a_material_that_may_not_be_read_is_named() -> None:
    with pytest.raises(TongbanError) as erased:
        check_read(replace(LEASE, state=MaterialState.ERASED), OFFICE, "320402", "")
    assert (erased.value.reason, erased.value.metadata) == ("RESOURCE_NOT_FOUND", {"resource": "materials/1"})
    with pytest.raises(TongbanError) as away:
        check_read(LEASE, Reader("341500"), "320402", "cases/7")
    assert (away.value.reason, away.value.metadata) == ("RESOURCE_NOT_FOUND", {"resource": "materials/1"})
    with pytest.raises(PermissionDenied) as others:
        check_read(LEASE, OFFICE, "320402", "")
    assert others.value.reason == "NOT_OWNER"
    assert others.value.message.startswith("materials/1 ")


def test_a_material_that_is_not_used_again_is_named_with_the_rule() -> None:
    with pytest.raises(TongbanError) as refused:
        check_reuse(LEASE, "organizations/6", "lease", DAY)
    assert refused.value.metadata == {"resource": "materials/1", "rule": "owner"}


def test_a_presentations_name_opens_only_what_is_bound() -> None:
    check_by_name(FOR_REGION, OFFICE, works_on=True)
    check_by_name(replace(FOR_REGION, verifier="//320402/departments/9"), OFFICE, works_on=False)
    for bound, rule in ((FOR_REGION, "case"), (replace(FOR_REGION, case_name=""), "code")):
        with pytest.raises(PermissionDenied) as refused:
            check_by_name(bound, OFFICE, works_on=False)
        assert set(refused.value.metadata.values()) == {"presentations/1", rule}


@pytest.mark.parametrize(
    ("reader", "is_of"),
    [
        (OFFICE, True),
        (Reader("320402", department="departments/8"), False),
        (Reader("320402", frozenset({"persons/1"})), True),
        (Reader("320402", frozenset({"persons/2"})), False),
    ],
)
def test_a_case_is_its_parties_and_its_handlers(reader: Reader, is_of: bool) -> None:
    assert CASE.is_of(reader) is is_of


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (invalid_field("face", "face.known", "must be known"), True),
        (reasons.not_owner("somebody else's"), True),
        (reasons.actor_not_allowed("not for machines", actor_kind="CLIENT"), False),
        (reasons.dependency_unavailable("seal is away", dependency="seal"), False),
    ],
)
def test_what_an_operator_can_mend_or_time_is_no_refusal_for_good(error: TongbanError, lasting: bool) -> None:
    assert is_lasting(error) is lasting
