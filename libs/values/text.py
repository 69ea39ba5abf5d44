"""A value as people read it, in Chinese and English, and as one line of text for machines."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from libs.civil.calendar import CHINA_TIME
from libs.values.canonical import decimal_text, time_text
from libs.values.kinds import Document, Value, ValueField, ValueKind, ValueType, kind_of

MONEY = "CNY"
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]  # by number, from 0
_WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "yes": "是",
        "no": "否",
        "bytes": "（{} 字节）",
        "document": "（附件）",
        "money": "{}元",
        "between": "、",
        "part": "；",
        "colon": "：",
    },
    "en": {
        "yes": "Yes",
        "no": "No",
        "bytes": "({} bytes)",
        "document": "(attached)",
        "money": "CNY {}",
        "between": ", ",
        "part": "; ",
        "colon": ": ",
    },
}


def shown(value: Value, declared: ValueType | None = None, language: str = "zh") -> str:
    """Returns a value as people read it: a day as 2026年1月2日 or 2 January 2026, an amount as 1,234.50元 or CNY 1,234.50.

    Args:
        value: the value; what is not there is an empty text.
        declared: what it was declared to be, for unit, scale, labels and choices; without it keys stand for labels.
        language: ``zh`` or ``en``.
    """
    show = _SHOW.get(kind_of(value))
    return "" if show is None else show(value, declared or _ANY, language)


_ANY = ValueType(ValueKind.TEXT)


def _text(value: str, declared: ValueType, _language: str) -> str:
    return next((each.display_name for each in declared.choices if each.value == value), value)


def _integer(value: int, declared: ValueType, language: str) -> str:
    return _with_unit(str(value), declared.unit, language)


def _decimal(value: Decimal, declared: ValueType, language: str) -> str:
    return _with_unit(decimal_text(value, declared.scale), declared.unit, language)


def _with_unit(number: str, unit: str, language: str) -> str:
    if unit != MONEY:
        return f"{number}{unit}" if language == "zh" or not unit else f"{number} {unit}"
    whole, point, fraction = number.partition(".")
    return _WORDS[language]["money"].format(
        f"{'-' if whole[0] == '-' else ''}{int(whole.lstrip('-')):,}{point}{fraction}"
    )


def _double(value: float, _declared: ValueType, _language: str) -> str:
    return repr(value)


def _bool(value: bool, _declared: ValueType, language: str) -> str:
    return _WORDS[language]["yes" if value else "no"]


def _day(value: date, _declared: ValueType, language: str) -> str:
    if language == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def _time(value: datetime, declared: ValueType, language: str) -> str:
    local = value.astimezone(CHINA_TIME)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    day = _day(local.date(), declared, language)
    return f"{day} {clock}" if language == "zh" else f"{day}, {clock} (UTC+8)"


def _bytes(value: bytes, _declared: ValueType, language: str) -> str:
    return _WORDS[language]["bytes"].format(len(value))


def _document(_value: Document, _declared: ValueType, language: str) -> str:
    return _WORDS[language]["document"]


def _list(value: Sequence[Value], declared: ValueType, language: str) -> str:
    words, each = _WORDS[language], [shown(one, declared.items, language) for one in value]
    if any(kind_of(one) is ValueKind.RECORD for one in value):
        return "\n".join(f"{place}. {line}" for place, line in enumerate(each, 1))
    return words["between"].join(each)


def _record(value: Mapping[str, Value], declared: ValueType, language: str) -> str:
    words = _WORDS[language]
    fields = declared.fields or tuple(ValueField(key, key, False, _ANY) for key in sorted(value))
    told = ((each.display_name, shown(value.get(each.key), each.type, language)) for each in fields)
    return words["part"].join(f"{label}{words['colon']}{text}" for label, text in told if text)


_SHOW: dict[ValueKind, Callable[..., str]] = {
    ValueKind.TEXT: _text,
    ValueKind.INTEGER: _integer,
    ValueKind.DECIMAL: _decimal,
    ValueKind.DOUBLE: _double,
    ValueKind.BOOL: _bool,
    ValueKind.DATE: _day,
    ValueKind.TIME: _time,
    ValueKind.BYTES: _bytes,
    ValueKind.LIST: _list,
    ValueKind.RECORD: _record,
    ValueKind.DOCUMENT: _document,
}


def plain(value: Value) -> str:
    """Returns a value as one text for machines, as in a file's metadata: a text as it is, 2026-01-02, 12.5, true, JSON."""
    told = _told(value)
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _told(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_told(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _told(value[key]) for key in sorted(value)}
    write = _TOLD.get(kind_of(value))
    return value if write is None else write(value)


_TOLD: dict[ValueKind, Callable[[Any], str]] = {
    ValueKind.DECIMAL: decimal_text,
    ValueKind.DATE: date.isoformat,
    ValueKind.TIME: time_text,
    ValueKind.BYTES: lambda value: base64.b64encode(value).decode(),
    ValueKind.DOCUMENT: lambda value: str(value.name),
}
