"""Makes the OpenAPI 3.1 document from the contracts: paths, parameters, schemas of the proto JSON mapping, errors, rights."""

import inspect
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2

from libs.rpc import refusals
from libs.rpc.stages.disclosure import needs_record
from services.gateway import content_paths, error_responses
from services.gateway.contracts import Rpc, services
from services.gateway.event_schemas import webhooks
from services.gateway.http_paths import VARIABLE, part_patterns, path_of
from services.gateway.schemas import Json, Schemas
from services.gateway.stream_ends import FIELD
from tongban.options.v1 import options_pb2

_RAW = ".google.api.HttpBody"
_POWER = len("MANDATE_POWER_")
_TOKENS = (
    "RFC 9068, from /oauth/token. One that is bound to a key comes as `Authorization: DPoP` with a proof in the header `DPoP` "
    "(RFC 9449)); one that is bound to a certificate by a connection that shows it (RFC 8705)."
)


def _enum_name(enum: Any, value: int, prefix: str) -> str:
    return str(enum.Name(value)).removeprefix(prefix)


def _rights(rpc: Rpc) -> Json:
    access = rpc.access
    actors = [_enum_name(options_pb2.ActorKind, actor, "ACTOR_KIND_") for actor in access.actors]
    audience = [_enum_name(options_pb2.Audience, each, "AUDIENCE_") for each in access.audience]
    rights: Json = {"x-audience": audience, "x-grpc-method": rpc.path[1:]}
    rights |= {"x-permission": access.permission} if access.permission else {}
    rights |= {"x-min-assurance": access.min_assurance} if access.min_assurance else {}
    rights |= {"x-actors": actors} if actors else {}
    rights |= {"x-mandate-power": options_pb2.MandatePower.Name(access.power)[_POWER:]} if access.power else {}
    rights |= {"x-max-auth-age-seconds": access.max_auth_age_seconds} if access.max_auth_age_seconds else {}
    rights |= {"x-excludes": list(access.excludes)} if access.excludes else {}
    rights |= {"x-timeout-seconds": int(rpc.method.seconds)}
    rights |= {"x-emits": rpc.emits} if rpc.emits else {}
    own = [
        {"reason": reason} | ({"when": when} if when else {}) for reason, when in refusals.declared(rpc.method).items()
    ]
    rights |= {"x-error-reasons": own} if own else {}
    return rights | {"security": [] if access.public else [{"bearer": []}]}


def _path_parameters(names: list[str], patterns: list[str]) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"} | ({"pattern": f"^{pattern}$"} if pattern else {}),
        }
        for name, pattern in zip(names, patterns, strict=True)
    ]


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _asked(schema: Json, streams: bool) -> Json:
    """Returns the schema of what is sent: of a stream JSON has an array of its messages."""
    return {"type": "array", "items": schema} if streams else schema


def _answered(schema: Json, streams: bool) -> Json:
    """Returns the schema of what is answered: of a stream an array whose last element may say why it broke (decision 0062)."""
    if not streams:
        return schema
    ended = {"$ref": f"#/components/schemas/{_STREAM_END}"}
    return {"type": "array", "items": {"anyOf": [schema, ended]}}


class _Document:
    """Builds one document."""

    def __init__(self, image: descriptor_pb2.FileDescriptorSet) -> None:
        self._image = image
        self._schemas = Schemas(image)
        self._services = [service for service in services(image) if service.public_rpcs]
        for rpc in (rpc for service in self._services for rpc in service.public_rpcs):
            self._schemas.answers(rpc.descriptor.output_type)

    def paths(self) -> Json:
        """Returns every public RPC under its paths."""
        paths: Json = {}
        for rpc in (rpc for service in self._services for rpc in service.public_rpcs):
            for place, (verb, template, body) in enumerate(rpc.http):
                path, names, bound = path_of(template)
                operation = self._operation(rpc, _path_parameters(names, self._patterns(rpc, template)), bound, body)
                suffix = f"_{place}" if place else ""
                operation["operationId"] = (
                    f"{rpc.service.split('.')[1]}_{rpc.service.split('.')[-1]}_{rpc.name}{suffix}"
                )
                paths.setdefault(path, {})[verb.lower()] = operation
        return paths | content_paths.paths(self._services)

    def _patterns(self, rpc: Rpc, template: str) -> list[str]:
        return [
            each
            for field, form in VARIABLE.findall(template)
            for each in part_patterns(form or "*", self._schemas.pattern(rpc.descriptor.input_type, field))
        ]

    def _operation(self, rpc: Rpc, parameters: list[Json], bound: set[str], body: str) -> Json:
        summary, _, _ = rpc.comment.partition("\n\n")
        if body != "*":
            parameters = parameters + self._query(rpc, bound | ({body} if body else set()))
        operation: Json = {
            "tags": [rpc.service],
            "summary": " ".join(summary.split()),
            "description": inspect.cleandoc(rpc.comment),
            "parameters": parameters,
            "responses": {
                "200": {
                    "description": _ARRAY if rpc.descriptor.server_streaming else "What was asked for.",
                    "content": self._answer(rpc.descriptor),
                }
                | (_RECEIPTS if needs_record(rpc.method) else {}),
                **error_responses.responses(rpc.method),
                "default": {"$ref": "#/components/responses/Error"},
            },
        }
        if body:
            schema = self._schemas.body(rpc.descriptor.input_type, body, bound)
            content = _content(_asked(schema, rpc.descriptor.client_streaming))
            needed = rpc.descriptor.client_streaming or self._schemas.body_needed(rpc.descriptor.input_type, bound)
            operation["requestBody"] = {"required": needed, "content": content}
        return operation | _rights(rpc)

    def _answer(self, method: descriptor_pb2.MethodDescriptorProto) -> Json:
        # The transcoder sends an HttpBody as it is, with its own content type.
        if method.output_type == _RAW:
            return {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        return _content(_answered(self._schemas.reference(method.output_type), method.server_streaming))

    def _query(self, rpc: Rpc, without: set[str]) -> list[Json]:
        return [
            {"name": name, "in": "query", "required": required, "description": comment, "schema": schema}
            for name, schema, comment, required in self._schemas.query(rpc.descriptor.input_type, without)
        ]

    def webhooks(self) -> Json:
        """Returns what is told of by itself: the public events."""
        return webhooks(self._image, self._schemas)

    def tags(self) -> list[Json]:
        """Returns the gRPC services."""
        return [{"name": each.full_name, "description": each.comment} for each in self._services]

    def components(self) -> Json:
        """Returns the schemas that the paths used, the error, and how to prove who calls; to be called after `paths`."""
        error = {
            "description": "google.rpc.Status. ErrorInfo.reason is stable; LocalizedMessage is for people.",
            "content": _content({"$ref": "#/components/schemas/Status"}),
        }
        return {
            "schemas": self._schemas.used() | {"Status": _STATUS, _STREAM_END: _ENDED},
            "responses": {"Error": error},
            "headers": {name: _receipt_header(meaning) for name, meaning in _RECEIPT_HEADERS.items()},
            "examples": error_responses.examples(),
        }


_RECEIPT_HEADERS = {
    "tongban-receipt": "The receipt of the record of this call: base64 of a serialized tongban.common.v1.Receipt, for "
    "`tongban audit verify`. Not where people read what is their own. A refusal that is on record carries it too.",
    "tongban-receipt-abroad": "The receipt of another region that was asked for it.",
}
_RECEIPTS: Json = {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _RECEIPT_HEADERS}}


def _receipt_header(meaning: str) -> Json:
    return {"description": meaning, "schema": {"type": "string", "pattern": "^[A-Za-z0-9+/]+$"}}


_STATUS: Json = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "description": "The canonical gRPC code."},
        "message": {"type": "string", "description": "One English sentence for developers."},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["@type"],
                "properties": {"@type": {"type": "string"}},
                "additionalProperties": True,
            },
            "description": "ErrorInfo, LocalizedMessage, and BadRequest or RetryInfo where they help.",
        },
    },
}


_STREAM_END = "StreamError"
_ARRAY = (
    f"What was asked for, an element a message. Where the stream breaks behind its first message, the last element is `{FIELD}`, and "
    "says why; where it is cut (its service or the connection is lost), the array is not closed and the HTTP message not complete. "
    "An array that is closed, and ends without it, is whole."
)
_ENDED: Json = {
    "type": "object",
    "description": "Why an answer that streams broke: at most once, as the last element of its array.",
    "required": [FIELD],
    "properties": {FIELD: {"$ref": "#/components/schemas/Status"}},
    "additionalProperties": False,
}


def document(image: descriptor_pb2.FileDescriptorSet, base_url: str, region: str, version: str) -> Json:
    """Returns the document of one region.

    Args:
        image: the compiled contracts.
        base_url: the gateway's base URL.
        region: the region's name.
        version: the version of the project.
    """
    build = _Document(image)
    paths, told = build.paths(), build.webhooks()
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _TOKENS}
    return {
        "openapi": "3.1.0",
        "info": {
            # Programs make names of the title: it is the same in every region.
            "title": "Tongban 通办",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url, "description": region}],
        "tags": build.tags(),
        "paths": paths,
        "webhooks": told,
        "components": build.components() | {"securitySchemes": {"bearer": scheme}},
    }


def operations(made: Json) -> Iterator[tuple[str, str, Json]]:
    """Yields path, verb and operation of a document, in order."""
    for path, verbs in made["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb.upper(), operation
