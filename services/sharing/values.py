"""Typed values between the contract, Python and the columns of a mounted table."""

from collections.abc import Callable
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.errors import invalid_field
from services.sharing.domain.catalog import DataField, DataType, Value, require_type
from tongban.sharing.v1 import resources_pb2 as pb

_WHOLE = frozenset({"smallint", "integer", "bigint"})


def read_value(path: str, field: DataField, value: pb.Value) -> Value:
    """Reads a value of a request.

    Raises:
        InvalidArgument: FIELD_INVALID at ``path`` where it is not of the field's data type, or no such day exists.
    """
    kind = value.WhichOneof("kind")
    read: Any
    if kind == "decimal_value":
        read = Decimal(value.decimal_value)
    elif kind == "date_value":
        read = _date(path, value)
    elif kind == "time_value":
        read = value.time_value.ToDatetime(tzinfo=UTC)
    else:
        read = getattr(value, kind) if kind and kind != "null_value" else None
    require_type(path, field, read)
    return read  # type: ignore[no-any-return]


def _date(path: str, value: pb.Value) -> date:
    day = value.date_value
    try:
        return date(day.year, day.month, day.day)
    except ValueError as error:
        raise invalid_field(path, "value.date", "there is no such day") from error


def bind(path: str, value: Value, column_type: str) -> Any:
    """Returns ``value`` as the driver wants it for a column of this type; None where no row can hold it.

    Raises InvalidArgument FIELD_INVALID at ``path`` for a text that is no UUID where the column holds such.
    """
    if column_type in _WHOLE and isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else None
    if column_type == "numeric":
        return Decimal(value) if isinstance(value, int) else value
    if column_type == "uuid":
        try:
            return UUID(str(value))
        except ValueError as error:
            raise invalid_field(path, "value.uuid", "must be a UUID") from error
    return float(value) if column_type in ("double precision", "real") else value  # type: ignore[arg-type]


def _text(message: pb.Value, value: Any) -> None:
    message.string_value = str(value)


def _whole(message: pb.Value, value: Any) -> None:
    message.int_value = value


def _decimal(message: pb.Value, value: Any) -> None:
    message.decimal_value = format(Decimal(value), "f")


def _double(message: pb.Value, value: Any) -> None:
    message.double_value = value


def _truth(message: pb.Value, value: Any) -> None:
    message.bool_value = value


def _day(message: pb.Value, value: Any) -> None:
    day = message.date_value
    day.year, day.month, day.day = value.year, value.month, value.day


def _moment(message: pb.Value, value: Any) -> None:
    message.time_value.FromDatetime(value)


Writer = Callable[[pb.Value, Any], None]

_WRITERS: dict[DataType, Writer] = {
    DataType.CHARACTER: _text, DataType.MEMO: _text, DataType.GENERAL: _text,
    DataType.NUMERIC: _decimal, DataType.CURRENCY: _decimal, DataType.INTEGER: _whole,
    DataType.DOUBLE: _double, DataType.FLOAT: _double, DataType.LOGICAL: _truth,
    DataType.DATE: _day, DataType.DATE_TIME: _moment,
}  # fmt: skip


def writer_of(data_type: DataType) -> Writer:
    """Returns what writes a column's value into a message, for a field of this type."""
    return _WRITERS[data_type]
