"""Writes docs/bad-input.md from the contracts: of each RPC what can be wrong with a request, and what comes back."""

import importlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bad-input.md"
_HEAD = """# Bad input

Made from the rules of the contracts (`buf.validate`) by `./run proto`; a test compares, and sends each row of it to the running
service. Don't edit.

**What comes back.** FIELD_INVALID (INVALID_ARGUMENT, 400 over JSON), whose BadRequest names each field and rule as the tables do,
`[n]` and `["key"]` being the place in a list or a map; or the reason that a row names, with its code in [errors.md](errors.md). What is
refused because of how things stand, whoever asks and however well it is written, is told there too. A rule over several fields names the
message that they stand in, and the request itself by no field.

**What stays unchanged.** Everything: no row of a database, no file, no event, no record of the audit log, no number drawn; the `request_id`
stays free for the request as it should have been. The same test compares all tables, sequences and files before and after. Of streams:
one that a bad message ends keeps nothing of what came before it, but VerifyLicenses has answered that, and AppendUpload has kept
its whole MiBs, from behind which one goes on.

**Every RPC.** What OUTPUT_ONLY fields say is not looked at, nor of an Update what its `update_mask` does not name.

| What is wrong | Rule |
| --- | --- |
| the bytes are no message of the type, or hold broken UTF-8 | `protobuf`, of no field |
| a field, or a value of an enum in JSON, that the contract lacks; but between regions, where it is kept | `protobuf.unknown_field` |
| a message over 4 MiB | the reason MESSAGE_TOO_LARGE |
| over 5000 elements in all lists and maps together | `repeated.max_items` |
| U+0000 in a text | `string.nul` |
| a time outside of the years 1 to 9999 | `timestamp.range` |
| a `Value` that is none, or too deep, or too many | `value.…`: [values.md](values.md) |
| of an Update: a mask that is empty, or names what is no field, is written by the server or stays as it was made | `update_mask.…` |

In patterns `<uuid>` stands for the 36 characters of a UUID in small letters, `<region>/` for another region's id and a slash.
"""
_SHORT = {"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "<uuid>", "[a-z0-9][a-z0-9-]{0,30}[a-z0-9]/": "<region>/"}
_BESIDES = {
    "request_id": ("used before with another request", "REQUEST_ID_REUSED"),
    "page_token": ("not one that this list gave out for these arguments", "PAGE_TOKEN_INVALID"),
    "etag": ("not that of the thing as it stands", "ETAG_MISMATCH"),
    "purpose_code": ("not in the table of purposes", "PURPOSE_UNKNOWN"),
}
"""What the contract's rules can't say of a field, where the RPC refuses with it."""
_LISTS = {
    "filter": ("not in the language of filters, or not a field of this list (lists.md)", "filter.…"),
    "order_by": ("not an order of this list (lists.md)", "order_by.…"),
}
_MARK = "tongban."


class Row(NamedTuple):
    """One thing that can be wrong: the field, in words what is wrong with it, and the rule or reason that comes back."""

    field: str
    wrong: str
    rule: str


def rows(method: Any) -> Iterator[Row]:
    """Yields what can be wrong with a request of an RPC (a ``libs.rpc.contract.Method``), in the order of its fields."""
    from libs.rpc import refusals  # noqa: PLC0415 - build-time only

    reasons = refusals.refusals(method)
    for place, message in _messages("", method.descriptor.input_type, ()):
        for field in message.fields:
            if not _written_by_server(field):
                yield from _of_field(f"{place}{field.name}", field)
                yield from _beside_rules(f"{place}{field.name}", field, reasons)
        yield from _of_message(place, message)


def _beside_rules(path: str, field: Any, reasons: Collection[str]) -> Iterator[Row]:
    wrong, reason = _BESIDES.get(field.name, ("", ""))
    if reason in reasons:
        yield Row(path, wrong, reason)
    if field.name in _LISTS and "page_token" in field.containing_type.fields_by_name:
        yield Row(path, *_LISTS[field.name])


def _messages(place: str, message: Any, above: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """A message of ours and those in it that a caller writes, each with the path to its fields; one within itself once."""
    yield place, message
    for field in message.fields:
        held = field.message_type
        if held is not None and held.GetOptions().map_entry:
            held = held.fields_by_name["value"].message_type
        if held is None or not held.full_name.startswith(_MARK) or _written_by_server(field) or held in above:
            continue
        yield from _messages(f"{place}{field.name}{_subscript(field)}.", held, (*above, held))


def _subscript(field: Any) -> str:
    if not field.is_repeated:
        return ""
    return '["key"]' if field.message_type is not None and field.message_type.GetOptions().map_entry else "[n]"


def _written_by_server(field: Any) -> bool:
    from google.api import field_behavior_pb2 as api  # noqa: PLC0415 - build-time only

    return bool({api.OUTPUT_ONLY, api.IDENTIFIER} & set(field.GetOptions().Extensions[api.field_behavior]))


def _of_message(place: str, message: Any) -> Iterator[Row]:
    from buf.validate import validate_pb2  # noqa: PLC0415 - generated just before

    for oneof in message.oneofs:
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            members = ", ".join(f"`{each.name}`" for each in oneof.fields)
            yield Row(f"{place}{oneof.name}", f"none of {members}", "required")
    for rule in message.GetOptions().Extensions[validate_pb2.message].cel:
        yield Row(place.rstrip("."), f"not so: {rule.message}", rule.id)


def _of_field(path: str, field: Any) -> Iterator[Row]:
    from buf.validate import validate_pb2  # noqa: PLC0415 - generated just before

    rules = field.GetOptions().Extensions[validate_pb2.field]
    if rules.required:
        yield Row(path, "left out", "required")
    for each in rules.cel:
        yield Row(path, f"not so: {each.message}", each.id)
    kind = rules.WhichOneof("type")
    if kind == "map":
        yield from _of_map(path, field, rules.map)
    elif kind == "repeated":
        yield from _of_list(path, field, rules.repeated)
    elif kind:
        yield from _of_one(path, field, kind, getattr(rules, kind))


def _of_map(path: str, field: Any, rules: Any) -> Iterator[Row]:
    entry = field.message_type.fields_by_name
    yield Row(path, f"more than {rules.max_pairs} entries", "map.max_pairs")
    for name, each in (("key", rules.keys), ("value", rules.values)):
        if kind := each.WhichOneof("type"):
            for row in _of_one(f'{path}["key"]', entry[name], kind, getattr(each, kind)):
                yield row._replace(wrong=f"the {name}: {row.wrong}")


def _of_list(path: str, field: Any, rules: Any) -> Iterator[Row]:
    if rules.max_items:
        yield Row(path, f"more than {rules.max_items} elements", "repeated.max_items")
    if rules.min_items:
        yield Row(path, f"fewer than {rules.min_items}", "repeated.min_items")
    if rules.unique:
        yield Row(path, "one twice", "repeated.unique")
    if kind := rules.items.WhichOneof("type"):
        yield from _of_one(f"{path}[n]", field, kind, getattr(rules.items, kind))


def _of_one(path: str, field: Any, kind: str, rules: Any) -> Iterator[Row]:
    words = {"string": _of_text, "bytes": _of_text, "enum": _of_enum, "bool": _of_bool}.get(kind, _of_number)
    for rule, wrong in words(field, rules):
        yield Row(path, wrong, f"{kind}.{rule}")


def _of_text(field: Any, rules: Any) -> Iterator[tuple[str, str]]:
    unit = "bytes" if field.type == field.TYPE_BYTES else "characters"
    if rules.pattern:
        yield "pattern", f"not as `{_shortened(rules.pattern)}`"
    if rules.HasField("len"):
        yield "len", f"not {rules.len} {unit}"
    if rules.max_len:
        yield "max_len", f"more than {rules.max_len} {unit}"
    if rules.min_len:
        yield "min_len", f"fewer than {rules.min_len} {unit}"
    if getattr(rules, "uuid", False):
        yield "uuid", "no UUID"
        yield "uuid_empty", "empty"
    if listed := getattr(rules, "in"):
        yield "in", "none of " + ", ".join(f"`{each}`" for each in listed)


def _of_enum(field: Any, rules: Any) -> Iterator[tuple[str, str]]:
    names = {each.number: f"`{each.name}`" for each in field.enum_type.values}
    if rules.not_in:
        yield "not_in", " or ".join(names[number] for number in rules.not_in)
    if rules.defined_only:
        yield "defined_only", "no value of the enum"
    if listed := getattr(rules, "in"):
        yield "in", "none of " + ", ".join(names[number] for number in listed)


def _of_bool(_field: Any, rules: Any) -> Iterator[tuple[str, str]]:
    yield "const", f"not {str(rules.const).lower()}"


def _of_number(_field: Any, rules: Any) -> Iterator[tuple[str, str]]:
    bounds = [name for name in ("gt", "gte", "lte") if rules.HasField(name)]
    low, high = (_plain(getattr(rules, name)) for name in (bounds[0], bounds[-1]))
    match bounds:
        case ["gt", "lte"]:
            wrong = f"not above {low}, or above {high}"
        case ["gte", "lte"]:
            wrong = f"less than {low} or more than {high}"
        case ["gte"]:
            wrong = f"less than {low}"
        case _:
            wrong = f"more than {high}" if bounds == ["lte"] else f"not above {low}"
    yield "_".join(bounds), wrong


def _plain(value: Any) -> str:
    return (
        f"{value.seconds} s" if hasattr(value, "seconds") else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _shortened(pattern: str) -> str:
    for long, short in _SHORT.items():
        pattern = pattern.replace(long, short)
    return pattern


def rendered(image: bytes) -> str:
    """Returns the page for an image of the contracts (a FileDescriptorSet)."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - build-time only

    from libs.rpc.contract import methods_of  # noqa: PLC0415 - reads what was generated just before

    lines = [_HEAD]
    for file in descriptor_pb2.FileDescriptorSet.FromString(image).file:
        for service in file.service if file.package.startswith(_MARK) else ():
            module = importlib.import_module(file.name.replace("/", ".").replace(".proto", "_pb2"))
            lines.append(f"## {file.package}.{service.name}\n")
            for method in methods_of(module.DESCRIPTOR.services_by_name[service.name]):
                lines += [f"### {method.descriptor.name}\n", *_table(list(rows(method))), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(found: list[Row]) -> list[str]:
    if not found:
        return ["Nothing of its own."]
    shown = ((each.field and f"`{each.field}`", each.wrong.replace("|", "\\|"), f"`{each.rule}`") for each in found)
    return [
        "| Field | What is wrong | What comes back |",
        "| --- | --- | --- |",
        *(f"| {' | '.join(each)} |" for each in shown),
    ]


if __name__ == "__main__":
    PAGE.write_text(rendered((PAGE.parents[1] / "proto/gen/tongban.binpb").read_bytes()), encoding="utf-8")
