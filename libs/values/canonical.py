"""When two values are the same, and the bytes that say a value for a digest.

The same is what means the same: ``1.0`` and ``1.00`` are one amount, ``-0`` is ``0``, and moments are compared in UTC. The kind
counts: the text ``1``, the whole number 1 and the decimal number 1 are three values. Texts are compared code point by code
point (names of people by :mod:`libs.names`), lists in their order, records by key.

The bytes of every version begin with ``{"v":<version>,`` (decision 0046); a version never changes once a release wrote it.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from libs.values.kinds import Document, Value, kind_of

VERSION = 1


def same(one: Value, other: Value) -> bool:
    """True where two values mean the same."""
    return tagged(one) == tagged(other)


def canonical(value: Value) -> bytes:
    """Returns the bytes of a value: equal exactly where values are the same."""
    return b'{"v":%d,' % VERSION + _encode({"value": tagged(value)})[1:]


def canonical_fields(fields: Mapping[str, Value]) -> bytes:
    """Returns the bytes of values by key, such as a licence's face or a case's form."""
    return b'{"v":%d,' % VERSION + _encode({"fields": tagged_fields(fields)})[1:]


def tagged(value: Value) -> list[Any]:
    """Returns a value as JSON without loss: its kind, then what it is (version 1)."""
    kind = kind_of(value).value
    return [kind] if value is None else [kind, _plain(value)]


def tagged_fields(fields: Mapping[str, Value]) -> dict[str, Any]:
    """Returns values by key likewise."""
    return {key: tagged(each) for key, each in fields.items()}


def decimal_text(value: Decimal, scale: int = 0) -> str:
    """Writes a finite decimal number without exponent, and without zeros at its end beyond ``scale`` digits."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "infinity and NaN are no values"
    shown = "".join(map(str, digits)) + "0" * max(exponent, 0)
    places = max(-exponent, 0)
    shown = shown.rjust(places + 1, "0")
    whole, fraction = shown[: len(shown) - places], shown[len(shown) - places :]
    fraction = fraction.rstrip("0").ljust(scale, "0")
    whole = whole.lstrip("0") or "0"
    minus = "-" if sign and any(digits) else ""
    return f"{minus}{whole}.{fraction}" if fraction else f"{minus}{whole}"


def time_text(value: datetime) -> str:
    """Writes a moment: UTC with ``Z``, and as many digits of a second as it has."""
    utc = value.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat().rstrip("0") + "Z" if utc.microsecond else f"{utc.isoformat()}Z"


def _plain(value: Value) -> Any:
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return repr(value + 0.0)  # -0.0 is 0.0
    return _written(value)


def _written(value: Value) -> Any:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Document):
        return value.name
    return _within(value)


def _within(value: Any) -> Any:
    return [tagged(each) for each in value] if isinstance(value, tuple) else tagged_fields(value)


def _encode(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
