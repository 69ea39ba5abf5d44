"""Values and their types between the contract's messages and Python."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from libs.rpc.messages import date_message, date_of, moment_of, timestamp
from libs.values.canonical import decimal_text
from libs.values.kinds import Choice, Document, Value, ValueField, ValueKind, ValueType, kind_of
from tongban.common.v1 import value_pb2 as pb


def value_of(message: pb.Value, path: str = "value") -> Value:
    """Returns a message's value.

    Raises:
        InvalidArgument: FIELD_INVALID at ``path`` for a day or a moment that no calendar has; a request was held to that
            before (``libs.values.limits``).
    """
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    read = _READ.get(kind)
    found: Value = getattr(message, kind)
    return found if read is None else read(found, path)


def values_of(messages: Mapping[str, pb.Value], path: str = "values") -> dict[str, Value]:
    """Returns the values of a map of messages."""
    return {key: value_of(messages[key], f'{path}["{key}"]') for key in sorted(messages)}


def _list_of(message: pb.ListValue, path: str) -> Value:
    inside = f"{path}.list_value.values"
    return tuple(value_of(each, f"{inside}[{place}]") for place, each in enumerate(message.values))


_READ: dict[str, Callable[[Any, str], Value]] = {
    "decimal_value": lambda text, _path: Decimal(text),
    "date_value": date_of,
    "time_value": moment_of,
    "document_value": lambda name, _path: Document(name),
    "list_value": _list_of,
    "record_value": lambda record, path: values_of(record.fields, f"{path}.record_value.fields"),
}


def value_message(value: Value) -> pb.Value:
    """Returns a value as a message."""
    return _WRITE[kind_of(value)](value)


def value_messages(values: Mapping[str, Value]) -> dict[str, pb.Value]:
    """Returns values by key as messages."""
    return {key: value_message(each) for key, each in values.items()}


def _decimal(value: Decimal) -> pb.Value:
    # With the zeros that it was written with, where it says how many.
    places = -int(value.as_tuple().exponent)
    return pb.Value(decimal_value=decimal_text(value, max(places, 0)))


def _day(value: date) -> pb.Value:
    return pb.Value(date_value=date_message(value))


def _moment(value: datetime) -> pb.Value:
    return pb.Value(time_value=timestamp(value))


def _list(value: tuple[Value, ...]) -> pb.Value:
    return pb.Value(list_value=pb.ListValue(values=[value_message(each) for each in value]))


def _record(value: Mapping[str, Value]) -> pb.Value:
    return pb.Value(record_value=pb.RecordValue(fields=value_messages(value)))


_WRITE: dict[ValueKind, Callable[[Any], pb.Value]] = {
    ValueKind.TEXT: lambda value: pb.Value(string_value=value),
    ValueKind.INTEGER: lambda value: pb.Value(int_value=value),
    ValueKind.DECIMAL: _decimal,
    ValueKind.DOUBLE: lambda value: pb.Value(double_value=value),
    ValueKind.BOOL: lambda value: pb.Value(bool_value=value),
    ValueKind.DATE: _day,
    ValueKind.TIME: _moment,
    ValueKind.BYTES: lambda value: pb.Value(bytes_value=value),
    ValueKind.LIST: _list,
    ValueKind.RECORD: _record,
    ValueKind.DOCUMENT: lambda value: pb.Value(document_value=value.name),
    ValueKind.NULL: lambda _value: pb.Value(null_value=True),
}


def documents_of(values: Mapping[str, pb.Value]) -> list[str]:
    """Returns the names of the documents that values refer to, wherever they stand."""
    return [name for key in sorted(values) for name in _documents(values[key])]


def _documents(value: pb.Value) -> Iterator[str]:
    kind = value.WhichOneof("kind")
    if kind == "document_value":
        yield value.document_value
    elif kind == "list_value":
        for each in value.list_value.values:
            yield from _documents(each)
    elif kind == "record_value":
        yield from documents_of(value.record_value.fields)


def with_documents(values: Mapping[str, pb.Value], named: Callable[[str], str]) -> dict[str, pb.Value]:
    """Returns a copy of values in which each document is called as ``named`` gives it, such as for another region."""
    copies = {key: _copy(value) for key, value in values.items()}
    for copy in copies.values():
        _rename(copy, named)
    return copies


def _copy(value: pb.Value) -> pb.Value:
    copy = pb.Value()
    copy.CopyFrom(value)
    return copy


def _rename(value: pb.Value, named: Callable[[str], str]) -> None:
    kind = value.WhichOneof("kind")
    if kind == "document_value":
        value.document_value = named(value.document_value)
    elif kind == "list_value":
        for each in value.list_value.values:
            _rename(each, named)
    elif kind == "record_value":
        for key in value.record_value.fields:
            _rename(value.record_value.fields[key], named)


# ---- what values must be ----


def type_of(message: pb.ValueType) -> ValueType:
    """Returns a declared type; of one that says nothing (no edition of the contract takes it) text that takes nothing."""
    kind = message.WhichOneof("kind")
    if kind is None:
        return ValueType(ValueKind.TEXT)
    found: ValueType = _TYPES[kind](getattr(message, kind))
    return found


def _integer_type(message: pb.IntegerType) -> ValueType:
    bounds = {name: str(getattr(message, name)) for name in ("minimum", "maximum") if message.HasField(name)}
    return ValueType(ValueKind.INTEGER, unit=message.unit, **bounds)  # type: ignore[arg-type]


def _text_type(message: pb.TextType) -> ValueType:
    choices = tuple(Choice(each.value, each.display_name) for each in message.choices)
    return ValueType(ValueKind.TEXT, max_length=message.max_length, pattern=message.pattern, choices=choices)


def _decimal_type(message: pb.DecimalType) -> ValueType:
    return ValueType(
        ValueKind.DECIMAL, scale=message.scale, minimum=message.minimum, maximum=message.maximum, unit=message.unit
    )


def _list_type(message: pb.ListType) -> ValueType:
    return ValueType(
        ValueKind.LIST, items=type_of(message.items), min_items=message.min_items, max_items=message.max_items
    )


def _record_type(message: pb.RecordType) -> ValueType:
    fields = tuple(
        ValueField(each.key, each.display_name, each.required, type_of(each.type)) for each in message.fields
    )
    return ValueType(ValueKind.RECORD, fields=fields)


_TYPES: dict[str, Callable[[Any], ValueType]] = {
    "text_type": _text_type,
    "integer_type": _integer_type,
    "decimal_type": _decimal_type,
    "bool_type": lambda _message: ValueType(ValueKind.BOOL),
    "date_type": lambda _message: ValueType(ValueKind.DATE),
    "time_type": lambda _message: ValueType(ValueKind.TIME),
    "bytes_type": lambda message: ValueType(ValueKind.BYTES, max_length=message.max_length),
    "list_type": _list_type,
    "record_type": _record_type,
    "document_type": lambda _message: ValueType(ValueKind.DOCUMENT),
}


def type_message(declared: ValueType) -> pb.ValueType:
    """Returns a declared type as a message."""
    return _TYPE_MESSAGES[declared.kind](declared)


def _of_text(declared: ValueType) -> pb.ValueType:
    choices = [pb.Choice(value=each.value, display_name=each.display_name) for each in declared.choices]
    text = pb.TextType(max_length=declared.max_length, pattern=declared.pattern, choices=choices)
    return pb.ValueType(text_type=text)


def _of_integer(declared: ValueType) -> pb.ValueType:
    integer = pb.IntegerType(unit=declared.unit)
    if declared.minimum:
        integer.minimum = int(declared.minimum)
    if declared.maximum:
        integer.maximum = int(declared.maximum)
    return pb.ValueType(integer_type=integer)


def _of_decimal(declared: ValueType) -> pb.ValueType:
    return pb.ValueType(
        decimal_type=pb.DecimalType(
            scale=declared.scale, minimum=declared.minimum, maximum=declared.maximum, unit=declared.unit
        )
    )


def _of_list(declared: ValueType) -> pb.ValueType:
    assert declared.items is not None
    return pb.ValueType(
        list_type=pb.ListType(
            items=type_message(declared.items), min_items=declared.min_items, max_items=declared.max_items
        )
    )


def _of_record(declared: ValueType) -> pb.ValueType:
    fields = [
        pb.RecordField(
            key=each.key, display_name=each.display_name, required=each.required, type=type_message(each.type)
        )
        for each in declared.fields
    ]
    return pb.ValueType(record_type=pb.RecordType(fields=fields))


_TYPE_MESSAGES: dict[ValueKind, Callable[[ValueType], pb.ValueType]] = {
    ValueKind.TEXT: _of_text,
    ValueKind.INTEGER: _of_integer,
    ValueKind.DECIMAL: _of_decimal,
    ValueKind.BOOL: lambda _declared: pb.ValueType(bool_type=pb.BoolType()),
    ValueKind.DATE: lambda _declared: pb.ValueType(date_type=pb.DateType()),
    ValueKind.TIME: lambda _declared: pb.ValueType(time_type=pb.TimeType()),
    ValueKind.BYTES: lambda declared: pb.ValueType(bytes_type=pb.BytesType(max_length=declared.max_length)),
    ValueKind.LIST: _of_list,
    ValueKind.RECORD: _of_record,
    ValueKind.DOCUMENT: lambda _declared: pb.ValueType(document_type=pb.DocumentType()),
}
