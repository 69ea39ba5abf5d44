"""What a list's contract says of filter and order is what its code takes: the same fields, which the resource has."""

import re

import pytest
from google.longrunning.operations_pb2 import Operation
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from libs.lists.fields import FilterField
from tests.support.contracts import comment_of, methods
from tests.support.lists import AnyList, all_lists
from tongban.operations.v1.operation_service_pb2 import OperationMetadata
from tongban.options.v1 import options_pb2

BY_REQUEST = {each.request.DESCRIPTOR.full_name: each for each in all_lists().values()}
FILTERED = {
    each.descriptor.input_type.full_name: each.descriptor
    for each in methods()
    if each.descriptor.name.startswith("List") and "filter" in each.descriptor.input_type.fields_by_name
}
UNTOLD = frozenset({"update_time", "promised_date", "answer_due_date", "supply_due_date"})
"""Times that no list is filtered by: of the last change of any kind, and what the calendar of the day makes of others (0024)."""


def resource_of(request: str) -> Descriptor:
    """The message that a list gives: the type of the answer's one list of messages."""
    (found,) = [each.message_type for each in FILTERED[request].output_type.fields if each.message_type is not None]
    return found


def field_of(message: Descriptor, path: str) -> FieldDescriptor:
    """The field that a filter's name names."""
    return way_to(message, path)[-1]


def way_to(message: Descriptor, path: str) -> list[FieldDescriptor]:
    """The fields that lead there, it the last."""
    first, _, rest = path.partition(".")
    # What is ours of an operation is its metadata.
    known = OperationMetadata.DESCRIPTOR if message is Operation.DESCRIPTOR and first != "done" else message
    field = known.fields_by_name[first]
    if not rest:
        return [field]
    assert field.message_type is not None
    return [field, *way_to(field.message_type, rest)]


def named(text: str) -> list[str]:
    """What stands in a comment in backquotes."""
    return re.findall(r"`([a-z_.]+)`", " ".join(text.split()))


def test_every_list_has_one_language() -> None:
    assert BY_REQUEST.keys() == FILTERED.keys()


@pytest.mark.parametrize("request_name", sorted(FILTERED))
def test_the_comment_names_what_the_code_takes(request_name: str) -> None:
    asked: AnyList = BY_REQUEST[request_name]
    filtered, ordered = comment_of(f"{request_name}.filter"), comment_of(f"{request_name}.order_by")
    assert sorted(named(filtered)) == sorted(asked.fields)
    orders, default = ordered.split("with `desc`")
    assert named(orders) == list(asked.orders)
    assert f"empty means `{asked.default}`" in " ".join(default.split())


def fits(field: FieldDescriptor, known: FilterField) -> bool:
    """Whether a field of the contract is what a filter takes it for."""
    kinds = {"timestamptz": "google.protobuf.Timestamp", "date": "tongban.common.v1.Date"}
    if field.message_type is not None:
        return bool(kinds.get(known.cast) == field.message_type.full_name)
    if field.enum_type is not None:
        return known.read.__name__ == "one_of"
    numbers = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64}
    if field.type in numbers:
        return known.cast == "bigint"
    return known.cast == ("boolean" if field.type == FieldDescriptor.TYPE_BOOL else known.cast) and (
        known.cast in ("text", "uuid", "boolean")
    )


@pytest.mark.parametrize("request_name", sorted(FILTERED))
def test_fields_are_the_resources_own_and_none_is_personal(request_name: str) -> None:
    for name, known in BY_REQUEST[request_name].fields.items():
        field = field_of(resource_of(request_name), name)
        assert fits(field, known), name
        many = any(each.is_repeated for each in way_to(resource_of(request_name), name))
        assert (":" in known.operators) == (many or bool(known.beyond)), name
        assert not field.GetOptions().Extensions[options_pb2.field].personal, name


@pytest.mark.parametrize("request_name", sorted(FILTERED))
def test_every_time_of_the_resource_is_one_to_filter_by(request_name: str) -> None:
    """What happened is asked for by when (A12)."""
    kinds = ("google.protobuf.Timestamp", "tongban.common.v1.Date")
    times = {
        field.name
        for field in resource_of(request_name).fields
        if field.message_type is not None and field.message_type.full_name in kinds
    }
    assert times - UNTOLD - BY_REQUEST[request_name].fields.keys() == set()
