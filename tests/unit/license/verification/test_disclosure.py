"""What public verification tells, and what it never tells."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.ids.documents import mask_document_number
from services.license.core.catalogue import Holder
from services.license.core.lifecycle import LicenseStanding, LicenseState
from services.license.core.validity import LicenseTerm
from services.license.verification.rules import (
    ComparedField,
    PresentedDetails,
    PublicFacts,
    SealOutcome,
    VerifiedLicense,
    disclose,
)

NOW = datetime(2024, 5, 18, 2, 0, tzinfo=UTC)
FIRM = Holder("organizations/5", "六安虚构商贸有限公司", "001", "91350100M000100Y43")
PERSON = Holder("persons/1", "张三三", "111", "11010519491231002X")
FOUND = VerifiedLicense(
    PublicFacts(
        "1.2.156.3005.2.x",
        "食品经营许可证",
        "天宁区行政审批局",
        1,
        date(2024, 5, 1),
        LicenseTerm(date(2024, 5, 1), date(2029, 4, 30)),
        None,
    ),
    LicenseState.ISSUED,
    "JY-001",
    (FIRM, PERSON),
    "0a1b2c3d",
)


def test_a_good_licence_is_told_without_natural_persons_or_number() -> None:
    told = disclose(FOUND, PresentedDetails(), NOW)
    assert told.standing is LicenseStanding.VALID
    assert told.organization_names == ("六安虚构商贸有限公司",)
    for private in ("张三三", "11010519491231002X", "91350100M000100Y43", "JY-001", "0a1b2c3d"):
        assert private not in repr(told)


def test_what_was_brought_is_compared() -> None:
    brought = PresentedDetails(number="JY-001", holder_name=" 张三三 ", holder_document="11010519491231002x")
    assert disclose(FOUND, brought, NOW).comparisons == (
        (ComparedField.NUMBER, True),
        (ComparedField.HOLDER_NAME, True),
        (ComparedField.HOLDER_DOCUMENT, True),
    )
    assert disclose(FOUND, PresentedDetails(holder_name="张三"), NOW).comparisons == (
        (ComparedField.HOLDER_NAME, False),
    )
    assert disclose(FOUND, PresentedDetails(holder_name="  "), NOW).comparisons == ()


@pytest.mark.parametrize(
    ("brought", "expected"),
    [
        (PresentedDetails(check="0a1b2c3d"), LicenseStanding.VALID),
        (PresentedDetails(check="ffffffff"), LicenseStanding.ALTERED),
        (PresentedDetails(seal_outcome=SealOutcome.VALID), LicenseStanding.VALID),
        (PresentedDetails(seal_outcome=SealOutcome.INVALID), LicenseStanding.ALTERED),
        (PresentedDetails(copy_expire_time=NOW), LicenseStanding.VALID),
        (PresentedDetails(copy_expire_time=NOW - timedelta(seconds=1)), LicenseStanding.COPY_EXPIRED),
    ],
)
def test_conclusions(brought: PresentedDetails, expected: LicenseStanding) -> None:
    assert disclose(FOUND, brought, NOW).standing is expected


def test_a_revoked_licence_is_revoked_also_on_an_old_copy() -> None:
    brought = PresentedDetails(copy_expire_time=NOW - timedelta(days=1))
    assert disclose(replace(FOUND, state=LicenseState.REVOKED), brought, NOW).standing is LicenseStanding.REVOKED


@pytest.mark.parametrize(
    "found", [None, replace(FOUND, state=LicenseState.DRAFT), replace(FOUND, state=LicenseState.VOIDED)]
)
def test_of_what_is_unknown_or_altered_only_the_conclusion_is_told(found: VerifiedLicense | None) -> None:
    told = disclose(found, PresentedDetails(check="ffffffff", number="JY-001"), NOW)
    assert (told.standing, told.public, told.organization_names, told.comparisons) == (
        LicenseStanding.UNKNOWN,
        None,
        (),
        (),
    )
    altered = disclose(FOUND, PresentedDetails(check="ffffffff", number="JY-001"), NOW)
    assert (altered.public, altered.organization_names, altered.comparisons) == (None, (), ())


def test_the_day_is_that_of_china() -> None:
    last_moment = datetime(2029, 4, 30, 15, 59, tzinfo=UTC)
    assert disclose(FOUND, PresentedDetails(), last_moment).standing is LicenseStanding.VALID
    assert disclose(FOUND, PresentedDetails(), last_moment + timedelta(minutes=1)).standing is LicenseStanding.EXPIRED


@pytest.mark.parametrize(
    ("kind", "number", "masked"),
    [
        ("111", "11010519491231002X", "110***********002X"),
        ("414", "E12345678", "********8"),
        ("001", "91350100M000100Y43", "91350100M000100Y43"),
    ],
)
def test_document_numbers_in_lists(kind: str, number: str, masked: str) -> None:
    assert mask_document_number(kind, number) == masked
