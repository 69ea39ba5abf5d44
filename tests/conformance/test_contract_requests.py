"""What holds for every request in the contracts: each field is bounded, says its behaviour, and is required by a rule where it is."""

import re
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

from libs.rpc.contract import Method
from tests.conformance.test_contracts import request_id_of, said_of
from tests.support import contracts


def test_request_ids_are_required_uuids() -> None:
    offenders = []
    for method in contracts.methods():
        field = request_id_of(method)
        if field is None:
            continue
        rules = contracts.rules_of(field)
        if not rules.string.uuid or field_behavior_pb2.REQUIRED not in contracts.behaviors(field):
            offenders.append(field.full_name)
        if "dempotent by request_id" not in said_of(method):
            offenders.append(f"{method.name}: its comment")
    assert offenders == []


_WITHOUT_PAGES = {
    "tongban.events.v1.ChangeService.ListChanges": "it has no last page: a cursor goes on (docs/api-style.md, V4)",
}


def _page_fields(method: Method) -> set[str]:
    """The fields of the request, and of the message that it wraps for another region."""
    request = method.descriptor.input_type
    inner = [contracts.message_of(field) for field in request.fields if contracts.is_ours(field.message_type)]
    return {field.name for message in (request, *inner) for field in message.fields}


def test_lists_have_pages() -> None:
    offenders = []
    for method in contracts.methods():
        paged = {"page_size", "page_token"} <= _page_fields(method)
        if method.descriptor.name.startswith("List") and not paged and method.name not in _WITHOUT_PAGES:
            offenders.append(method.name)
        if paged != ("next_page_token" in method.descriptor.output_type.fields_by_name):
            offenders.append(f"{method.name}: page_token without next_page_token, or the other way round")
    assert offenders == []


def _bounded_text(rules: Any) -> bool:
    return bool(
        rules.max_len
        or rules.len
        or rules.max_bytes
        or getattr(rules, "uuid", False)
        or list(getattr(rules, "in"))
        or rules.HasField("const")
        or _bounded_pattern(str(getattr(rules, "pattern", "")))
    )


def _bounded_pattern(pattern: str) -> bool:
    """Whether a pattern ends what it allows: anchored, and nothing in it repeats without end."""
    without_escapes = re.sub(r"\\.", "x", pattern)
    outside_classes = re.sub(r"\[[^]]*\]", "x", without_escapes)
    anchored = outside_classes.startswith("^") and outside_classes.endswith("$")
    return anchored and not re.search(r"[*+]|\{\d+,\}", outside_classes)


def _unbounded(field: FieldDescriptor) -> bool:
    rules = contracts.rules_of(field)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and any("matches(" in each.expression for each in rules.cel):
        return False
    if contracts.is_map(field):
        texts = [rules.map.keys.string]
        if contracts.message_of(field).fields_by_name["value"].message_type is None:
            texts.append(rules.map.values.string)
        return not (rules.map.max_pairs and all(_bounded_text(each) for each in texts))
    if field.is_repeated:
        if not rules.repeated.max_items:
            return True
        rules = rules.repeated.items
    if field.type == FieldDescriptor.TYPE_STRING:
        return not _bounded_text(rules.string)
    return field.type == FieldDescriptor.TYPE_BYTES and not _bounded_text(rules.bytes)


def test_every_request_field_is_bounded() -> None:
    assert [
        field.full_name
        for field in contracts.request_fields()
        if not contracts.output_only(field) and _unbounded(field)
    ] == []


def test_every_request_enum_is_closed() -> None:
    """Of what travels as bytes the rule says what is understood, and refuses nothing (decision 0047)."""
    offenders = []
    for field in contracts.request_fields():
        if field.enum_type is None or contracts.output_only(field):
            continue
        rules = contracts.rules_of(field)
        rules = rules.repeated.items if field.is_repeated else rules
        if not (rules.enum.defined_only or list(getattr(rules.enum, "in"))):
            offenders.append(field.full_name)
    assert offenders == []


def test_every_request_field_says_its_behavior() -> None:
    assert [
        field.full_name
        for field in contracts.request_fields()
        if not contracts.behaviors(field) and (field.containing_oneof is None or _synthetic(field))
    ] == []


def _synthetic(field: FieldDescriptor) -> bool:
    return field.containing_oneof is not None and str(field.containing_oneof.name) == f"_{field.name}"


def test_required_messages_have_the_rule() -> None:
    """What is REQUIRED is refused when it is missing: a rule says so, not only the documentation."""
    assert [
        field.full_name
        for field in contracts.request_fields()
        if field_behavior_pb2.REQUIRED in contracts.behaviors(field)
        and field.message_type is not None
        and not contracts.output_only(field)
        and not field.is_repeated
        and not contracts.rules_of(field).required
    ] == []


def _takes_nothing(field: FieldDescriptor) -> bool:
    """Whether the rules of a scalar field let its empty value through."""
    rules = contracts.rules_of(field)
    if field.is_repeated:
        return not rules.repeated.min_items
    if field.type == FieldDescriptor.TYPE_ENUM:
        return 0 not in rules.enum.not_in and not getattr(rules.enum, "in")
    if field.type == FieldDescriptor.TYPE_BYTES:
        return not (rules.bytes.min_len or rules.bytes.len)
    text = rules.string
    if field.type != FieldDescriptor.TYPE_STRING or text.uuid or text.min_len:
        return False
    return "" in getattr(text, "in") if getattr(text, "in") else not text.pattern or bool(re.search(text.pattern, ""))


def test_required_values_are_not_empty() -> None:
    assert [
        field.full_name
        for field in contracts.request_fields()
        if field_behavior_pb2.REQUIRED in contracts.behaviors(field)
        and field.message_type is None
        and not contracts.output_only(field)
        and not contracts.is_map(field)
        and _takes_nothing(field)
    ] == []
