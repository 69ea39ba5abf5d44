"""Whether a value is what its field declares, and whether a declaration makes sense. Every fault names its path and rule.

A path is that of the message that holds the value: ``face_fields["KZ_CY"].list_value.values[3].record_value.fields["name"]``.
No fault says what the value is: most of it is personal data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from libs.errors import Violation
from libs.names import is_blank, printed
from libs.values.canonical import decimal_text
from libs.values.kinds import Value, ValueField, ValueKind, ValueType, kind_of
from libs.values.patterns import LONGEST_MATCHED, fault_of, matches

Faults = Iterator[Violation]
_MOST_DEEP = 4
_MOST_FIELDS = 200


def is_filled(value: Value) -> bool:
    """Whether somebody filled a field in: there is something, and of a text something can be seen."""
    if value is None:
        return False
    if isinstance(value, str):
        return not is_blank(value)
    return not isinstance(value, bytes | tuple | Mapping) or len(value) > 0


def at_key(path: str, key: str) -> str:
    """Returns the path of a value in a map."""
    return f'{path}["{key}"]'


def field_faults(
    fields: Sequence[ValueField], values: Mapping[str, Value], path: str, *, complete: bool = True
) -> Faults:
    """Finds what is wrong of values by key: not declared, not of its type, or missing where it is required.

    Args:
        fields: what is declared.
        values: what was given.
        path: of the map of values.
        complete: whether what is required must be there already.
    """
    known = {field.key for field in fields}
    for key in values:
        if key not in known:
            yield Violation(at_key(path, key), "value.known", "is no field that is declared")
    for field in fields:
        value = values.get(field.key)
        if is_filled(value):
            yield from faults(value, field.type, at_key(path, field.key))
        elif value is not None and kind_of(value) is not field.type.kind:
            yield _of_kind(field.type, at_key(path, field.key))
        elif field.required and complete:
            yield Violation(at_key(path, field.key), "value.required", "must be filled in")


def faults(value: Value, wanted: ValueType, path: str) -> Faults:
    """Finds what is wrong of a value that is filled in."""
    if kind_of(value) is not wanted.kind:
        yield _of_kind(wanted, path)
    elif wanted.kind in _CHECKS:
        yield from _CHECKS[wanted.kind](value, wanted, path)


def _of_kind(wanted: ValueType, path: str) -> Violation:
    return Violation(path, "value.type", f"must be of the kind {wanted.kind.value}")


def _of_text(value: str, wanted: ValueType, path: str) -> Faults:
    if len(printed(value)) > wanted.max_length:
        yield Violation(path, "value.max_length", f"at most {wanted.max_length} characters")
    elif wanted.pattern and (len(value) > LONGEST_MATCHED or not matches(wanted.pattern, value)):
        yield Violation(path, "value.pattern", f"must match {wanted.pattern}")
    if wanted.choices and value not in {each.value for each in wanted.choices}:
        yield Violation(path, "value.choices", "must be one of those that are declared")


def _of_bytes(value: bytes, wanted: ValueType, path: str) -> Faults:
    if len(value) > wanted.max_length:
        yield Violation(path, "value.max_length", f"at most {wanted.max_length} bytes")


def _of_number(value: int | Decimal, wanted: ValueType, path: str) -> Faults:
    if wanted.minimum and value < Decimal(wanted.minimum):
        yield Violation(path, "value.minimum", f"at least {wanted.minimum}")
    if wanted.maximum and value > Decimal(wanted.maximum):
        yield Violation(path, "value.maximum", f"at most {wanted.maximum}")


def _of_decimal(value: Decimal, wanted: ValueType, path: str) -> Faults:
    if _places(value) > wanted.scale:
        yield Violation(path, "value.scale", f"at most {wanted.scale} digits behind the point")
    yield from _of_number(value, wanted, path)


def _places(value: Decimal) -> int:
    return len(decimal_text(value).partition(".")[2])


def _of_list(value: tuple[Value, ...], wanted: ValueType, path: str) -> Faults:
    inside = f"{path}.list_value.values"
    if len(value) < wanted.min_items:
        yield Violation(inside, "value.min_items", f"at least {wanted.min_items}")
    if len(value) > wanted.max_items:
        yield Violation(inside, "value.max_items", f"at most {wanted.max_items}")
        return
    assert wanted.items is not None
    for place, each in enumerate(value):
        yield from faults(each, wanted.items, f"{inside}[{place}]")


def _of_record(value: Mapping[str, Value], wanted: ValueType, path: str) -> Faults:
    yield from field_faults(wanted.fields, value, f"{path}.record_value.fields")


_CHECKS: dict[ValueKind, Callable[..., Faults]] = {
    ValueKind.TEXT: _of_text,
    ValueKind.BYTES: _of_bytes,
    ValueKind.INTEGER: _of_number,
    ValueKind.DECIMAL: _of_decimal,
    ValueKind.LIST: _of_list,
    ValueKind.RECORD: _of_record,
}


# ---- declarations ----


def type_faults(declared: ValueType, path: str, depth: int = 1) -> Faults:
    """Finds what is wrong of a declaration at ``path`` (that of the ValueType) that the contract's rules can't say."""
    if depth > _MOST_DEEP:
        yield Violation(path, "type.depth", f"lists and records may stand {_MOST_DEEP} deep")
        return
    if depth == 1 and _count(declared) > _MOST_FIELDS:
        yield Violation(path, "type.fields", f"at most {_MOST_FIELDS} fields together")
        return
    if declared.kind in _DECLARED:
        yield from _DECLARED[declared.kind](declared, path, depth)


def _count(declared: ValueType) -> int:
    within = (*(each.type for each in declared.fields), *((declared.items,) if declared.items else ()))
    return len(declared.fields) + sum(map(_count, within))


def _declared_text(declared: ValueType, path: str, _depth: int) -> Faults:
    inside = f"{path}.text_type"
    if declared.pattern and (fault := fault_of(declared.pattern)):
        yield Violation(f"{inside}.pattern", "type.pattern", fault)
        return
    if declared.pattern and declared.max_length > LONGEST_MATCHED:
        yield Violation(f"{inside}.max_length", "type.max_length", f"with a pattern at most {LONGEST_MATCHED}")
        return
    seen: set[str] = set()
    for place, each in enumerate(declared.choices):
        if each.value in seen:
            yield Violation(f"{inside}.choices[{place}].value", "type.unique", "must stand once only")
        seen.add(each.value)
        broken = next(_of_text(each.value, _without_choices(declared), ""), None)
        if broken is not None or is_blank(each.value):
            yield Violation(f"{inside}.choices[{place}].value", "type.choice", "is no text that the field takes")


def _without_choices(declared: ValueType) -> ValueType:
    return ValueType(declared.kind, max_length=declared.max_length, pattern=declared.pattern)


def _declared_number(declared: ValueType, path: str, _depth: int) -> Faults:
    inside = f"{path}.{'decimal_type' if declared.kind is ValueKind.DECIMAL else 'integer_type'}"
    for name in ("minimum", "maximum"):
        bound: str = getattr(declared, name)
        if bound and declared.kind is ValueKind.DECIMAL and _places(Decimal(bound)) > declared.scale:
            yield Violation(f"{inside}.{name}", "type.scale", "has more digits behind the point than the field takes")
    if declared.minimum and declared.maximum and Decimal(declared.minimum) > Decimal(declared.maximum):
        yield Violation(f"{inside}.maximum", "type.range", "must not be below the minimum")


def _declared_list(declared: ValueType, path: str, depth: int) -> Faults:
    inside = f"{path}.list_type"
    assert declared.items is not None
    if declared.min_items > declared.max_items:
        yield Violation(f"{inside}.max_items", "type.range", "must not be below min_items")
    if declared.items.kind is ValueKind.LIST:
        yield Violation(f"{inside}.items", "type.items", "must not be a list")
        return
    yield from type_faults(declared.items, f"{inside}.items", depth + 1)


def _declared_record(declared: ValueType, path: str, depth: int) -> Faults:
    yield from declared_faults(declared.fields, f"{path}.record_type.fields", depth + 1)


def declared_faults(fields: Sequence[ValueField], path: str, depth: int = 1) -> Faults:
    """Finds what is wrong of declared fields at ``path`` (that of their list): a key twice, or a type that makes no sense."""
    seen: set[str] = set()
    for place, field in enumerate(fields):
        if field.key in seen:
            yield Violation(f"{path}[{place}].key", "type.unique", "must stand once only")
        seen.add(field.key)
        yield from type_faults(field.type, f"{path}[{place}].type", depth)


_DECLARED: dict[ValueKind, Callable[..., Faults]] = {
    ValueKind.TEXT: _declared_text,
    ValueKind.INTEGER: _declared_number,
    ValueKind.DECIMAL: _declared_number,
    ValueKind.LIST: _declared_list,
    ValueKind.RECORD: _declared_record,
}


def fits(given: ValueType, wanted: ValueType) -> bool:
    """Whether a field of one type can fill a field of another: what differs by length or bounds only shows with the value."""
    if given.kind is not wanted.kind or given.unit != wanted.unit or given.scale > wanted.scale:
        return False
    if wanted.choices and not {each.value for each in given.choices} <= {each.value for each in wanted.choices}:
        return False
    if wanted.choices and not given.choices:
        return False
    if given.items is not None and wanted.items is not None:
        return fits(given.items, wanted.items)
    return _fields_fit(given.fields, wanted.fields)


def _fields_fit(given: Sequence[ValueField], wanted: Sequence[ValueField]) -> bool:
    filled = {field.key: field for field in given}
    needed = {field.key for field in wanted if field.required}
    if not needed <= {key for key, field in filled.items() if field.required}:
        return False
    if not filled.keys() <= {field.key for field in wanted}:
        return False
    return all(fits(filled[field.key].type, field.type) for field in wanted if field.key in filled)
