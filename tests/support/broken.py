"""For every rule on every field of a request: a request that breaks this rule and no other."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2
from libs.rpc.contract import Method
from libs.rpc.unknown_fields import in_brackets
from tests.support import contracts
from tests.support.requests import item_of, minimal, put, scalar
from tongban.common.v1 import common_pb2

_NO_TEXT_OF_OURS = ("\x01", "\x01" * 40, "")
_UNDEFINED = 98_765

BREAKABLE = {
    "required",
    "max_len",
    "min_len",
    "len",
    "pattern",
    "uuid",
    "in",
    "not_in",
    "defined_only",
    "const",
    "gt",
    "gte",
    "cel",
    "lte",
    "max_items",
    "min_items",
    "unique",
    "items",
    "max_pairs",
    "keys",
    "values",
}
"""The rules of buf.validate that are broken here: all that our contracts use; a test holds that."""


def _without(*names: str) -> Callable[[Any], None]:
    def clear(message: Any) -> None:
        for name in names:
            message.ClearField(name)

    return clear


def _ends_as_it_begins(message: Any) -> None:
    message.start_time.seconds = message.end_time.seconds = 9


def _twice(name: str) -> Callable[[Any], None]:
    def repeat(message: Any) -> None:
        getattr(message, name).append(getattr(message, name)[0])

    return repeat


# Rules over several fields (buf.validate.message) by their id, and what breaks them. Their violations name the message.
_TOGETHER: dict[str, Callable[[Any], None]] = {
    "acknowledge_case_transfer.complete": _without("case", "case_number", "reason"),
    "material_reference.digest": _without("digest"),
    "item_result.license_type": _without("license_type"),
    "grant_terms.period": _ends_as_it_begins,
}


def _below_zero(message: Any) -> None:
    message.amount.fen = -1


def _of_too_much(name: str) -> Callable[[Any], None]:
    def lengthen(message: Any) -> None:
        limit = getattr(message, name)
        limit.amount, limit.unit = 1000, common_pb2.TIME_UNIT_WORKING_DAY

    return lengthen


# Rules in CEL on one field, likewise. Their violations name the field.
_ALONE: dict[str, Callable[[Any], None]] = {
    "item_fee.amount": _below_zero,
    **{
        f"{name}.amount": _of_too_much(name)
        for name in ("statutory_limit", "promised_limit", "answer_limit", "extension")
    },
    "grant_terms.field_once": _twice("fields"),
    "presentation.license_once": _twice("licenses"),
}


@dataclass(frozen=True)
class Broken:
    """A request that breaks one rule.

    Attributes:
        rule: its id, as buf.validate names it.
        field: the path of the field that the BadRequest must name.
        request: the request.
    """

    rule: str
    field: str
    request: Message


def _first(field: FieldDescriptor) -> str:
    """The subscript of what :func:`put` puts into a list or a map."""
    if not contracts.is_map(field):
        return "[0]" if field.is_repeated else ""
    key = contracts.message_of(field).fields_by_name["key"]
    return in_brackets(scalar(key, contracts.rules_of(field).map.keys))


def _held(field: FieldDescriptor) -> Descriptor | None:
    """The message that a field holds, a map in its values; None where it holds none."""
    return (
        contracts.message_of(field).fields_by_name["value"].message_type
        if contracts.is_map(field)
        else field.message_type
    )


@dataclass(frozen=True)
class _Place:
    """A message within a request that can be reached by setting fields one after the other."""

    path: tuple[FieldDescriptor, ...]
    descriptor: Descriptor

    def prefix(self) -> str:
        return "".join(f"{field.name}{_first(field)}." for field in self.path)

    def open(self, request: Message) -> Message:
        """Returns this message in ``request``, made where it is not there."""
        message = request
        for field in self.path:
            if field.is_repeated:
                if not getattr(message, field.name):
                    put(message, field)
                held = getattr(message, field.name)
                message = held[next(iter(held))] if contracts.is_map(field) else held[0]
            else:
                if not message.HasField(field.name):
                    put(message, field)
                message = getattr(message, field.name)
        return message


def broken(method: Method) -> Iterator[Broken]:
    """Yields one broken request for every rule that the contract puts on the request of ``method``."""
    for place in _places(method.descriptor.input_type, ()):
        for field in place.descriptor.fields:
            if not contracts.output_only(field):
                yield from _of_field(method, place, field)
        yield from _of_oneofs(method, place)
        yield from _of_message(method, place)


def _places(descriptor: Descriptor, path: tuple[FieldDescriptor, ...]) -> Iterator[_Place]:
    yield _Place(path, descriptor)
    for field in descriptor.fields:
        message = _held(field)
        again = message in {_held(each) for each in path}
        if message is not None and contracts.is_ours(message) and not (contracts.output_only(field) or again):
            yield from _places(message, (*path, field))


def _request(method: Method, place: _Place) -> tuple[Message, Any]:
    request = minimal(method.descriptor.input_type)
    return request, place.open(request)


def _of_field(method: Method, place: _Place, field: FieldDescriptor) -> Iterator[Broken]:
    for rule, subscript, spoil in _spoilers(field):
        request, message = _request(method, place)
        if subscript or field.containing_oneof is not None:
            put(message, field)
        spoil(message)
        yield Broken(rule, f"{place.prefix()}{field.name}{subscript}", request)


def _of_oneofs(method: Method, place: _Place) -> Iterator[Broken]:
    for oneof in place.descriptor.oneofs:
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            request, message = _request(method, place)
            message.ClearField(message.WhichOneof(oneof.name))
            yield Broken("required", f"{place.prefix()}{oneof.name}", request)


def _of_message(method: Method, place: _Place) -> Iterator[Broken]:
    for rule in place.descriptor.GetOptions().Extensions[validate_pb2.message].cel:
        request, message = _request(method, place)
        _TOGETHER[rule.id](message)
        yield Broken(rule.id, place.prefix().rstrip("."), request)


_Spoiler = tuple[str, str, Callable[[Any], None]]


def _spoilers(field: FieldDescriptor) -> Iterator[_Spoiler]:
    """Yields rule id, subscript of the element where there is one, and what breaks the rule in a message."""
    rules, name = contracts.rules_of(field), field.name
    if rules.required:
        yield "required", "", _without(name)
    for each in rules.cel:
        yield each.id, "", _ALONE[each.id]
    if contracts.is_map(field):
        yield from _of_map(field, rules.map)
    elif field.is_repeated:
        yield from _of_list(field, rules.repeated)
    elif field.message_type is not None:
        yield from _of_duration(field, rules)
    else:
        for rule, value in _wrong(field, rules):
            yield rule, "", partial(_set, name, value)


def _of_map(field: FieldDescriptor, rules: validate_pb2.MapRules) -> Iterator[_Spoiler]:
    name, entry = field.name, contracts.message_of(field).fields_by_name
    good_key = scalar(entry["key"], rules.keys)
    holds_messages = entry["value"].message_type is not None
    good = item_of(entry["value"]) if holds_messages else scalar(entry["value"], rules.values)
    many = {f"{good_key}{number}": good for number in range(rules.max_pairs + 1)}
    yield "map.max_pairs", "", partial(_replace, name, many)
    for rule, key in _wrong(entry["key"], rules.keys):
        yield rule, in_brackets(key), partial(_replace, name, {key: good})
    for rule, value in _wrong(entry["value"], rules.values):
        yield rule, in_brackets(good_key), partial(_replace, name, {good_key: value})


def _of_list(field: FieldDescriptor, rules: validate_pb2.RepeatedRules) -> Iterator[_Spoiler]:
    name = field.name

    def hold(count: int) -> Callable[[Any], None]:
        return partial(_fill, name, [item_of(field)] * count)

    if rules.max_items:
        yield "repeated.max_items", "", hold(rules.max_items + 1)
    if rules.min_items:
        yield "repeated.min_items", "", hold(rules.min_items - 1)
    if rules.unique:
        yield "repeated.unique", "", hold(2)
    if field.message_type is None:
        for rule, value in _wrong(field, rules.items):
            yield rule, "[0]", partial(_fill, name, [value])


def _set(name: str, value: Any, message: Any) -> None:
    setattr(message, name, value)


def _replace(name: str, values: dict[str, Any], message: Any) -> None:
    pairs = getattr(message, name)
    pairs.clear()
    for key, value in values.items():
        if isinstance(value, Message):
            pairs[key].CopyFrom(value)
        else:
            pairs[key] = value


def _fill(name: str, values: list[Any], message: Any) -> None:
    items = getattr(message, name)
    del items[:]
    items.extend(values)


def _seconds(name: str, seconds: int, message: Any) -> None:
    getattr(message, name).FromSeconds(seconds)


def _of_duration(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Iterator[_Spoiler]:
    name, bounds = field.name, rules.duration
    if rules.HasField("duration"):
        assert bounds.HasField("gte") and bounds.HasField("lte"), "our durations are bounded on both sides"
        for seconds in (bounds.gte.seconds - 1, bounds.lte.seconds + 1):
            yield "duration.gte_lte", "", partial(_seconds, name, seconds)


def _wrong(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> list[tuple[str, Any]]:
    """The rules on a scalar, each with a value that breaks it."""
    if field.enum_type is not None:
        return _wrong_enums(field, rules.enum)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _wrong_texts(rules.string)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _wrong_bytes(rules.bytes)
    kind = rules.WhichOneof("type")
    if kind == "bool":
        return [("bool.const", not rules.bool.const)]
    return _wrong_numbers(kind, getattr(rules, kind)) if kind else []


def _wrong_enums(field: FieldDescriptor, rules: validate_pb2.EnumRules) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("enum.not_in", number) for number in rules.not_in]
    if rules.defined_only:
        found.append(("enum.defined_only", _UNDEFINED))
    if listed := list(getattr(rules, "in")):
        found.append(
            ("enum.in", next(each.number for each in contracts.enum_of(field).values if each.number not in listed))
        )
    return found


def _wrong_texts(rules: validate_pb2.StringRules) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if rules.pattern:
        found.append(("string.pattern", next(t for t in _NO_TEXT_OF_OURS if not re.search(rules.pattern, t))))
    if rules.max_len:
        found.append(("string.max_len", "x" * (int(rules.max_len) + 1)))
    if rules.min_len:
        found.append(("string.min_len", "x" * (int(rules.min_len) - 1)))
    if rules.uuid:
        found += [("string.uuid", "not a uuid"), ("string.uuid_empty", "")]
    if getattr(rules, "in"):
        found.append(("string.in", "\x01"))
    return found


def _wrong_bytes(rules: validate_pb2.BytesRules) -> list[tuple[str, Any]]:
    found = []
    if rules.len:
        found.append(("bytes.len", b"x" * (int(rules.len) + 1)))
    if rules.max_len:
        found.append(("bytes.max_len", b"x" * (int(rules.max_len) + 1)))
    if rules.min_len:
        found.append(("bytes.min_len", b"x" * (int(rules.min_len) - 1)))
    return found


def _wrong_numbers(kind: str, rules: Any) -> list[tuple[str, Any]]:
    name = "gt" if rules.HasField("gt") else "gte"
    lower, upper = rules.HasField(name), rules.HasField("lte")
    both = f".{name}_lte" if lower and upper else ""
    below = rules.gt if name == "gt" else rules.gte - 1
    found = [(f"{kind}{both or f'.{name}'}", below)] if lower else []
    return found + ([(f"{kind}{both or '.lte'}", rules.lte + 1)] if upper else [])
