"""Materials: taking, reading, using again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from libs.errors import InvalidArgument, TongbanError
from services.license.core.reading import HandledCase, Reader
from services.license.materials.rules import (
    SIZE_LIMIT,
    AnnouncedFile,
    Material,
    MaterialState,
    check_announced,
    check_content,
    check_read,
    check_received,
    check_reuse,
    state_on,
    stream_invalid,
)

PDF = AnnouncedFile("sm3:" + "0" * 64, "application/pdf", 100)
TODAY = date(2024, 5, 18)
CASE = "//320402/cases/7"
HANDED_IN = datetime(2024, 5, 1, tzinfo=UTC)
LEASE = Material(
    id="1",
    owner="organizations/5",
    category="lease-contract",
    file_name=b"",
    digest=PDF.digest,
    media_type=PDF.media_type,
    size=PDF.size,
    case_name=CASE,
    handling_region="320402",
    reusable=True,
    valid_until=date(2024, 12, 31),
    uploader="staff/3",
    create_time=HANDED_IN,
    update_time=HANDED_IN,
)
HANDLED = HandledCase(
    "departments/1",
    frozenset({"organizations/5"}),
    frozenset(),
    "",
    frozenset({"departments/1", "departments/window", "clients/channel"}),
    frozenset({"materials/1", "materials/2"}),
)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(TongbanError) as caught:
        call()
    assert caught.value.metadata.get("resource", "materials/1") == "materials/1"
    return caught.value.reason, caught.value.metadata.get("rule", "")


def test_what_may_be_announced() -> None:
    check_announced(replace(PDF, size=SIZE_LIMIT))
    assert refusal(lambda: check_announced(replace(PDF, size=SIZE_LIMIT + 1)))[0] == "MATERIAL_TOO_LARGE"
    for wrong in (replace(PDF, size=0), replace(PDF, media_type="text/html")):
        with pytest.raises(InvalidArgument):
            check_announced(wrong)


def test_content_must_be_what_was_announced() -> None:
    check_received(PDF, 100)
    check_content(PDF, 100, PDF.digest, b"%PDF-1.7")
    assert refusal(lambda: check_received(PDF, 101)) == ("MATERIAL_CONTENT_MISMATCH", "size")
    assert refusal(lambda: check_content(PDF, 99, PDF.digest, b"%PDF-1.7"))[1] == "size"
    assert refusal(lambda: check_content(PDF, 100, "sm3:" + "1" * 64, b"%PDF-1.7"))[1] == "digest"
    assert refusal(lambda: check_content(PDF, 100, PDF.digest, b"<html>"))[1] == "media_type"


def test_stream_errors_name_their_rule() -> None:
    assert stream_invalid("metadata_first").metadata == {"rule": "metadata_first"}


@pytest.mark.parametrize(
    ("reader", "case_name"),
    [
        (Reader("341500", frozenset({"persons/1", "organizations/5"})), ""),
        (Reader("341500", official="staff/3"), ""),
        (Reader("341500", department="departments/1"), CASE),
        (Reader("341500", department="departments/window"), CASE),
        (Reader("341500", client="clients/channel"), CASE),
        (Reader("341500", client="services/cases"), CASE),
        (Reader("320402", department="departments/9"), CASE),
    ],
)
def test_readers(reader: Reader, case_name: str) -> None:
    check_read(LEASE, reader, "341500", case_name, HANDLED)


@pytest.mark.parametrize(
    ("reader", "case_name", "reason"),
    [
        (Reader("341500", frozenset({"persons/2"})), CASE, "NOT_OWNER"),
        (Reader("341500", frozenset({"persons/2"}), department="departments/1"), CASE, "NOT_OWNER"),
        (Reader("341500", department="departments/2"), CASE, "NOT_OWNER"),
        (Reader("341500", client="clients/another"), CASE, "NOT_OWNER"),
        (Reader("341500", client="services/sharing"), CASE, "NOT_OWNER"),
        (Reader("341500", official="staff/4"), CASE, "NOT_OWNER"),
        (Reader("341500"), CASE, "NOT_OWNER"),
        (Reader("320402", department="departments/9"), "cases/8", "RESOURCE_NOT_FOUND"),
        (Reader("110000", department="departments/9"), CASE, "RESOURCE_NOT_FOUND"),
    ],
)
def test_other_readers(reader: Reader, case_name: str, reason: str) -> None:
    assert refusal(lambda: check_read(LEASE, reader, "341500", case_name, HANDLED))[0] == reason


def test_a_case_that_nobody_works_on_opens_nothing() -> None:
    clerk = Reader("341500", department="departments/1")
    assert refusal(lambda: check_read(LEASE, clerk, "341500", CASE, None))[0] == "NOT_OWNER"


def test_a_file_of_another_case_is_read_where_its_owner_put_it_in() -> None:
    clerk, other = Reader("341500", department="departments/1"), "cases/8"
    check_read(LEASE, clerk, "341500", other, HANDLED)
    without, of_others = replace(HANDLED, materials=frozenset()), replace(HANDLED, parties=frozenset({"persons/9"}))
    assert refusal(lambda: check_read(LEASE, clerk, "341500", other, without))[0] == "NOT_OWNER"
    assert refusal(lambda: check_read(LEASE, clerk, "341500", other, of_others))[0] == "NOT_OWNER"


def test_a_material_without_a_case_is_its_owners_alone() -> None:
    own = replace(LEASE, case_name="")
    clerk = Reader("341500", department="departments/1")
    assert refusal(lambda: check_read(own, clerk, "341500", ""))[0] == "NOT_OWNER"


def test_what_is_erased_is_gone_for_everybody() -> None:
    gone = replace(LEASE, state=MaterialState.ERASED)
    owner = Reader("341500", frozenset({"organizations/5"}))
    assert refusal(lambda: check_read(gone, owner, "341500", ""))[0] == "RESOURCE_NOT_FOUND"


def test_a_material_holds_to_the_end_of_its_last_day() -> None:
    assert state_on(LEASE, date(2024, 12, 31)) is MaterialState.ACTIVE
    assert state_on(LEASE, date(2025, 1, 1)) is MaterialState.EXPIRED
    assert state_on(replace(LEASE, valid_until=None), date(2099, 1, 1)) is MaterialState.ACTIVE
    assert state_on(replace(LEASE, state=MaterialState.ERASED), date(2025, 1, 1)) is MaterialState.ERASED


@pytest.mark.parametrize(
    ("material", "owner", "category", "rule"),
    [
        (LEASE, "organizations/6", "lease-contract", "owner"),
        (LEASE, "organizations/5", "floor-plan", "category"),
        (replace(LEASE, reusable=False), "organizations/5", "lease-contract", "consent"),
        (replace(LEASE, valid_until=date(2024, 5, 17)), "organizations/5", "lease-contract", "expired"),
        (replace(LEASE, state=MaterialState.ERASED), "organizations/5", "lease-contract", "erased"),
    ],
)
def test_reuse_is_refused(material: Material, owner: str, category: str, rule: str) -> None:
    assert refusal(lambda: check_reuse(material, owner, category, TODAY)) == ("MATERIAL_NOT_REUSABLE", rule)


def test_reuse_for_the_same_owner_and_kind() -> None:
    check_reuse(LEASE, "organizations/5", "lease-contract", TODAY)
