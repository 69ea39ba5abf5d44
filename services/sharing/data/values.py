"""Values of a mounted table's columns: bound to its statements, and written into messages."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.errors import invalid_field
from services.sharing.core.catalogue import DataType, Value
from tongban.common.v1 import value_pb2 as pb

_WHOLE = {"smallint": 1 << 15, "integer": 1 << 31, "bigint": 1 << 63}
LONGEST_TEXT = 10_000
"""Characters of a text that the contract carries (``Value.string_value``)."""
LONGEST_BYTES = 65_536
"""Bytes that it carries (``Value.bytes_value``)."""

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,20})?")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class CellFault(Exception):
    """A value of the table that can't be given.

    Attributes:
        reason: ``NOT_FINITE``, ``OUT_OF_RANGE``, ``NOT_TEXT``, ``TOO_LARGE``, or ``TYPE``: it is of another type than its column had.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def bound_within(value: int, column_type: str, *, at_least: bool) -> int | None:
    """Returns a bound as a column of whole numbers can be compared with it; None where no number of it is within."""
    width = _WHOLE.get(column_type)
    if width is None or -width <= value < width:
        return value
    reached = value < -width if at_least else value >= width
    return (-width if at_least else width - 1) if reached else None


def bind(path: str, value: Value, column_type: str) -> Any:
    """Returns ``value`` as the driver wants it for a column of this type; None where no row can hold it.

    Raises InvalidArgument FIELD_INVALID at ``path`` for a number beyond the column's range, and for a text that is no UUID
    where the column holds such.
    """
    if column_type in _WHOLE and isinstance(value, Decimal | int):
        if not -_WHOLE[column_type] <= value < _WHOLE[column_type]:
            raise invalid_field(path, "value.range", "is beyond what the column can hold")
        return int(value) if value == int(value) else None
    if column_type == "numeric":
        return Decimal(value) if isinstance(value, int) else value
    if column_type == "bytea":
        raise invalid_field(path, "value.type", "the column holds bytes, which are compared with nothing")
    if column_type == "uuid":
        try:
            return UUID(str(value))
        except ValueError as error:
            raise invalid_field(path, "value.uuid", "must be a UUID") from error
    return float(value) if column_type in ("double precision", "real") else value  # type: ignore[arg-type]


# What is written is what the driver made of a column; another type than the column had is a change of the table.


def _text(message: pb.Value, value: Any) -> None:
    if type(value) is not str and not isinstance(value, UUID):
        raise CellFault("TYPE")
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise CellFault("TOO_LARGE")
    message.string_value = text


def _general(message: pb.Value, value: Any) -> None:
    if type(value) is bytes:
        _bytes(message, value)
    else:
        _text(message, value)


def _bytes(message: pb.Value, value: bytes) -> None:
    if len(value) > LONGEST_BYTES:
        raise CellFault("TOO_LARGE")
    message.bytes_value = value


def _whole(message: pb.Value, value: Any) -> None:
    if type(value) is not int:
        raise CellFault("TYPE")
    message.int_value = value


def _decimal(message: pb.Value, value: Any) -> None:
    if type(value) is not int and not isinstance(value, Decimal):
        raise CellFault("TYPE")
    number = Decimal(value)
    if not number.is_finite():
        raise CellFault("NOT_FINITE")
    text = format(number, "f")
    if len(text) > LONGEST_TEXT or _DECIMAL.fullmatch(text) is None:
        raise CellFault("OUT_OF_RANGE")
    message.decimal_value = text


def _double(message: pb.Value, value: Any) -> None:
    if type(value) is not float:
        raise CellFault("TYPE")
    if not math.isfinite(value):
        raise CellFault("NOT_FINITE")
    message.double_value = value


def _truth(message: pb.Value, value: Any) -> None:
    if type(value) is not bool:
        raise CellFault("TYPE")
    message.bool_value = value


def _day(message: pb.Value, value: Any) -> None:
    if type(value) is not date:
        raise CellFault("TYPE")
    if value in (date.min, date.max):  # also what the driver makes of infinity: the text tells
        raise CellFault("OUT_OF_RANGE")
    _put_day(message, value)


def _put_day(message: pb.Value, value: date) -> None:
    day = message.date_value
    day.year, day.month, day.day = value.year, value.month, value.day


def _moment(message: pb.Value, value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise CellFault("TYPE")
    if value.year in (1, 9999):
        raise CellFault("OUT_OF_RANGE")
    message.time_value.FromDatetime(value)


Writer = Callable[[pb.Value, Any], None]

_WRITERS: dict[DataType, Writer] = {
    DataType.CHARACTER: _text,
    DataType.MEMO: _text,
    DataType.GENERAL: _general,
    DataType.NUMERIC: _decimal,
    DataType.CURRENCY: _decimal,
    DataType.INTEGER: _whole,
    DataType.DOUBLE: _double,
    DataType.FLOAT: _double,
    DataType.LOGICAL: _truth,
    DataType.DATE: _day,
    DataType.DATE_TIME: _moment,
}


def writer_of(data_type: DataType) -> Writer:
    """Returns what writes a column's value into a message, for a field of this type."""
    return _WRITERS[data_type]


# The slow reading, where something of a page can't be given: every cell as the bytes of its text, so that each is judged
# by itself. DateStyle and TimeZone of the connection are fixed.

_CODECS = {"UTF8": "utf-8", "SQL_ASCII": "utf-8", "EUC_CN": "gb2312", "LATIN1": "latin-1"}


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(_CODECS.get(encoding, "ascii"))
    except UnicodeDecodeError as error:
        raise CellFault("NOT_TEXT") from error
    if len(text) > LONGEST_TEXT:
        raise CellFault("TOO_LARGE")
    return text


def _put_moment(message: pb.Value, text: str) -> None:
    message.time_value.FromDatetime(datetime.fromisoformat(text))


def write_raw(message: pb.Value, data_type: DataType, column_type: str, raw: bytes, encoding: str) -> None:
    """Writes a cell that came as the bytes of its text, or of a column of bytes as they are; raises CellFault."""
    if column_type == "bytea":
        _bytes(message, raw)
    else:
        _write_text(message, data_type, raw, encoding)


def _write_text(message: pb.Value, data_type: DataType, raw: bytes, encoding: str) -> None:
    text = _decoded(raw, encoding)
    try:
        if data_type is DataType.DATE:
            if _ISO_DATE.fullmatch(text) is None:
                raise CellFault("NOT_FINITE" if "infinity" in text else "OUT_OF_RANGE")
            _put_day(message, date.fromisoformat(text))
        elif data_type is DataType.DATE_TIME:
            if _ISO_DATE.fullmatch(text[:10]) is None or text.endswith("BC"):
                raise CellFault("NOT_FINITE" if "infinity" in text else "OUT_OF_RANGE")
            _put_moment(message, text)
        else:
            writer_of(data_type)(message, _PARSERS.get(data_type, str)(text))
    except (ValueError, ArithmeticError) as error:
        raise CellFault("OUT_OF_RANGE") from error


def _parse_truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise CellFault("TYPE")
    return text == "true"


_PARSERS: dict[DataType, Callable[[str], Any]] = {
    DataType.NUMERIC: Decimal,
    DataType.CURRENCY: Decimal,
    DataType.INTEGER: int,
    DataType.DOUBLE: float,
    DataType.FLOAT: float,
    DataType.LOGICAL: _parse_truth,
}
