"""From a filter to SQL: every name is looked up in the list's fields, every value becomes a parameter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from libs.errors import InvalidArgument
from libs.lists.fields import FilterField
from libs.lists.filter_text import Comparison, Condition, Junction, Negation, parse, refused


@dataclass(frozen=True, slots=True)
class Part:
    """One of the conditions that must all hold.

    Attributes:
        sql: the condition.
        column: where it compares one column by ``operator``, that column; else empty.
        operator: see ``column``.
        value: what it is compared with.
        field: the field's name in the contract; see ``column``.
        text: the value as the caller wrote it.
    """

    sql: str
    column: str = ""
    operator: str = ""
    value: Any = None
    field: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as it is asked of the database: what must all hold, and the values of the parameters."""

    parts: tuple[Part, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    """Every field that it compares, wherever in it."""

    @property
    def held(self) -> dict[str, str]:
        """The fields that it holds to one value each, and the values as the caller wrote them."""
        return {each.field: each.text for each in self.parts if each.operator in ("=", ":")}


def compiled(text: str, fields: Mapping[str, FilterField]) -> Filter:
    """Reads a filter over ``fields``.

    Raises:
        InvalidArgument: FIELD_INVALID of ``filter``: the rules of :func:`libs.lists.filter_text.parse`, ``filter.field`` (not
            one of these), ``filter.operator`` (the field has no such), ``filter.value`` (not of the field's kind).
    """
    condition = parse(text)
    if condition is None:
        return Filter()
    writing = _FilterWriting(fields)
    all_of = condition.of if isinstance(condition, Junction) and not condition.either else (condition,)
    parts = tuple(writing.part(each) for each in all_of)
    return Filter(parts, writing.values, frozenset(writing.used))


class _FilterWriting:
    """Writes one filter's conditions, numbering its parameters."""

    def __init__(self, fields: Mapping[str, FilterField]) -> None:
        self._fields = fields
        self.values: dict[str, Any] = {}
        self.used: set[str] = set()

    def part(self, condition: Condition) -> Part:
        sql = self._sql(condition)
        if not isinstance(condition, Comparison) or condition.present:
            return Part(sql)
        known = self._fields[condition.field]
        value = self.values[f"f{len(self.values) - 1}"]
        return Part(sql, known.column, condition.operator, value, condition.field, condition.value)

    def _sql(self, condition: Condition) -> str:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Negation(inner):
                return f"NOT ({self._sql(inner)})"
            case Junction(terms, either):
                return (" OR " if either else " AND ").join(f"({self._sql(each)})" for each in terms)

    def _comparison(self, asked: Comparison) -> str:
        known = self._fields.get(asked.field)
        if known is None:
            raise refused("field", asked.position, f"this list is filtered by {', '.join(sorted(self._fields))}")
        self.used.add(asked.field)
        operator = ":*" if asked.operator == ":" and asked.present else asked.operator
        if operator not in known.operators:
            raise _not_that(asked, f"{asked.field} is compared by {' '.join(sorted(known.operators))}")
        if operator == ":*":
            return known.present
        name = f"f{len(self.values)}"
        self.values[name] = _value(known, asked)
        return known.compared(operator, name)


def _not_that(asked: Comparison, description: str) -> InvalidArgument:
    return refused("operator", asked.position, description)


def _value(known: FilterField, asked: Comparison) -> Any:
    # Elsewhere a star stands for any text; here nothing is compared but the whole, and a filter must not mean two things.
    if "*" in asked.value:
        raise refused("value", asked.position, "no value holds a star; field:* asks whether there is one")
    try:
        return known.read(asked.value)
    except ValueError as error:
        raise refused("value", asked.position, f"{asked.field}: {error}") from None
