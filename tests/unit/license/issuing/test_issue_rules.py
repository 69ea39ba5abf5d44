"""Types, holders, faces; serials, numbers, versions."""

from datetime import UTC, date, datetime

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from libs.values.kinds import Value, ValueField, ValueKind, ValueType
from services.license.core.catalogue import Holder, HolderCategory, LicenseType, TypeState
from services.license.core.reading import check_issuer
from services.license.issuing.numbering import next_version, number_from, serial_from, version_text
from services.license.issuing.rules import check_issue
from services.license.types.rules import check_face_fields, published

FIRM = Holder("", "六安虚构商贸有限公司", "001", "91350100M000100Y43")
PERSON = Holder("", "张三三", "111", "11010519491231002X")


def _text(most: int) -> ValueType:
    return ValueType(ValueKind.TEXT, max_length=most)


FIELDS = (ValueField("JYCS", "经营场所", True, _text(20)), ValueField("KZ_BZ", "备注", False, _text(5)))


def kind(category: HolderCategory = HolderCategory.ORGANIZATION, state: TypeState = TypeState.PUBLISHED) -> LicenseType:
    made = datetime(2024, 5, 1, tzinfo=UTC)
    return LicenseType(
        id="1",
        code="0" * 21,
        display_name="食品经营许可证",
        defining_authority="测试局",
        holder_category=category,
        face_fields=FIELDS,
        validity_months=60,
        page_layout="A4_PORTRAIT",
        item_codes=(),
        original_item_codes=(),
        state=state,
        publish_time=made,
        deprecate_time=None,
        version=1,
        create_time=made,
        update_time=made,
    )


def broken(holders: list[Holder], face: dict[str, Value], category: HolderCategory) -> set[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as caught:
        check_issue(kind(category), holders, face)
    assert caught.value.reason == "FIELD_INVALID"
    return {(each.field, each.rule) for each in caught.value.violations}


def test_a_licence_that_keeps_the_rules_passes() -> None:
    check_issue(kind(), [FIRM], {"JYCS": "天宁区某街1号"})
    check_issue(kind(HolderCategory.ANY), [FIRM, PERSON], {"JYCS": "x", "KZ_BZ": "12345"})


def test_all_broken_rules_are_told_at_once() -> None:
    assert broken([PERSON, PERSON], {"KZ_BZ": "123456", "ZZZ": "1"}, HolderCategory.ORGANIZATION) == {
        ("holders[0].document.type_code", "holders.category"),
        ("holders[1].document.type_code", "holders.category"),
        ("holders[1]", "holders.unique"),
        ('face_fields["JYCS"]', "value.required"),
        ('face_fields["KZ_BZ"]', "value.max_length"),
        ('face_fields["ZZZ"]', "value.known"),
    }


def test_a_required_field_must_not_be_blank() -> None:
    assert broken([PERSON], {"JYCS": "  "}, HolderCategory.PERSON) == {('face_fields["JYCS"]', "value.required")}


@pytest.mark.parametrize("state", [TypeState.DRAFT, TypeState.DEPRECATED])
def test_only_published_types_are_issued(state: TypeState) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        check_issue(kind(state=state), [FIRM], {"JYCS": "x"})
    assert caught.value.reason == "LICENSE_TYPE_NOT_PUBLISHED"
    assert caught.value.metadata == {"license_type": "licenseTypes/1", "state": state.value}


def test_a_type_is_published_once() -> None:
    assert published("licenseTypes/1", TypeState.DRAFT) is TypeState.PUBLISHED
    with pytest.raises(FailedPrecondition):
        published("licenseTypes/1", TypeState.PUBLISHED)


def test_face_keys_stand_once() -> None:
    check_face_fields(FIELDS)
    with pytest.raises(InvalidArgument) as caught:
        check_face_fields((*FIELDS, FIELDS[0]))
    assert caught.value.violations[0].field == "license_type.face_fields[2].key"


def test_serials_are_twenty_characters_of_the_identifier_alphabet() -> None:
    assert serial_from(bytes(13)) == "A" * 20
    assert serial_from(b"\xff" * 13) == "7" * 20
    with pytest.raises(ValueError, match="13"):
        serial_from(b"short")


def test_serials_use_all_but_the_last_four_bits_of_the_entropy() -> None:
    assert len({serial_from(bytes([*([0] * 12), value])) for value in range(256)}) == 16


def test_number_made_by_the_service() -> None:
    assert number_from("320402", date(2024, 5, 18), "ABCDEFGHJKLMNPQRSTUV") == "32040220240518ABCDEFGH"


def test_versions_go_up_by_one_to_999() -> None:
    assert next_version("licenses/1", 1) == 2
    assert version_text(next_version("licenses/1", 998)) == "999"
    assert version_text(1) == "001"
    with pytest.raises(FailedPrecondition) as caught:
        next_version("licenses/1", 999)
    assert caught.value.reason == "LICENSE_VERSION_EXHAUSTED"


@pytest.mark.parametrize("actor", ["", "departments/2"])
def test_only_the_issuing_department_acts(actor: str) -> None:
    check_issuer("departments/1", "departments/1")
    with pytest.raises(PermissionDenied):
        check_issuer("departments/1", actor)
