"""Required fields whose absence nobody can see: a number without presence, of which zero is a value that its rules take."""

from collections.abc import Iterator

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tests.support import contracts

_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_DOUBLE,
}


def required_or_zero() -> Iterator[str]:
    """Yields the full names of such fields, wherever a request reaches them."""
    seen: set[str] = set()
    waiting: list[Descriptor] = [method.descriptor.input_type for method in contracts.methods()]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None and contracts.is_ours(field.message_type):
                waiting.append(field.message_type)
            elif _is_required_number(field) and _takes_zero(field):
                yield str(field.full_name)


def _is_required_number(field: FieldDescriptor) -> bool:
    required = field_behavior_pb2.REQUIRED in contracts.behaviors(field)
    plain = not (field.is_repeated or field.has_presence or field.enum_type)
    return required and plain and field.cpp_type in _NUMBERS


def _takes_zero(field: FieldDescriptor) -> bool:
    rules = contracts.rules_of(field)
    kind = rules.WhichOneof("type")
    if kind is None:
        return True
    bounds = getattr(rules, kind)
    return not (bounds.HasField("gt") and bounds.gt >= 0) and not (bounds.HasField("gte") and bounds.gte > 0)
