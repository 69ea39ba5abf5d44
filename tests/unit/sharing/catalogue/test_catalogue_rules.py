"""The catalogue's rules."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.sharing.catalogue.codes import ResourceClass, parse_code
from services.sharing.catalogue.rules import check_entry, published, submitted
from services.sharing.core.catalogue import (
    CatalogueEntry,
    DataField,
    DataType,
    ResourceForm,
    ResourceState,
    SharingClass,
    require_keys,
    require_known,
    require_shareable,
    require_type,
)

USCC = DataField(code="uscc", data_type=DataType.CHARACTER, key=True)
NAME = DataField(code="name", data_type=DataType.CHARACTER)
PHONE = DataField(code="phone", data_type=DataType.CHARACTER, sharing_class=SharingClass.CONDITIONAL)
SECRET = DataField(code="income", data_type=DataType.CURRENCY, sharing_class=SharingClass.NOT_SHARED)
BASIS = "《中华人民共和国税收征收管理法》第八条"


def entry(
    *fields: DataField, sharing_class: SharingClass = SharingClass.UNCONDITIONAL, **more: object
) -> CatalogueEntry:
    return CatalogueEntry(
        code="307001/000012",
        form=ResourceForm.TABLE,
        fields=fields or (USCC, NAME),
        sharing_class=sharing_class,
        **more,  # type: ignore[arg-type]
    )


def broken_rules(wrong: CatalogueEntry) -> set[str]:
    with pytest.raises(InvalidArgument) as refusal:
        check_entry(wrong)
    assert refusal.value.reason == "FIELD_INVALID"
    return {violation.rule for violation in refusal.value.violations}


def test_good_entries() -> None:
    check_entry(entry())
    check_entry(entry(sharing_class=SharingClass.CONDITIONAL, sharing_condition="履行市场监管职责"))
    check_entry(entry(sharing_class=SharingClass.NOT_SHARED, restriction_basis=BASIS))
    check_entry(entry(USCC, PHONE, SECRET, sharing_condition="履职需要", restriction_basis=BASIS))


def test_conditional_states_its_condition() -> None:
    assert broken_rules(entry(sharing_class=SharingClass.CONDITIONAL)) == {"class.condition"}
    assert broken_rules(entry(USCC, PHONE, sharing_condition=" ")) == {"class.condition"}


@pytest.mark.parametrize("basis", ["", "按规定", "《》", "内部文件"])
def test_not_shared_cites_the_law(basis: str) -> None:
    assert broken_rules(entry(sharing_class=SharingClass.NOT_SHARED, restriction_basis=basis)) == {"class.basis"}
    assert broken_rules(entry(USCC, SECRET, restriction_basis=basis)) == {"class.basis"}


def test_what_is_not_shared_is_not_open() -> None:
    closed = entry(sharing_class=SharingClass.NOT_SHARED, restriction_basis=BASIS, open_to_public=True)
    assert broken_rules(closed) == {"class.open"}


def test_no_field_is_more_open_than_the_resource() -> None:
    freer = DataField(code="x", data_type=DataType.DATE, sharing_class=SharingClass.UNCONDITIONAL)
    wrong = entry(USCC, freer, sharing_class=SharingClass.CONDITIONAL, sharing_condition="c")
    assert broken_rules(wrong) == {"field.class"}
    assert wrong.class_of(freer) is SharingClass.CONDITIONAL


def test_all_broken_rules_are_told_at_once() -> None:
    assert broken_rules(entry(NAME, NAME, PHONE)) == {"field.unique", "field.key", "class.condition"}


@pytest.mark.parametrize("code", ["", "407001/1", "30700/1", "307001", "307001/", "\uff1307001/1", "307001/1\n"])
def test_bad_resource_codes(code: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_code(code)


@pytest.mark.parametrize("code", ["307001/000012", "1010010203/7"])
def test_resource_codes_read_back(code: str) -> None:
    assert str(parse_code(code)) == code
    assert parse_code(code).resource_class is ResourceClass(int(code[0]))


def test_parts_of_a_code() -> None:
    code = parse_code("3070019901/000012")
    assert (code.item, code.sub_item, code.detail, code.sequence) == ("07", "001", "9901", "000012")


def test_life() -> None:
    assert submitted("dataResources/1", ResourceState.DRAFT) is ResourceState.SUBMITTED
    assert published("dataResources/1", ResourceState.SUBMITTED) is ResourceState.PUBLISHED
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        submitted("dataResources/1", ResourceState.SUBMITTED)
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        published("dataResources/1", ResourceState.DRAFT)


def test_fields_of_requests_and_queries() -> None:
    whole = entry(USCC, NAME, PHONE, SECRET, sharing_condition="c", restriction_basis=BASIS)
    require_known("dataResources/1", whole, ["uscc", "income"])
    with pytest.raises(InvalidArgument, match="FIELD_UNKNOWN") as unknown:
        require_known("dataResources/1", whole, ["uscc", "a", "b"])
    assert unknown.value.metadata == {"resource": "dataResources/1", "fields": "a,b"}
    assert require_shareable("dataResources/1", whole, ["uscc"]) is SharingClass.UNCONDITIONAL
    assert require_shareable("dataResources/1", whole, ["uscc", "phone"]) is SharingClass.CONDITIONAL
    with pytest.raises(FailedPrecondition, match="RESOURCE_NOT_SHARED") as closed:
        require_shareable("dataResources/1", whole, ["uscc", "income"])
    assert closed.value.metadata["basis"] == BASIS
    require_keys("dataResources/1", whole, ["uscc"])
    with pytest.raises(InvalidArgument, match="FIELD_NOT_KEY"):
        require_keys("dataResources/1", whole, ["uscc", "name"])
    with pytest.raises(InvalidArgument, match="FIELD_UNKNOWN"):
        require_keys("dataResources/1", whole, ["other"])


@pytest.mark.parametrize(
    ("data_type", "good", "bad"),
    [
        (DataType.CHARACTER, "x", 1),
        (DataType.NUMERIC, Decimal("1.5"), 1.5),
        (DataType.CURRENCY, 7, "7"),
        (DataType.DATE, date(2024, 5, 1), datetime(2024, 5, 1, tzinfo=UTC)),
        (DataType.DATE_TIME, datetime(2024, 5, 1, tzinfo=UTC), date(2024, 5, 1)),
        (DataType.LOGICAL, True, 1),
        (DataType.MEMO, "x", b"x"),
        (DataType.GENERAL, "x", None),
        (DataType.DOUBLE, 1.5, "1.5"),
        (DataType.INTEGER, 7, True),
        (DataType.FLOAT, 1.5, Decimal(1)),
    ],
)
def test_values_have_their_fields_type(data_type: DataType, good: object, bad: object) -> None:
    field = DataField(code="x", data_type=data_type)
    require_type("conditions[0].values", field, good)
    with pytest.raises(InvalidArgument) as refusal:
        require_type("conditions[0].values", field, bad)
    assert refusal.value.violations[0].field == "conditions[0].values"
