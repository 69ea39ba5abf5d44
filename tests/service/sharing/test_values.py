"""Values of a department's table come as what they are, to the last digit; what a consumer brings is held to its field's kind."""

from decimal import Decimal
from typing import Any

import pytest

from libs.errors import InvalidArgument
from libs.values.kinds import Document, Value
from libs.values.messages import value_message, value_of
from tests.service.sharing.conftest import Sharing, query, terms
from tests.service.sharing.test_sources import owner_does
from tongban.common.v1 import value_pb2
from tongban.sharing.v1 import data_service_pb2 as data

PHOTO = bytes(range(256))


async def _one(sharing: Sharing, *changes: str, **asked: Any) -> data.QueryResponse:
    await owner_does(sharing, *changes)
    resource, _ = await sharing.ready(terms(fields=["name", "capital", "staff", "photo"]))
    return await sharing.query(query(resource, **asked))


NUMBERS = [
    "0.1",
    "12.50",
    "-0.00000000000000000001",
    "999999999999999999999999999999",
    "123456789012345678901234567890.12345678901234567890",
    "9007199254740993",
]


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_number_comes_to_the_last_digit(sharing: Sharing, number: str) -> None:
    found = await _one(sharing, f"UPDATE firms SET capital = {number} WHERE code = 'A1'", fields=["capital"])
    (row,) = found.rows
    assert row.values["capital"].decimal_value == number
    assert value_of(row.values["capital"]) == Decimal(number)


async def test_bytes_come_as_bytes(sharing: Sharing) -> None:
    resource, _ = await sharing.ready(terms(fields=["name", "capital", "photo"]))
    await owner_does(sharing, f"UPDATE firms SET photo = decode('{PHOTO.hex()}', 'hex')")
    found = await sharing.query(query(resource, fields=["name", "photo"]))
    assert [row.values["photo"].bytes_value for row in found.rows] == [PHOTO]
    # The slow reading, where a cell of another row can't be given, tells the same.
    await owner_does(sharing, "UPDATE firms SET capital = 'NaN' WHERE firm_name = '示例丁公司'")
    found = await sharing.query(query(resource, "B1", fields=["name", "capital", "photo"]))
    assert [row.values["photo"].bytes_value for row in found.rows] == [PHOTO]
    assert [list(each.fields) for each in found.unreadable_rows] == [["capital"]]


@pytest.mark.parametrize(("size", "given"), [(65_536, True), (65_537, False)])
async def test_bytes_that_no_message_takes_are_named(sharing: Sharing, size: int, given: bool) -> None:
    change = f"UPDATE firms SET photo = decode(repeat('ff', {size}), 'hex') WHERE code = 'A1'"
    found = await _one(sharing, change, fields=["photo"])
    assert bool(found.rows) is given
    assert [list(each.reasons) for each in found.unreadable_rows] == ([] if given else [["TOO_LARGE"]])


BROUGHT: list[tuple[str, Value]] = [
    ("code", b"A1"),
    ("code", Document("materials/00000000-0000-7000-8000-000000000001")),
    ("code", ("A1",)),
    ("code", {"a": "A1"}),
    ("staff", "7"),
    ("staff", 7.0),
    ("staff", True),
]


@pytest.mark.parametrize(("field", "value"), BROUGHT)
async def test_what_is_brought_must_be_of_the_field_s_kind(sharing: Sharing, field: str, value: Value) -> None:
    resource, _ = await sharing.ready()
    condition = data.KeyCondition(field=field, values=[value_message(value)])
    with pytest.raises(InvalidArgument) as refused:
        await sharing.query(query(resource, conditions=[condition]))
    assert [(each.field, each.rule) for each in refused.value.violations] == [("conditions[0].values[0]", "value.type")]


async def test_bytes_are_compared_with_nothing(sharing: Sharing) -> None:
    resource, _ = await sharing.ready(terms(compare_fields=["photo"]))
    for value in (value_pb2.Value(string_value="\\xff"), value_pb2.Value(bytes_value=b"\xff")):
        request = data.CompareRequest(
            resource=resource,
            conditions=query(resource).conditions,
            given=[data.GivenValue(field="photo", value=value)],
            use_context=query(resource).use_context,
        )
        with pytest.raises(InvalidArgument) as refused:
            await sharing.compare(request)
        assert [each.rule for each in refused.value.violations] == ["value.type"]
