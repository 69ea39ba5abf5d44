"""JSON Schemas of protobuf messages, after the proto JSON mapping; rules of buf.validate become schema keywords.

What is sent in is closed: a field that the contract lacks is refused, and of a oneof only one is taken. What is answered is
open: a later release may say more, and who reads it must not stumble. So it keeps no rule that a later release widens: how many there
may be, which words or values of an enum are taken, whether a name may be another region's. A message that goes both ways has a schema for each way; that
of what is sent ends in ``Input``.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from google.api import field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2

from buf.validate import validate_pb2
from tongban.options.v1 import options_pb2

Json = dict[str, Any]
Field = descriptor_pb2.FieldDescriptorProto
Message = descriptor_pb2.DescriptorProto

_MESSAGES, _NESTED, _ENUMS, _NESTED_ENUMS, _FIELDS, _VALUES = 4, 3, 5, 4, 2, 2
_QUERY_DEPTH = 3
_INTEGER: Json = {"type": "integer", "format": "int32"}
_LONG: Json = {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
_NUMBER: Json = {"type": "number"}
_SCALARS: dict[int, Json] = {
    Field.TYPE_DOUBLE: _NUMBER,
    Field.TYPE_FLOAT: _NUMBER,
    Field.TYPE_INT64: _LONG,
    Field.TYPE_UINT64: _LONG,
    Field.TYPE_SINT64: _LONG,
    Field.TYPE_FIXED64: _LONG,
    Field.TYPE_SFIXED64: _LONG,
    Field.TYPE_INT32: _INTEGER,
    Field.TYPE_UINT32: _INTEGER,
    Field.TYPE_SINT32: _INTEGER,
    Field.TYPE_FIXED32: _INTEGER,
    Field.TYPE_SFIXED32: _INTEGER,
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_ANY_OBJECT: Json = {"type": "object", "additionalProperties": True}
WELL_KNOWN: dict[str, Json] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    ".google.protobuf.FieldMask": {"type": "string", "description": "Field names, separated by commas."},
    ".google.protobuf.Struct": _ANY_OBJECT,
    ".google.protobuf.Value": {},
    ".google.protobuf.ListValue": {"type": "array", "items": {}},
    ".google.protobuf.Any": _ANY_OBJECT,
    ".google.protobuf.Empty": {"type": "object"},
    ".google.protobuf.StringValue": {"type": ["string", "null"]},
    ".google.protobuf.BoolValue": {"type": ["boolean", "null"]},
    ".google.protobuf.Int32Value": {"type": ["integer", "null"]},
    ".google.protobuf.Int64Value": {"type": ["string", "null"]},
    ".google.protobuf.DoubleValue": {"type": ["number", "null"]},
}
_EXAMPLES: dict[str, list[Json]] = {
    ".tongban.common.v1.Value": [
        {"stringValue": "张三"},
        {"decimalValue": "1234.50"},
        {"intValue": "42"},
        {"boolValue": True},
        {"dateValue": {"year": 2026, "month": 1, "day": 2}},
        {"timeValue": "2026-01-02T03:04:05Z"},
        {"listValue": {"values": [{"recordValue": {"fields": {"name": {"stringValue": "张三"}}}}]}},
    ],
    ".tongban.common.v1.ValueType": [
        {"textType": {"maxLength": 100}},
        {"decimalType": {"scale": 2, "minimum": "0", "unit": "CNY"}},
        {"listType": {"items": {"dateType": {}}, "maxItems": 20}},
    ],
}
"""How what holds one of many kinds is written, where a schema alone tells too little."""
_SERVERS_OWN = {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}
_STRING_RULES = {"min_len": "minLength", "max_len": "maxLength", "len": "maxLength", "pattern": "pattern"}
_FORMATS = ("uuid", "email", "uri", "ip", "hostname")


class Schemas:
    """The messages and enums of an image, turned into schemas as they are asked for."""

    def __init__(self, image: descriptor_pb2.FileDescriptorSet) -> None:
        self._messages: dict[str, Message] = {}
        self._enums: dict[str, descriptor_pb2.EnumDescriptorProto] = {}
        self._comments: dict[str, str] = {}
        self._made: Json = {}
        self._answered: set[str] = set()
        for file in image.file:
            said = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
            prefix = f".{file.package}"
            for place, enum in enumerate(file.enum_type):
                self._add_enum(prefix, enum, (_ENUMS, place), said)
            for place, message in enumerate(file.message_type):
                self._add_message(prefix, message, (_MESSAGES, place), said)

    def _add_enum(
        self,
        prefix: str,
        enum: descriptor_pb2.EnumDescriptorProto,
        place: tuple[int, ...],
        said: dict[tuple[int, ...], str],
    ) -> None:
        name = f"{prefix}.{enum.name}"
        self._enums[name] = enum
        values = (f"- `{value.name}`: {said.get((*place, _VALUES, at), '')}" for at, value in enumerate(enum.value))
        self._comments[name] = "\n".join((said.get(place, ""), "", *values)).strip()

    def _add_message(
        self, prefix: str, message: Message, place: tuple[int, ...], said: dict[tuple[int, ...], str]
    ) -> None:
        name = f"{prefix}.{message.name}"
        self._messages[name] = message
        self._comments[name] = said.get(place, "")
        for at, field in enumerate(message.field):
            self._comments[f"{name}.{field.name}"] = said.get((*place, _FIELDS, at), "")
        for at, enum in enumerate(message.enum_type):
            self._add_enum(name, enum, (*place, _NESTED_ENUMS, at), said)
        for at, inner in enumerate(message.nested_type):
            self._add_message(name, inner, (*place, _NESTED, at), said)

    def answers(self, type_name: str) -> None:
        """Notes that a message is answered, with all that stands in it; to be told of all before the first schema is made."""
        if type_name in self._answered or type_name not in self._messages or type_name in WELL_KNOWN:
            return
        self._answered.add(type_name)
        for field in self._messages[type_name].field:
            self.answers(field.type_name)

    def used(self) -> Json:
        """Returns the schemas that were referred to, by name."""
        return dict(sorted(self._made.items()))

    def reference(self, type_name: str, *, given: bool = False) -> Json:
        """Returns a schema that refers to a message or an enum (``.tongban.cases.v1.Case``), as it is answered or ``given``."""
        if type_name in WELL_KNOWN:
            return dict(WELL_KNOWN[type_name])
        name = type_name.removeprefix(".").removeprefix("tongban.")
        if given and type_name in self._answered:
            name += "Input"
        if name not in self._made:
            self._made[name] = {}
            made = self._enum(type_name) if type_name in self._enums else self._object(type_name, given=given)
            self._made[name] = made
        return {"$ref": f"#/components/schemas/{name}"}

    def body(self, type_name: str, body: str, bound: set[str]) -> Json:
        """Returns the schema of a request's body: one field of it, or all that the path does not bind."""
        message = self._messages[type_name]
        if body != "*":
            field = next(field for field in message.field if field.name == body)
            return self._field(type_name, field, given=True)
        return self._object(type_name, given=True, without=bound) if bound else self.reference(type_name, given=True)

    def body_needed(self, type_name: str, bound: set[str]) -> bool:
        """Whether a request says something that must be said in its body: without a body all of it is left out."""
        message = self._messages[type_name]
        chosen = any(each.options.Extensions[validate_pb2.oneof].required for each in message.oneof_decl)
        return chosen or any(_is_required(field) for field in message.field if field.name not in bound)

    def pattern(self, type_name: str, path: str) -> str:
        """Returns the pattern that a text of a message keeps (``name``, ``case.name``); empty where it has none."""
        first, _, rest = path.partition(".")
        field = next(field for field in self._messages[type_name].field if field.name == first)
        if rest:
            return self.pattern(field.type_name, rest)
        return str(field.options.Extensions[validate_pb2.field].string.pattern)

    def query(
        self, type_name: str, without: set[str], prefix: str = "", *, needed: bool = True
    ) -> Iterator[tuple[str, Json, str, bool]]:
        """Yields name, schema, comment and necessity of the fields that go into the query.

        A part of a message that must be there must be there itself; ``needed`` tells it of the message around.
        """
        for field in self._messages[type_name].field:
            name = f"{prefix}{field.json_name}"
            if field.name in without and not prefix:
                continue
            if field.type != Field.TYPE_MESSAGE or field.type_name in WELL_KNOWN:
                comment = self._comments.get(f"{type_name}.{field.name}", "")
                schema = self._field(type_name, field, given=True, comment=False)
                yield name, schema, comment, needed and _is_required(field)
            elif name.count(".") < _QUERY_DEPTH and field.label != Field.LABEL_REPEATED:
                yield from self.query(field.type_name, without, f"{name}.", needed=needed and _is_required(field))

    def _enum(self, type_name: str) -> Json:
        names = [value.name for value in self._enums[type_name].value]
        return {"type": "string", "enum": names, "description": self._comments[type_name]}

    def _object(self, type_name: str, *, given: bool, without: set[str] | None = None) -> Json:
        message = self._messages[type_name]
        fields = [field for field in message.field if field.name not in (without or ())]
        schema: Json = {
            "type": "object",
            "properties": {field.json_name: self._property(type_name, field, given=given) for field in fields},
        }
        if given:
            schema |= {"additionalProperties": False} | _choices(message, fields)
        if comment := self._comments.get(type_name):
            schema["description"] = comment
        if type_name in _EXAMPLES:
            schema["examples"] = _EXAMPLES[type_name]
        if required := [field.json_name for field in fields if _is_required(field)]:
            schema["required"] = required
        return schema

    def _property(self, owner: str, field: Field, *, given: bool) -> Json:
        """A field in an object. The mapping takes null for a field that is not there (which many libraries write)."""
        schema = self._field(owner, field, given=given)
        return schema if not given or _is_required(field) else _or_null(schema)

    def _field(self, owner: str, field: Field, *, given: bool, comment: bool = True) -> Json:
        said = self._comments.get(f"{owner}.{field.name}", "") if comment else ""
        return self._type(field, given=given) | ({"description": said} if said else {}) | _marks(field)

    def _type(self, field: Field, *, given: bool) -> Json:
        rules = field.options.Extensions[validate_pb2.field]
        inner = self._messages.get(field.type_name)
        if inner is not None and inner.options.map_entry:
            kept = {"type": "object", "additionalProperties": self._single(inner.field[1], given=given)}
            return kept | _map_rules(rules.map, given=given)
        single = self._single(field, given=given) | self._allowed(field, rules, given=given)
        if field.label != Field.LABEL_REPEATED:
            kept = single | _rules_of(field, rules, given=given)
            return _or_masked(kept) if field.options.Extensions[options_pb2.field].personal and not given else kept
        items = single | _rules_of(field, rules.repeated.items, given=given)
        return {"type": "array", "items": items} | (_limits(rules.repeated) if given else {})

    def _allowed(self, field: Field, rules: validate_pb2.FieldRules, *, given: bool) -> Json:
        """Returns the names of an enum's values that a field takes, where it does not take all."""
        if field.type != Field.TYPE_ENUM:
            return {}
        rule = (rules.repeated.items if field.label == Field.LABEL_REPEATED else rules).enum
        taken, refused = getattr(rule, "in") if given else (), rule.not_in
        if not taken and not refused:
            return {}
        values = self._enums[field.type_name].value
        return {"enum": [v.name for v in values if v.number not in refused and (not taken or v.number in taken)]}

    def _single(self, field: Field, *, given: bool) -> Json:
        if field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
            return self.reference(field.type_name, given=given)
        return dict(_SCALARS[field.type])


def _there(*names: str) -> Json:
    """That fields are there: null is what is not."""
    return {"required": [*names], "properties": {name: {"not": {"type": "null"}} for name in names}}


def _choices(message: Message, fields: list[Field]) -> Json:
    """Returns that of each oneof at most one field is there; exactly one where one is required."""
    rules: list[Json] = []
    for place, oneof in enumerate(message.oneof_decl):
        names = [each.json_name for each in fields if each.HasField("oneof_index") and each.oneof_index == place]
        if oneof.options.Extensions[validate_pb2.oneof].required:
            rules.append({"oneOf": [_there(name) for name in names]})
        elif len(names) > 1:
            rules.append({"not": {"anyOf": [_there(*pair) for pair in combinations(names, 2)]}})
    return {"allOf": rules} if rules else {}


def _or_null(schema: Json) -> Json:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    said = {key: each for key, each in schema.items() if key in {"description", "readOnly"} or key.startswith("x-")}
    return {"anyOf": [{key: each for key, each in schema.items() if key not in said}, {"type": "null"}]} | said


def _rules_of(field: Field, rules: validate_pb2.FieldRules, *, given: bool) -> Json:
    """Returns the rules of a value; of what is answered neither which words are taken nor how a name looks."""
    named = field.options.Extensions[resource_pb2.resource_reference].type
    widened = set() if given else {"enum", "pattern"} if named else {"enum"}
    return {key: each for key, each in _rules(rules).items() if key not in widened}


def _limits(rules: validate_pb2.RepeatedRules) -> Json:
    limits = {"maxItems": rules.max_items} if rules.max_items else {}
    return limits | ({"minItems": rules.min_items} if rules.min_items else {})


def _or_masked(schema: Json) -> Json:
    """Returns what a person's text may look like in an answer: by its rules, or with asterisks in place of what is hidden."""
    if schema.keys().isdisjoint({"pattern", "format", "enum"}):
        return schema
    rules = {key: each for key, each in schema.items() if key != "type"}
    return {"type": "string", "anyOf": [rules, {"pattern": r"\*"}]}


def _behaviours(field: Field) -> list[int]:
    return list(field.options.Extensions[field_behavior_pb2.field_behavior])


def _is_required(field: Field) -> bool:
    """Whether the contract refuses a message without the field: by its behaviour, or by a rule that nothing breaks."""
    rules = field.options.Extensions[validate_pb2.field]
    return field_behavior_pb2.REQUIRED in _behaviours(field) or rules.required


def _marks(field: Field) -> Json:
    marks: Json = {} if _SERVERS_OWN.isdisjoint(_behaviours(field)) else {"readOnly": True}
    marks |= {"x-personal": True} if field.options.Extensions[options_pb2.field].personal else {}
    return marks | ({"x-secret": True} if field.options.Extensions[options_pb2.field].secret else {})


def _rules(rules: validate_pb2.FieldRules) -> Json:
    kind = rules.WhichOneof("type")
    if kind == "string":
        return _string_rules(rules.string)
    if kind == "bytes":
        # Base64 without padding at least, with it at most.
        least = {"minLength": -(-rules.bytes.min_len * 4 // 3)} if rules.bytes.min_len else {}
        return least | ({"maxLength": -(-rules.bytes.max_len // 3) * 4} if rules.bytes.max_len else {})
    if kind == "int64" and rules.int64.HasField("gte") and rules.int64.gte >= 0:
        # A number as text: its bounds can't be said, but that it has no sign, or is not nothing.
        return {"pattern": "^[1-9][0-9]*$" if rules.int64.gte else "^[0-9]+$"}
    if kind in ("int32", "uint32"):
        return _bounds(getattr(rules, kind))
    return {}


def _string_rules(rules: Any) -> Json:
    schema: Json = {key: getattr(rules, name) for name, key in _STRING_RULES.items() if rules.HasField(name)}
    if known := rules.WhichOneof("well_known"):
        schema |= {"format": known} if known in _FORMATS else {}
    allowed = list(getattr(rules, "in"))
    return schema | ({"enum": allowed} if allowed else {})


def _map_rules(rules: validate_pb2.MapRules, *, given: bool) -> Json:
    keys = _string_rules(rules.keys.string)
    most: Json = {"maxProperties": rules.max_pairs} if rules.max_pairs and given else {}
    return most | ({"propertyNames": keys} if keys else {})


def _bounds(rules: Any) -> Json:
    bounds: Json = {}
    for name, key in (("gte", "minimum"), ("gt", "exclusiveMinimum"), ("lte", "maximum"), ("lt", "exclusiveMaximum")):
        if rules.HasField(name):
            bounds[key] = getattr(rules, name)
    return bounds
