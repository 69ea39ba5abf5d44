"""The gate for JSON requests: routes, verbs, tokens, field names and enum values by the contracts, checked within Envoy.

Envoy's transcoder drops a body's field that it does not know, and answers a wrong verb as an unknown path. So a Lua
filter (``contract_gate.lua``) stands before it, with tables made here from the contracts.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, json_format

from libs.access.bound_keys import SCHEME
from libs.errors import Internal as InternalError
from libs.errors import TongbanError, Violation, reasons
from libs.rpc import languages, status
from libs.rpc.fitting import OMITTED
from libs.rpc.receipts import RECEIPT, RECEIPT_ABROAD
from libs.security.possession import ALGORITHMS, HEADER, METHOD_SEEN, PATH_SEEN, REQUEST_SEEN
from services.gateway.contracts import Rpc, Service
from services.gateway.envoy_routes import REFLECTION
from services.gateway.http_paths import path_of
from services.gateway.lua_texts import languages_text, lua, lua_text
from services.gateway.schemas import WELL_KNOWN

Json = dict[str, Any]
Field = descriptor_pb2.FieldDescriptorProto
_ANYTHING = "*"
HEADER_BYTES, HEADER_LINES, PATH_BYTES = 60 * 1024, 100, 16 * 1024
"""What the headers of one request may have together, names and values counted, and what its path and query may have."""
FEW_BYTES = 2048
"""Up to so many bytes in all the lines of the headers are not counted: they can't cost."""
SIZE_HEADER = "x-tongban-size"
"""Where Envoy tells the gate what the headers come to."""
OF_GRPC = ("grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding", "grpc-accept-encoding")
"""Headers that mean something to gRPC callers alone; the body of a JSON answer says it all."""
NOTES = "envoy.filters.http.lua"
"""Where the gate leaves for the log what is ours: ``method`` (one of METHODS), ``path`` (the contract's template, or the route), ``operation``
(both, of a JSON request), a whole ``traceparent``, and its ``trace_id``."""
JUDGED, FAILED = "envoy.filters.http.jwt_authn", "failed"
"""Where Envoy leaves what it found of a token that it does not take, for the gate to refuse by."""
NO_TOKEN, UNKNOWN_KEY = "Jwt is missing", "Jwks doesn't have key to match kid or alg from Jwt"
"""Envoy's words where there is no token, and for one of a key that it does not know: neither is refused for that."""
NO_KEYS = "Jwks remote fetch is failed"
"""Its words for keys that it could not ask for yet."""
REFUSED = "refused"
"""Where the gate leaves what is wrong with a token that it refuses: ``token`` or ``keys``."""
WEB = (NOTES, "web")
"""Where the gate leaves for Envoy's own answers that a request came as gRPC-Web."""
SIGNED = "signed"
"""What the gate leaves beside it of a request that says it is signed: then identity is asked whether it is good."""
WEB_ANSWER = "x-tongban-web"
"""Set on Envoy's own answer to gRPC-Web: of one without a body it takes the media type away, and the gate puts it back."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
"""The verbs of RFC 9110, RFC 5789 and RFC 10008 but for CONNECT, which opens a tunnel."""
USUAL = ("GET", "HEAD", "POST")
"""What is taken where no path of the contracts is: by the pages and the token endpoint."""
JSON_TAKEN, GRPC_TAKEN = "application/json", "application/grpc, application/grpc-web, application/grpc-web-text"
"""The media types of the two kinds of paths."""
CHALLENGE = f'Bearer, {SCHEME} algs="{" ".join(ALGORITHMS)}"'
"""What a caller without a token is told to bring (RFC 9449, 7.1)."""
INVALID = 'Bearer realm="tongban", error="invalid_token"'
"""What a caller whose token does not hold is told (RFC 6750, 3)."""
PROTOCOLS = "HTTP/1.1, HTTP/2.0"
"""What the gateway speaks, as the header Upgrade names protocols."""


class _Types:
    """The messages and enums that requests can hold, collected as they are asked for."""

    def __init__(self, image: descriptor_pb2.FileDescriptorSet) -> None:
        self._messages: dict[str, descriptor_pb2.DescriptorProto] = {}
        self._enums: dict[str, descriptor_pb2.EnumDescriptorProto] = {}
        self.types: dict[str, dict[str, str]] = {}
        self.enums: dict[str, str] = {}
        self.numbers: dict[str, str] = {}
        for file in image.file:
            self._add(f".{file.package}", file.message_type, file.enum_type)

    def _add(self, prefix: str, messages: Any, enums: Any) -> None:
        self._enums |= {f"{prefix}.{enum.name}": enum for enum in enums}
        for message in messages:
            self._messages[f"{prefix}.{message.name}"] = message
            self._add(f"{prefix}.{message.name}", message.nested_type, message.enum_type)

    def message(self, name: str) -> str:
        """Returns the kind of a message: what is not fixed by its fields is anything."""
        if name in WELL_KNOWN or name not in self._messages:
            return _ANYTHING
        if name not in self.types:
            self.types[name] = {}
            self.types[name] |= dict(self._fields(self._messages[name]))
        return f"m{name}"

    def _fields(self, message: descriptor_pb2.DescriptorProto) -> Iterator[tuple[str, str]]:
        for field in message.field:
            kind = f"{field.name} {self.field(field)}"
            yield field.name, kind
            yield field.json_name, kind

    def field(self, field: Field) -> str:
        """Returns the kind of a field."""
        inner = self._messages.get(field.type_name)
        if inner is not None and inner.options.map_entry:
            return "{" + self._single(inner.field[1])
        return ("[" if field.label == Field.LABEL_REPEATED else "") + self._single(field)

    def _single(self, field: Field) -> str:
        if field.type == Field.TYPE_ENUM:
            values = self._enums[field.type_name].value
            # The name of "not said" is taken, as the transcoder takes it, and not proposed first.
            self.enums[field.type_name] = "|" + "|".join(value.name for value in values) + "|"
            self.numbers[field.type_name] = "|" + "|".join(str(value.number) for value in values) + "|"
            return f"e{field.type_name}"
        return self.message(field.type_name) if field.type == Field.TYPE_MESSAGE else ""


def _bound(paths: list[str]) -> Json:
    """What the path says can't be said again: a field, or a field within a field (``case.name``)."""
    fields: Json = {}
    for path in paths:
        *around, last = path.split(".")
        inside = fields
        for name in around:
            inside = inside.setdefault(name, {})
        inside[last] = True
    return fields


def _operation(rpc: Rpc, template: str, body: str, types: _Types) -> Json:
    input_type = rpc.descriptor.input_type
    types.message(input_type)
    _, _, bound = path_of(template)
    operation: Json = {"input": input_type, "public": rpc.access.public, "bound": _bound(sorted(bound))}
    if body:
        assert body == "*", rpc.path
        kind = types.message(input_type)
        operation["body"] = f"[{kind}" if rpc.descriptor.client_streaming else kind
    return operation


def _insert(root: Json, path: str, operation: Json, method: str) -> str:
    """Puts an operation into the tree of path segments and returns the custom verb of its path."""
    plain, _, verb = path.partition(":")
    node = root
    for part in plain.strip("/").split("/"):
        node = node.setdefault("*" if part.startswith("{") else part, {})
    node.setdefault("verbs", {}).setdefault(verb, {})[method] = operation
    return verb


def _routes(services: list[Service], types: _Types) -> tuple[Json, Json]:
    root: Json = {}
    verbs: Json = {}
    for rpc in (rpc for service in services for rpc in service.public_rpcs):
        for method, template, body in rpc.http:
            path, _, _ = path_of(template)
            operation = _operation(rpc, template, body, types) | {"name": f"{method} {template}", "template": template}
            if verb := _insert(root, path, operation, method):
                verbs[verb] = True
    return root, verbs


def _answer(http: int, error: TongbanError) -> Json:
    """A refusal; the sentence for people, which stands last, is put in by the gate in the language that is asked for."""
    body = json_format.MessageToDict(status.to_status(error))
    body["details"][-1] |= {"locale": "@LOCALE@", "message": "@SENTENCE@"}
    said = {language: status.sentence(error.reason, language) for language in sorted(set(languages.SPOKEN.values()))}
    return {"status": str(http), "body": json.dumps(body, ensure_ascii=False), "said": said}


def _fields_answer() -> Json:
    """The refusal of fields: the template of the whole, that of one violation, and that of the count of those beyond."""
    first = Violation("@FIELD@", "@RULE@", "@DESCRIPTION@")
    refusal = reasons.field_invalid("@FIELD@: @DESCRIPTION@", violations=(first,))
    refusal.metadata[OMITTED] = "@COUNT@"
    answer = _answer(400, refusal)
    details = json.loads(answer["body"])["details"]
    (violation,) = (json.dumps(each["fieldViolations"][0]) for each in details if "fieldViolations" in each)
    omitted = f', "metadata": {json.dumps(details[0]["metadata"])}'
    body = answer["body"].replace(violation, "@VIOLATIONS@").replace(omitted, "@OMITTED@")
    return answer | {"body": body, "violation": violation, "omitted": omitted}


def _too_large(http: int, what: str, limit: int) -> Json:
    return _answer(http, reasons.message_too_large(f"{what} is larger than taken", limit_bytes=str(limit)))


def _answers() -> Json:
    """The gate's refusals; words between @ are put in by the gate."""
    return {
        "fields": _fields_answer(),
        "token": _answer(401, reasons.token_missing("this method needs an access token")),
        "route": _answer(404, reasons.route_not_found("no method is at this path")),
        "method": _answer(405, reasons.route_not_found("this path takes @ALLOWED@ only")),
        "verb": _answer(501, reasons.route_not_found("the gateway does not know this verb; here it takes @ALLOWED@")),
        "path": _too_large(414, "the request's path with its query", PATH_BYTES),
        "headers": _too_large(431, f"what the request's headers hold ({HEADER_LINES} of them at most)", HEADER_BYTES),
        "media": _answer(415, reasons.media_type_not_taken("this path takes @TAKEN@", taken="@TAKEN@")),
        "coding": _answer(415, reasons.media_type_not_taken("bodies are taken as they are", taken="identity")),
        "upgrade": _answer(426, reasons.protocol_not_taken("the gateway opens no tunnels", taken=PROTOCOLS)),
        "streamed": _answer(401, reasons.signature_invalid("what is streamed to us has no digest", rule="stream")),
        "origin": _answer(403, reasons.origin_not_allowed("the region's list of origins does not have this one")),
        "fault": _answer(500, InternalError("INTERNAL", "the gateway can't serve this request", correlation_id="-")),
    }


def _reflection() -> Json:
    return {f"/{name}/ServerReflectionInfo": True for name in REFLECTION}


def script(
    image: descriptor_pb2.FileDescriptorSet,
    services: list[Service],
    *,
    origins: Sequence[str] = (),
    traced: bool = False,
) -> str:
    """Returns the Lua text of the gate for these contracts.

    Args:
        image: the contracts.
        services: those that stand behind it.
        origins: those whose pages may call.
        traced: whether Envoy itself begins traces.
    """
    types = _Types(image)
    routes, verbs = _routes(services, types)
    tables = {
        "routes": routes,
        "verbs": verbs,
        "types": types.types,
        "enums": types.enums,
        "numbers": types.numbers,
        "rpcs": {path: True for each in services for rpc in each.public_rpcs for path in rpc.paths} | _reflection(),
        "streamed": {
            path: True
            for service in services
            for each in service.public_rpcs
            if each.descriptor.client_streaming
            for path in each.paths
        }
        | _reflection(),
        "taken": {"json": JSON_TAKEN, "grpc": GRPC_TAKEN, "protocols": PROTOCOLS},
        "origins": dict.fromkeys(origins, True),
        "traced": traced,
        "methods": dict.fromkeys(METHODS, True),
        "usual": dict.fromkeys(USUAL, True),
        "answers": _answers(),
        "receipts": {key.removesuffix("-bin"): True for key in (RECEIPT, RECEIPT_ABROAD)},
        "of_grpc": dict.fromkeys(OF_GRPC, True),
        "limits": {
            "headers": HEADER_BYTES,
            "lines": HEADER_LINES,
            "path": PATH_BYTES,
            "few": FEW_BYTES,
            "size": SIZE_HEADER,
        },
        "web": WEB_ANSWER,
        "proof": {"header": HEADER, "method": METHOD_SEEN, "path": PATH_SEEN, "request": REQUEST_SEEN},
        "challenge": CHALLENGE,
        "invalid": INVALID,
        "judged": {"filter": JUDGED, "failed": FAILED, "no_keys": NO_KEYS, "refused": REFUSED}
        | {"passed": {NO_TOKEN: True, UNKNOWN_KEY: True}},
    }
    return f"local T = {lua(tables)}\n{languages_text()}\n{lua_text('contract_gate')}"
