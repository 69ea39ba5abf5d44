"""Values for tests: of any kind, of any type, and as messages in short."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from libs.values.kinds import Choice, Document, ValueField, ValueKind, ValueType
from libs.values.messages import type_message, value_messages
from tongban.common.v1 import value_pb2

TEXT = ValueType(ValueKind.TEXT, max_length=100)


def text_type(max_length: int = 100) -> value_pb2.ValueType:
    """Returns the declaration of a text."""
    return type_message(ValueType(ValueKind.TEXT, max_length=max_length))


def text(value: str) -> value_pb2.Value:
    """Returns a text as a message."""
    return value_pb2.Value(string_value=value)


def messages(**values: Any) -> dict[str, value_pb2.Value]:
    """Returns values by key as messages."""
    return value_messages(values)


KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
DECIMALS = st.builds(
    # Out of text: arithmetic would round to 28 digits, and 30 nines up to a number that is none.
    lambda digits, places: Decimal(f"{digits}E-{places}"),
    st.integers(-(10**30) + 1, 10**30 - 1),
    st.integers(0, 20),
)
SCALARS = st.one_of(
    st.text(max_size=20).filter(lambda text: "\0" not in text),
    st.integers(-(2**63), 2**63 - 1),
    DECIMALS,
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dates(min_value=datetime(1800, 1, 1).date()),  # noqa: DTZ001 - a day
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.binary(max_size=20),
    st.uuids().map(lambda each: Document(f"materials/{each}")),
    st.none(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)
"""Values of every kind, a few deep."""


def _numbers(kind: ValueKind, **more: Any) -> ValueType:
    return ValueType(kind, minimum="0", maximum="100", unit="CNY", **more)


LEAVES = st.one_of(
    st.builds(lambda most: ValueType(ValueKind.TEXT, max_length=most), st.integers(1, 10_000)),
    st.just(
        ValueType(ValueKind.TEXT, max_length=5, pattern="[a-z]{1,5}", choices=(Choice("a", "甲"), Choice("b", "乙")))
    ),
    st.just(_numbers(ValueKind.INTEGER)),
    st.builds(lambda scale: _numbers(ValueKind.DECIMAL, scale=scale), st.integers(0, 20)),
    st.sampled_from([ValueType(kind) for kind in (ValueKind.BOOL, ValueKind.DATE, ValueKind.TIME, ValueKind.DOCUMENT)]),
    st.builds(lambda most: ValueType(ValueKind.BYTES, max_length=most), st.integers(1, 65_536)),
)


def _record(inner: st.SearchStrategy[ValueType]) -> st.SearchStrategy[ValueType]:
    fields = st.lists(st.builds(ValueField, KEYS, st.just("名"), st.booleans(), inner), min_size=1, max_size=3)
    return fields.map(lambda each: ValueType(ValueKind.RECORD, fields=tuple(each)))


TYPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        _record(inner), inner.map(lambda items: ValueType(ValueKind.LIST, items=items, min_items=0, max_items=9))
    ),
    max_leaves=5,
)
"""Declared types of every kind."""
