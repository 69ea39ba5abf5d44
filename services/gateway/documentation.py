"""What the documentation's page tells: methods with fields, refusals and lines to paste; types; who holds what."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from buf.validate import validate_pb2
from libs.access import rights
from libs.errors import Code
from services.gateway.contracts import Rpc, Service
from services.gateway.docs_words import holder, words
from services.gateway.examples import UUID, Examples, fitting
from services.gateway.http_paths import VARIABLE, path_of
from services.gateway.openapi import operations
from services.gateway.replies import documented
from services.gateway.schemas import Json

_NEW_ID = f'"{UUID}"'
_FRESH_ID = """"requestId": "'"$(uuidgen)"'\""""
"""A new one each time, in a shell: the body's own quotes end before it and begin again behind it."""


@dataclass(frozen=True, slots=True)
class DocumentedField:
    """A field of a request or a type; ``place`` is where it stands in a request."""

    name: str
    place: str
    type: str
    required: bool
    comment: str

    @property
    def base(self) -> str:
        """The type without what says that there are several, or that a map has it."""
        return self.type.removeprefix("{…: ").removesuffix("}").removesuffix("[]")


class Documentation:
    """The documentation of one region in one language.

    Args:
        made: the OpenAPI document in that language.
        services: the services that it is of.
        language: ``zh`` or ``en``.
    """

    def __init__(self, made: Json, services: list[Service], language: str) -> None:
        self._made = made
        self._schemas: Json = made["components"]["schemas"]
        self._examples = Examples(self._schemas)
        self._rpcs = {rpc.path[1:]: rpc for service in services for rpc in service.rpcs}
        self._words = words(language)
        self._language = language
        self._base = made["servers"][0]["url"]

    def values(self) -> Json:
        """Returns what the template is rendered with."""
        return {
            "t": self._words,
            "lang": self._language,
            "services": self._services(),
            "types": self._types(),
            "linked": set(self._schemas),
            "duties": self._duties(),
        }

    def _services(self) -> list[Json]:
        """The methods by gRPC service."""
        methods: defaultdict[str, list[Json]] = defaultdict(list)
        for path, verb, operation in operations(self._made):
            methods[operation["tags"][0]].append(self._method(path, verb, operation))
        return [
            {"name": tag["name"], "description": tag["description"], "methods": methods[tag["name"]]}
            for tag in self._made["tags"]
        ]

    def _method(self, path: str, verb: str, operation: Json) -> Json:
        good = next(each for http, each in operation["responses"].items() if http.startswith("2"))
        answer = next(iter(good.get("content", {}).values()), {"schema": {"type": "—"}})["schema"]
        example, rpc = self._example(operation), self._rpcs[operation["x-grpc-method"]]
        filled = self._filled(path, operation, rpc)
        return {
            "path": path,
            "verb": verb,
            "name": operation["x-grpc-method"].rpartition("/")[2],
            "operation": operation,
            "fields": self._fields(operation),
            "answer": type_name(answer),
            "answer_base": type_name(answer).removesuffix("[]"),
            "answer_said": good["description"] if answer.get("type") == "array" else "",
            "refusals": [self._refusal(own) for own in operation.get("x-error-reasons", [])],
            "body": None if example is None else _pretty(example),
            "filled": filled,
            "curl": self._curl(verb, filled, example, public=not operation["security"]),
            "python": self._python(rpc, path, filled, example),
        }

    def _body(self, operation: Json) -> Json:
        schema: Json = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        return schema

    def _example(self, operation: Json) -> Any:
        schema = self._body(operation)
        return self._examples.of(schema) if schema else None

    def _filled(self, path: str, operation: Json, rpc: Rpc) -> str:
        """The path with an example in each place, and what must stand in its query."""
        template = _template(rpc, path)
        if template:
            path = VARIABLE.sub(
                lambda found: _name(rpc.method.request_type.DESCRIPTOR, found[1], found[2] or "*"), template
            )
        for each in operation["parameters"]:
            if each["in"] == "path":
                path = path.replace(f"{{{each['name']}}}", str(self._examples.of(each["schema"])))
        needed = [each for each in operation["parameters"] if each["in"] == "query" and each["required"]]
        query = "&".join(f"{each['name']}={self._examples.of(each['schema'])}" for each in needed)
        return f"{path}?{query}" if query else path

    def _curl(self, verb: str, filled: str, example: Any, *, public: bool) -> str:
        lines = [f"curl -sS -X {verb} '{self._base}{filled}'"]
        if not public:
            lines.append('  -H "Authorization: Bearer $TOKEN"')
        if example is not None:
            body = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
            lines.append("  -H 'Content-Type: application/json'")
            lines.append("  -d '" + body.replace(f'"requestId": {_NEW_ID}', _FRESH_ID) + "'")
        return " \\\n".join(lines)

    def _python(self, rpc: Rpc, path: str, filled: str, example: Any) -> str:
        """Lines for the Python client; none for what streams, or goes by HTTP alone."""
        method = rpc.method
        template = _template(rpc, path)
        if not template or method.descriptor.client_streaming or method.descriptor.server_streaming:
            return ""
        request = _joined(_bound(template, filled), example or {}, _body_of(rpc, template))
        asked, answered = method.request_type.DESCRIPTOR, method.response_type.DESCRIPTOR
        modules = sorted({_module(each.file.name) for each in (asked, answered)})
        return "\n".join(
            [
                "from google.protobuf.json_format import ParseDict",
                "from tongban_client import Bearer, Tongban",
                *(f"from {package} import {module}" for package, module in modules),
                "",
                f"with Tongban({self._base!r}, Bearer(TOKEN)) as region:",
                f"    request = ParseDict({_python_of(request)}, {_class_of(asked)}())",
                f"    print(region.call(request, {_class_of(answered)}))",
            ]
        )

    def _fields(self, operation: Json) -> list[DocumentedField]:
        fields = [
            DocumentedField(
                each["name"],
                self._words[each["in"]],
                type_name(each["schema"]),
                each["required"],
                each.get("description", ""),
            )
            for each in operation["parameters"]
        ]
        body = self._body(operation)
        if "$ref" in body:
            body = self._schemas[type_name(body)]
        return fields + self._properties(body, self._words["body"])

    def _properties(self, schema: Json, place: str = "") -> list[DocumentedField]:
        required = schema.get("required", [])
        return [
            DocumentedField(name, place, type_name(each), name in required, each.get("description", ""))
            for name, each in schema.get("properties", {}).items()
        ]

    def _types(self) -> list[Json]:
        """The types that fields and answers are of; what is sent and what is answered of one stands under each name."""
        return [
            {
                "name": name,
                "description": schema.get("description", ""),
                "fields": self._properties(schema),
                "values": schema.get("enum", []),
            }
            for name, schema in self._schemas.items()
        ]

    def _refusal(self, own: Json) -> Json:
        """One reason of a method's own."""
        told = documented(own["reason"])
        said = told.message_zh if self._language == "zh" else told.message_en
        return {"reason": own["reason"], "when": own.get("when", ""), "http": Code[told.code].http, "said": said}

    def _duties(self) -> list[Json]:
        """Who holds which permissions, beside the services themselves."""
        named = ((holder(name, self._language), held) for name, held in rights.HELD.items())
        return [{"name": name, "permissions": sorted(held)} for name, held in named if name]


def type_name(schema: Json) -> str:
    """Returns what a schema's type is called: a component's name, with brackets for several, or a kind of value."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema and "type" not in schema:
        return type_name(schema["anyOf"][0])
    kind = schema.get("type", "any")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind == "array":
        return f"{type_name(schema['items'])}[]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{…: {type_name(schema['additionalProperties'])}}}"
    return str(schema.get("format") or kind)


def _template(rpc: Rpc, path: str) -> str:
    """The contract's template of a path of the document; empty where the path is not the contract's."""
    return next((each for _, each, _ in rpc.http if path_of(each)[0] == path), "")


def _name(message: Any, path: str, form: str) -> str:
    """A name for a field that the path binds: by the field's own rule, where that is of the template's form."""
    field: Any = None
    for part in path.split("."):
        field = message.fields_by_name[part]
        message = field.message_type
    rules = field.GetOptions().Extensions[validate_pb2.field].string
    allowed = list(getattr(rules, "in"))
    made = allowed[0] if allowed else fitting(rules.pattern)
    return made if re.fullmatch(form.replace("*", "[^/:]+"), made) else form.replace("*", UUID)


def _body_of(rpc: Rpc, template: str) -> str:
    return next(body for _, each, body in rpc.http if each == template)


def _bound(template: str, filled: str) -> dict[str, str]:
    """What path and query say of the request, by the path of its field."""
    path, _, query = filled.partition("?")
    pattern = VARIABLE.sub(
        lambda found: f"(?P<{found[1].replace('.', '__')}>{(found[2] or '*').replace('*', '[^/:]+')})", template
    )
    match = re.fullmatch(pattern, path)
    assert match is not None, f"{path} is not of {template}"
    pairs = (each.split("=", 1) for each in query.split("&") if each)
    return {name.replace("__", "."): value for name, value in match.groupdict().items()} | dict(pairs)


def _joined(bound: dict[str, str], example: Json, body: str) -> Json:
    """The request as a whole: what path, query and body say of it."""
    request: Json = dict(example) if body in ("", "*") else {body: dict(example)}
    for path, value in bound.items():
        at = request
        *outer, last = path.split(".")
        for name in outer:
            at = at.setdefault(name, {})
        at[last] = value
    return request


def _pretty(example: Any) -> str:
    return json.dumps(example, ensure_ascii=False, indent=2)


def _python_of(example: Any) -> str:
    text = json.dumps(example, ensure_ascii=False)
    return re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", text))


def _module(file: str) -> tuple[str, str]:
    package, _, name = file.removesuffix(".proto").replace("/", ".").rpartition(".")
    return package, f"{name}_pb2"


def _class_of(message: Any) -> str:
    return f"{_module(message.file.name)[1]}.{message.name}"
