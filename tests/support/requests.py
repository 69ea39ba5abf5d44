"""Requests that fit every rule of their contract, made from the descriptors."""

import re
from collections.abc import Callable
from typing import Any

from google.api import field_behavior_pb2, resource_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2
from libs.rpc import masks
from tests.support import contracts
from tests.support.texts import text_of

UUID = "00000000-0000-4000-8000-00000000000f"
_DEPTH = 6
_LAST_SECOND = 253_402_300_799
_BITS = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63, FieldDescriptor.CPPTYPE_UINT32: 32}


def _acknowledge(message: Any) -> None:
    message.case = f"//999999/cases/{UUID}"
    message.case_number = "9" * 36
    message.reason = "退件"


def _granted(message: Any) -> None:
    message.purpose_code = "QUALIFICATION_CHECK"
    if message.HasField("start_time") and message.HasField("end_time"):
        message.start_time.seconds = message.end_time.seconds - 60


def _material(message: Any) -> None:
    message.digest = "sm3:" + "f" * 64


def _limit(message: Any) -> None:
    message.amount = min(message.amount, 10)


def _licence(message: Any) -> None:
    message.license_type = f"licenseTypes/{UUID}"


def _use(message: Any) -> None:
    message.purpose_code = "QUALIFICATION_CHECK"
    if message.item:
        message.service_item = message.item


def _coded(message: Any) -> None:
    message.purpose_code = "QUALIFICATION_CHECK"


# What rules over several fields, and the table of purposes (buf.validate.message) ask for; of limits, what every field takes.
_TOGETHER: dict[str, Callable[[Any], None]] = {
    "tongban.cases.v1.TransferAcknowledgement": _acknowledge,
    "tongban.cases.v1.MaterialReference": _material,
    "tongban.cases.v1.ItemResult": _licence,
    "tongban.common.v1.TimeLimit": _limit,
    "tongban.sharing.v1.GrantTerms": _granted,
    "tongban.common.v1.UseContext": _use,
    "tongban.identity.v1.Consent": _coded,
    "tongban.identity.v1.CheckConsentRequest": _coded,
}


def minimal(descriptor: Descriptor) -> Message:
    """Returns the least message of this type that its contract takes."""
    return _made(descriptor, full=False, depth=0)


def full(descriptor: Descriptor) -> Message:
    """Returns a message of this type with every field set that a caller can set."""
    return _made(descriptor, full=True, depth=0)


def largest(descriptor: Descriptor) -> Message:
    """Returns the same as ``full``, with every number, text and time at the upper end of what its rules take."""
    message = full(descriptor)
    _stretch(message)
    return message


def _stretch(message: Message) -> None:
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
            value.seconds = _LAST_SECOND
        elif contracts.is_map(field) or (field.message_type is not None and not contracts.is_ours(field.message_type)):
            continue
        elif field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                _stretch(each)
        elif not field.is_repeated:
            setattr(message, field.name, _most(field, contracts.rules_of(field), value))
    settle(message)


def _most(field: FieldDescriptor, rules: validate_pb2.FieldRules, value: Any) -> Any:
    kind = rules.WhichOneof("type")
    if field.cpp_type in _BITS and not field.enum_type:
        bounds = getattr(rules, kind) if kind else None
        return bounds.lte if bounds is not None and bounds.HasField("lte") else 2 ** _BITS[field.cpp_type] - 1
    if kind == "string" and rules.string.max_len and not rules.string.pattern:
        return "甲" * int(rules.string.max_len)
    return value


def required(field: FieldDescriptor) -> bool:
    """Whether the contract refuses a message without this field."""
    asked = field_behavior_pb2.REQUIRED in contracts.behaviors(field) or contracts.rules_of(field).required
    oneof = field.containing_oneof
    if oneof is not None and oneof.GetOptions().Extensions[validate_pb2.oneof].required:
        return bool(oneof.fields[0] == field)
    return asked and not contracts.output_only(field)


def put(message: Message, field: FieldDescriptor, *, full: bool = False, depth: int = 0) -> None:
    """Sets one field of ``message`` to a value that its rules take, with what they need of other fields."""
    if contracts.is_map(field):
        _put_entry(getattr(message, field.name), field, full, depth)
    elif field.is_repeated:
        _extend(message, field, full, depth)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(_submessage(field, full, depth))
    else:
        setattr(message, field.name, scalar(field, contracts.rules_of(field), full=full))
    settle(message)


def _put_entry(pairs: Any, field: FieldDescriptor, full: bool, depth: int) -> None:
    entry = contracts.message_of(field).fields_by_name
    rules = contracts.rules_of(field).map
    key = scalar(entry["key"], rules.keys, full=full)
    if entry["value"].message_type is None:
        pairs[key] = scalar(entry["value"], rules.values, full=full)
    else:
        pairs[key].CopyFrom(_submessage(entry["value"], full, depth))


def item_of(field: FieldDescriptor, *, full: bool = False, depth: int = 0) -> Any:
    """Returns one element for a repeated field."""
    if field.message_type is not None:
        return _submessage(field, full, depth)
    return scalar(field, contracts.rules_of(field).repeated.items, full=full)


def settle(message: Message) -> None:
    """Sets what rules over several fields ask for."""
    together = _TOGETHER.get(str(message.DESCRIPTOR.full_name))
    if together is not None:
        together(message)
    changed = masks.updated(message)
    if changed is not None and message.HasField(changed.name):
        resource: Any = getattr(message, changed.name)
        pattern = contracts.message_of(changed).GetOptions().Extensions[resource_pb2.resource].pattern[0]
        resource.name = re.sub(r"\{\w+\}", UUID, pattern)


def _made(descriptor: Descriptor, *, full: bool, depth: int) -> Message:
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if required(field) or (full and depth < _DEPTH and _fillable(field, message)):
            put(message, field, full=full, depth=depth)
    settle(message)
    return message


def _fillable(field: FieldDescriptor, message: Message) -> bool:
    oneof = field.containing_oneof
    taken = oneof is not None and message.WhichOneof(oneof.name) is not None
    return not contracts.output_only(field) and not taken


def _submessage(field: FieldDescriptor, full: bool, depth: int) -> Message:
    message = _made(contracts.message_of(field), full=full, depth=depth + 1)
    kind = message.DESCRIPTOR.full_name
    if kind == "google.protobuf.Timestamp":
        message.seconds = 1_780_000_000  # type: ignore[attr-defined]
    if kind == "google.protobuf.FieldMask":
        message.paths[:] = ["*"]  # type: ignore[attr-defined]
    if kind == "google.protobuf.Duration":
        message.seconds = contracts.rules_of(field).duration.gte.seconds  # type: ignore[attr-defined]
    return message


def _extend(message: Message, field: FieldDescriptor, full: bool, depth: int) -> None:
    wanted = max(1, contracts.rules_of(field).repeated.min_items)
    items = getattr(message, field.name)
    del items[:]
    items.extend(item_of(field, full=full, depth=depth) for _ in range(wanted))


def scalar(field: FieldDescriptor, rules: validate_pb2.FieldRules, *, full: bool = False) -> Any:
    """Returns a value for a scalar that its rules take."""
    if field.enum_type is not None:
        return _enum_value(field, rules.enum)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(rules.string, full)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"x" * int(rules.bytes.len or rules.bytes.min_len or 1)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    kind = rules.WhichOneof("type")
    return _number(getattr(rules, kind)) if kind else 1


def _enum_value(field: FieldDescriptor, rules: Any) -> int:
    allowed = list(getattr(rules, "in")) or [value.number for value in contracts.enum_of(field).values if value.number]
    return int(next(number for number in allowed if number not in rules.not_in))


def _text(rules: validate_pb2.StringRules, full: bool) -> str:
    if listed := list(getattr(rules, "in")):
        return str(listed[-1])
    if rules.uuid:
        return UUID
    text = text_of(rules.pattern, longest=full) if rules.pattern else "x"
    return text * (-(-int(rules.min_len) // len(text))) if text and len(text) < rules.min_len else text


def _number(rules: Any) -> float | int:
    if rules.HasField("gte"):
        return int(max(1, rules.gte)) if not rules.HasField("lte") or rules.lte >= 1 else int(rules.gte)
    return int(rules.gt + 1) if rules.HasField("gt") else 1
