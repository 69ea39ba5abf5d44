"""What a value of a request may be, beyond the rules that its contract can state: no deeper, no more, and nothing that is none.

The validation of requests holds every ``tongban.common.v1.Value`` to it, wherever it stands, before anything reads it.
"""

import math
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import MAXYEAR, MINYEAR
from typing import Any

from libs.errors import Violation
from tongban.common.v1 import value_pb2 as pb

MOST_DEEP = 6
"""How deep values may stand: a text is 1, a list of texts 2."""
MOST_VALUES = 2_000
"""How many values may stand within one, itself counted."""
SECONDS = (-62_135_510_400, 253_402_214_399)
"""The moments that can be told, in seconds of the epoch: a day within both ends of what datetime holds, so that every time zone's
civil time can be told."""
_MONTHS, _DAYS = 12, 31
_MICROSECOND, _SECOND = 1_000, 1_000_000_000  # nanoseconds


def limit_faults(message: Any, path: str) -> tuple[Violation, ...]:
    """Finds what is wrong of a value: too deep or too much (the first place only), or each part that is no value.

    Args:
        message: a ``Value``, of this or another edition of the contract.
        path: of the value.
    """
    found: list[Violation] = []
    for count, (place, value, depth) in enumerate(_all(message, path, 1), 1):
        if depth > MOST_DEEP:
            return (Violation(place, "value.depth", f"lists and records may stand {MOST_DEEP} deep"),)
        if count > MOST_VALUES:
            return (Violation(place, "value.count", f"at most {MOST_VALUES} values within one"),)
        kind = value.WhichOneof("kind")
        check = _CHECKS.get(kind)
        rule = check(getattr(value, kind)) if check is not None else ""
        if rule:
            found.append(Violation(f"{place}.{kind}", rule, _WORDS[rule]))
    return tuple(found)


def _all(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any, int]]:
    yield path, value, depth
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        for place, each in enumerate(value.list_value.values):
            yield from _all(each, f"{path}.list_value.values[{place}]", depth + 1)
    elif kind == "record_value":
        fields = value.record_value.fields
        for key in sorted(fields):
            yield from _all(fields[key], f'{path}.record_value.fields["{key}"]', depth + 1)


def _day(value: Any) -> str:
    """A year, month or day that no date has breaks a rule of its own field, which says more."""
    if not (MINYEAR <= value.year <= MAXYEAR and 1 <= value.month <= _MONTHS and 1 <= value.day <= _DAYS):
        return ""
    return "date.calendar" if value.day > monthrange(value.year, value.month)[1] else ""


def _moment(value: Any) -> str:
    if not (SECONDS[0] <= value.seconds <= SECONDS[1] and 0 <= value.nanos < _SECOND):
        return "timestamp.range"
    return "value.microseconds" if value.nanos % _MICROSECOND else ""


def _double(value: float) -> str:
    return "" if math.isfinite(value) else "value.finite"


_CHECKS: dict[str, Callable[[Any], str]] = {
    "date_value": _day,
    "time_value": _moment,
    "double_value": _double,
}
_WORDS = {
    "date.calendar": "there is no such day",
    "timestamp.range": "must be a time that can be written (years 1 to 9999)",
    "value.microseconds": "must be told to the microsecond at most",
    "value.finite": "must be a finite number",
}
VALUE = pb.Value.DESCRIPTOR.full_name
"""The message that is held to this."""
