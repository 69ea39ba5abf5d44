"""A refusal names the rule and the thing that it is about; who works on a case is told from who is a party to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.errors import InvalidArgument, PermissionDenied, TongbanError, invalid_field, reasons
from libs.values.kinds import ValueField
from services.license.core.catalogue import TypeState
from services.license.core.lifecycle import LicenseStanding, check_in_force
from services.license.core.reading import (
    HandledCase,
    LicenseFacts,
    Presentation,
    PresentationState,
    Purpose,
    Reader,
    UseBasis,
    basis_for,
    check_issuer,
    rests_on_case,
)
from services.license.core.validity import LicenseTerm, check_validity
from services.license.files.rules import check_original, copy_terms
from services.license.issuing.numbering import next_version
from services.license.issuing.rules import is_lasting
from services.license.materials.rules import (
    SIZE_LIMIT,
    AnnouncedFile,
    Material,
    MaterialState,
    check_announced,
    check_read,
    check_reuse,
    stream_invalid,
)
from services.license.presentations.rules import (
    check_by_name,
    check_consent,
    check_held,
    expiry,
    redeem,
    region_of_code,
)
from services.license.types.rules import check_face_fields, published
from tests.support.values import TEXT

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
    "1",
    "persons/1",
    (),
    "//320402",
    "",
    "LICENSE_CHECK",
    "核验",
    "",
    "cases/7",
    "",
    "",
    "",
    "",
    True,
    b"",
    b"",
    NOW,
    NOW,
    NOW,
)
OFFICE = Reader("320402", department="departments/9")
BOUND = replace(FOR_REGION, verifier="//320402/departments/9")
FACTS = LicenseFacts("licenses/1", "320402", frozenset({"persons/1"}), "departments/1", "", "", "T1")
CASE = HandledCase("departments/9", frozenset({"persons/1"}), frozenset(), "", frozenset({"departments/9"}))


@pytest.mark.parametrize(
    ("call", "reason", "metadata"),
    [
        (
            lambda: check_in_force("licenses/1", LicenseStanding.SUSPENDED),
            "LICENSE_NOT_IN_FORCE",
            {"resource": "licenses/1", "standing": "SUSPENDED"},
        ),
        (
            lambda: check_original("licenses/1", UseBasis.LAW, "A", frozenset({"A"})),
            "ORIGINAL_NOT_ALLOWED",
            {"resource": "licenses/1", "basis": "LAW"},
        ),
        (
            lambda: published("licenseTypes/1", TypeState.DEPRECATED),
            "STATE_CONFLICT",
            {"resource": "licenseTypes/1", "state": "DEPRECATED", "allowed": "DRAFT"},
        ),
        (lambda: next_version("licenses/1", 999), "LICENSE_VERSION_EXHAUSTED", {"resource": "licenses/1"}),
        (lambda: check_consent("persons/1", frozenset(), ""), "CONSENT_MISSING", {"resource": "persons/1"}),
        (lambda: check_held("persons/1", "licenses/1", frozenset(), official=True), "NOT_OWNER", {}),
        (lambda: check_issuer("", ""), "NOT_OWNER", {}),
        (
            lambda: check_announced(AnnouncedFile("", "image/png", SIZE_LIMIT + 1)),
            "MATERIAL_TOO_LARGE",
            {"limit_bytes": "20971520"},
        ),
        (
            lambda: redeem(replace(BOUND, state=PresentationState.REDEEMED), OFFICE, "cases/7", NOW - SECOND),
            "PRESENTATION_USED",
            {"resource": "presentations/1"},
        ),
        (
            lambda: redeem(replace(BOUND, state=PresentationState.REDEEMED), OFFICE, "cases/7", NOW),
            "PRESENTATION_EXPIRED",
            {"resource": "presentations/1", "state": "EXPIRED"},
        ),
        (
            lambda: BOUND.check_read("licenses/1", OFFICE, "cases/7", NOW - SECOND),
            "PRESENTATION_BOUND_ELSEWHERE",
            {"resource": "presentations/1", "rule": "not_redeemed"},
        ),
        (
            lambda: basis_for(OFFICE, FACTS, Purpose("")),
            "LICENSE_USE_NOT_ALLOWED",
            {"resource": "licenses/1", "rule": "case"},
        ),
        (lambda: region_of_code("341500"), "PRESENTATION_CODE_INVALID", {}),
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
        (
            lambda: check_announced(AnnouncedFile("", "text/html", 1)),
            "metadata.document.media_type",
            "media_type.in",
        ),
        (
            lambda: check_announced(AnnouncedFile("", "image/png", 0)),
            "metadata.document.size_bytes",
            "size_bytes.gt",
        ),
        (
            lambda: check_face_fields([ValueField("A", "", True, TEXT)] * 2),
            "license_type.face_fields[1].key",
            "type.unique",
        ),
        (lambda: check_validity(LicenseTerm(DAY, DAY - timedelta(days=1))), "validity.end_date", "validity.order"),
        (lambda: expiry(NOW, NOW), "presentation.expire_time", "expire_time.future"),
        (lambda: expiry(NOW, NOW + timedelta(days=90) + SECOND), "presentation.expire_time", "expire_time.limit"),
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
    assert all(each.description.strip() for each in refused.value.violations)


def test_who_hands_in_another_media_type_is_told_which_are_taken() -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_announced(AnnouncedFile("", "text/html", 1))
    assert "application/ofd, application/pdf, image/jpeg, image/png" in refused.value.violations[0].description


def test_who_is_of_no_department_handles_no_case() -> None:
    assert not replace(CASE, handlers=frozenset({"", "departments/9"})).is_of(Reader("320402"))


def test_the_order_of_an_upload_is_named() -> None:
    error = stream_invalid("chunk_expected")
    assert (error.reason, error.metadata) == ("MATERIAL_STREAM_INVALID", {"rule": "chunk_expected"})


def test_a_redemption_is_written_down_with_its_time() -> None:
    later = NOW - SECOND
    done = redeem(replace(BOUND, single_use=False), OFFICE, "cases/7", later)
    assert (done.redeem_time, done.update_time, done.create_time) == (later, later, NOW)
    assert (done.redeem_count, done.case_name, done.state) == (1, "cases/7", PresentationState.ACTIVE)
    assert redeem(replace(done, redeemer="//320402"), OFFICE, "cases/7", later).redeemer == "//320402"


@pytest.mark.parametrize(
    ("reader", "issuer", "home", "is_issuer"),
    [
        (OFFICE, "departments/9", "320402", True),
        (OFFICE, "departments/8", "320402", False),
        (OFFICE, "departments/9", "341500", False),
        (Reader("320402"), "", "320402", False),
    ],
)
def test_no_department_is_nobodys_issuer(reader: Reader, issuer: str, home: str, is_issuer: bool) -> None:
    assert reader.is_issuer(issuer, home) is is_issuer


@pytest.mark.parametrize(
    ("reader", "facts", "rests"),
    [
        (OFFICE, FACTS, True),
        (Reader("320402", frozenset({"persons/1"})), FACTS, False),
        (replace(OFFICE, department="departments/1"), FACTS, False),
        (replace(OFFICE, region_code="341500"), FACTS, False),
        # Who is of no department has issued nothing, also where a licence names no issuer.
        (Reader("320402"), replace(FACTS, issuer_department=""), True),
    ],
)
def test_a_use_rests_on_the_law_where_nothing_else_holds(reader: Reader, facts: LicenseFacts, rests: bool) -> None:
    assert rests_on_case(reader, facts, Purpose("")) is rests
    if rests:
        with pytest.raises(PermissionDenied):
            basis_for(reader, facts, Purpose(""))


def test_what_is_just_within_is_taken() -> None:
    check_announced(AnnouncedFile("", "image/png", 1))
    check_announced(AnnouncedFile("", "application/ofd", SIZE_LIMIT))
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
