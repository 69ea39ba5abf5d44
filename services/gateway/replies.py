"""The answers that Envoy gives itself, typed: google.rpc.Status with ErrorInfo and a Chinese sentence, in JSON and in gRPC."""

import base64
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format
from google.rpc import status_pb2

from libs.errors import Code, error_class
from libs.rpc import languages, status
from services.gateway import contract_gate
from services.gateway.config import GatewayConfig
from services.gateway.rendering import HEADERS, environment, error_words
from tongban.errors.v1 import error_reason_pb2

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """How one HTTP status of Envoy's own is told.

    Attributes:
        http: the status that Envoy would answer with.
        reason: the ErrorReason, without its prefix.
        message: one sentence for developers; ``%LOCAL_REPLY_BODY%`` stands for Envoy's own words.
        answered: the HTTP status that goes out.
        metadata: the keys that the reason's documentation promises.
        details: part of Envoy's own code of the answer, where the status alone does not tell what it means.
        noted: what the gate has noted to be wrong with the token, where that is what it means.
        retry: whether the same request may succeed in a second.
    """

    http: int
    reason: str
    message: str
    answered: int
    metadata: tuple[tuple[str, str], ...] = ()
    details: str = ""
    noted: str = ""
    retry: bool = False


GATE_HEADER = "x-tongban-gate"
"""Set on a request that the gate refused: its answer is whole already."""
_OTHER = r"(?:[^,eEzZ\s][^,]*|[eE](?:[^,nN][^,]*)?|[zZ](?:[^,hH][^,]*)?|(?:[eE][nN]|[zZ][hH])[A-Za-z][^,]*)"
ENGLISH_FIRST = rf"\s*(?:{_OTHER},\s*)*[eE][nN](?:[-;,\s].*)?"
"""An Accept-Language whose first language of ours is English."""
_SIGNATURES = "ext_authz"
"""How Envoy's own codes call what judges signed requests."""
_RETRY_SECONDS = 1.0
_GRPC, _GRPC_WEB = "application/grpc", "application/grpc-web"
_WHOLE = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": "application/json"}
"""The body of what is JSON already."""
_PAGES = ((404, 404), (413, 413), (429, 429), (500, 500), (502, 503), (503, 503), (504, 503))


def _upstream_away(http: int) -> Reply:
    message = "a service behind the gateway does not answer"
    return Reply(http, "DEPENDENCY_UNAVAILABLE", message, 503, (("dependency", "upstream"),), retry=True)


def replies(request_bytes: int) -> tuple[Reply, ...]:
    """Returns the table; ``request_bytes`` is the limit told to who passes it."""
    too_large = (("limit_bytes", str(request_bytes)),)
    headers = (("limit_bytes", str(contract_gate.HEADER_BYTES)),)
    path = (("limit_bytes", str(contract_gate.PATH_BYTES)),)
    protocols = (("taken", contract_gate.PROTOCOLS),)
    media = (("taken", contract_gate.GRPC_TAKEN),)
    return (
        # RFC 10008's QUERY without a media type, which Envoy looks at before the gate: no path of ours takes it.
        Reply(400, "ROUTE_NOT_FOUND", "no path takes this verb", 405, details="query_missing_content_type"),
        Reply(400, "FIELD_INVALID", "the request can't be read: %LOCAL_REPLY_BODY%", 400),
        # A token that can't be judged because the issuer's keys could not be fetched yet is not a bad token.
        Reply(
            401,
            "DEPENDENCY_UNAVAILABLE",
            "the token issuer's keys can't be read",
            503,
            (("dependency", "identity"),),
            noted="keys",
            retry=True,
        ),
        Reply(401, "TOKEN_INVALID", "%LOCAL_REPLY_BODY%", 401, (("rule", "edge"),), noted="token"),
        Reply(401, "SIGNATURE_INVALID", "what is streamed has no digest", 401, (("rule", "stream"),), "lua_response"),
        Reply(401, "TOKEN_INVALID", "%LOCAL_REPLY_BODY%", 401, (("rule", "edge"),)),
        # Another protocol was asked for (a web socket): Envoy refuses it before any filter.
        Reply(403, "PROTOCOL_NOT_TAKEN", "the gateway opens no tunnels", 426, protocols, details="upgrade_failed"),
        Reply(
            403,
            "ORIGIN_NOT_ALLOWED",
            "the region's list of origins does not have this one",
            403,
            details="lua_response",
        ),
        Reply(403, "TOKEN_INVALID", "%LOCAL_REPLY_BODY%", 401, (("rule", "edge"),)),
        Reply(404, "ROUTE_NOT_FOUND", "no method is at this path with this verb", 404),
        Reply(405, "ROUTE_NOT_FOUND", "this path does not take this verb", 405),
        Reply(408, "DEADLINE_TOO_SHORT", "the request came too slowly", 504),
        Reply(413, "MESSAGE_TOO_LARGE", "the request is larger than the gateway takes", 413, too_large),
        Reply(414, "MESSAGE_TOO_LARGE", "the request's path is longer than the gateway takes", 414, path),
        Reply(415, "MEDIA_TYPE_NOT_TAKEN", "the request's media type is not taken here", 415, media),
        Reply(426, "PROTOCOL_NOT_TAKEN", "the gateway takes HTTP/1.1 and HTTP/2", 426, protocols),
        Reply(429, "RATE_LIMITED", "too many requests", 429, retry=True),
        Reply(431, "MESSAGE_TOO_LARGE", "the request's headers are larger than the gateway takes", 431, headers),
        Reply(500, "INTERNAL", "the gateway can't serve this request", 500, (("correlation_id", "-"),)),
        Reply(501, "FIELD_INVALID", "the gateway does not take this transfer coding or verb", 400),
        Reply(
            503,
            "DEPENDENCY_UNAVAILABLE",
            "whether the request is signed can't be told",
            503,
            (("dependency", "identity"),),
            details=f"{_SIGNATURES}_error",
            retry=True,
        ),
        _upstream_away(502),
        _upstream_away(503),
        Reply(504, "NOT_DONE_IN_TIME", "the service did not answer in time", 504),
        Reply(505, "PROTOCOL_NOT_TAKEN", "the gateway takes HTTP/1.1 and HTTP/2", 426, protocols),
    )


def documented(reason: str) -> error_reason_pb2.ErrorInfo:
    """Returns what the contracts say of an ErrorReason, named without its prefix."""
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name[f"ERROR_REASON_{reason}"]
    return value.GetOptions().Extensions[error_reason_pb2.error]


def status_of(reply: Reply, language: str = languages.CHINESE) -> status_pb2.Status:
    """Returns the typed status of a reply, as a service would answer it in one of our languages."""
    refusal = error_class(Code[documented(reply.reason).code])
    error = refusal(reply.reason, reply.message)
    error.metadata = dict(reply.metadata)
    error.retry_after = _RETRY_SECONDS if reply.retry else None
    return status.to_status(error, language)


def _json_body(reply: Reply, language: str) -> Json:
    body: Json = json_format.MessageToDict(status_of(reply, language))
    return body


def _details_header(reply: Reply, language: str) -> str:
    # Envoy expands commands in the JSON body only, so a header can't carry its words.
    made = status_of(reply, language)
    made.message = made.message.replace("%LOCAL_REPLY_BODY%", "refused by the gateway")
    return base64.b64encode(made.SerializeToString()).decode().rstrip("=")


def _has_status(http: int, op: str = "EQ") -> Json:
    value = {"default_value": http, "runtime_key": f"gateway.reply.{op.lower()}.{http}"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def _has_details(words: str) -> Json:
    kind = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    expression = f"response.code_details.contains('{words}')"
    typed = {"@type": kind, "expression": expression}
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": typed}}


def _all(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}} if len(filters) > 1 else filters[0]


def _is_for(reply: Reply, language: str) -> list[Json]:
    asked = [_asks_for_english()] if language == languages.ENGLISH else []
    told = [*([_has_details(reply.details)] if reply.details else []), *([_noted(reply.noted)] if reply.noted else [])]
    return [_has_status(reply.http), *told, *asked]


def _noted(what: str) -> Json:
    noted = {
        "filter": contract_gate.NOTES,
        "path": [{"key": contract_gate.REFUSED}],
        "value": {"string_match": {"exact": what}},
    }
    return {"metadata_filter": {"matcher": noted, "match_if_key_not_found": False}}


def _asks_for_english() -> Json:
    """Whether English stands before Chinese in Accept-Language: Envoy can't weigh what a caller lists, only read it in order."""
    asked = {"name": languages.HEADER, "string_match": {"safe_regex": {"regex": ENGLISH_FIRST}}}
    return {"header_filter": {"header": asked}}


def _native_grpc() -> list[Json]:
    # What the transcoder made of a JSON request looks like gRPC by now; the original method gives it away.
    transcoded = {"name": "x-envoy-original-method", "present_match": False}
    return [_comes_as(_GRPC), {"header_filter": {"header": transcoded}}]


def _comes_as(media_type: str) -> Json:
    return {"header_filter": {"header": {"name": "content-type", "string_match": {"prefix": media_type}}}}


def _was_grpc_web() -> Json:
    """What Envoy's own filter has made gRPC already looks like any other; the gate has noted what it was."""
    noted = {
        "filter": contract_gate.WEB[0],
        "path": [{"key": contract_gate.WEB[1]}],
        "value": {"bool_match": True},
    }
    return {"metadata_filter": {"matcher": noted, "match_if_key_not_found": False}}


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _retry_header(reply: Reply) -> list[Json]:
    return [_header("retry-after", f"{_RETRY_SECONDS:.0f}")] if reply.retry else []


def _web_mapper(reply: Reply, language: str) -> Json:
    """To gRPC-Web: a status alone, in headers (the protocol's Trailers-Only), since Envoy knows its own answers as HTTP's here."""
    told = status_of(reply, language).message.replace("%LOCAL_REPLY_BODY%", "refused by the gateway")
    return {
        "filter": _all(*_is_for(reply, language), {"or_filter": {"filters": [_comes_as(_GRPC_WEB), _was_grpc_web()]}}),
        "status_code": HTTPStatus.OK,
        "headers_to_add": [
            _header("grpc-status-details-bin", _details_header(reply, language)),
            _header("grpc-status", str(status_of(reply).code)),
            _header("grpc-message", quote(told, safe=" ,:;'()/")),
            _header(contract_gate.WEB_ANSWER, "1"),
            *_retry_header(reply),
        ],
        "body_format_override": {"text_format_source": {"inline_string": ""}, "content_type": _GRPC},
    }


def _grpc_mapper(reply: Reply, language: str) -> Json:
    return {
        "filter": _all(*_is_for(reply, language), *_native_grpc()),
        "headers_to_add": [
            _header("grpc-status-details-bin", _details_header(reply, language)),
            _header("grpc-status", str(status_of(reply).code)),
        ],
        "body_format_override": {"text_format_source": {"inline_string": reply.message}},
    }


def _allow_header(reply: Reply) -> list[Json]:
    """RFC 9110, 15.5.6: 405 names verbs. Before the gate no path is known: these are what most take."""
    return [_header("allow", ", ".join(contract_gate.USUAL))] if reply.answered == HTTPStatus.METHOD_NOT_ALLOWED else []


def _upgrade_header(reply: Reply) -> list[Json]:
    """RFC 9110, 15.5.22: 426 names protocols."""
    told = [_header("upgrade", contract_gate.PROTOCOLS), _header("connection", "upgrade")]
    return told if reply.answered == HTTPStatus.UPGRADE_REQUIRED else []


def _json_mapper(reply: Reply, language: str, where: Json | None = None) -> Json:
    return {
        "filter": where or _all(*_is_for(reply, language)),
        "status_code": reply.answered,
        "headers_to_add": [*_retry_header(reply), *_allow_header(reply), *_upgrade_header(reply)],
        "body_format_override": {"json_format": _json_body(reply, language), "content_type": "application/json"},
    }


def _gate_mapper() -> Json:
    # The gate's answer is JSON already.
    refused = {"header_filter": {"header": {"name": GATE_HEADER, "present_match": True}}}
    return {"filter": refused, "body_format_override": _WHOLE}


def _judged_mappers() -> list[Json]:
    """What identity refused of a signed request is whole already: the body in JSON, to gRPC the headers."""
    refused = _has_details(f"{_SIGNATURES}_denied")
    empty = {"text_format_source": {"inline_string": ""}, "content_type": _GRPC}
    web = {"or_filter": {"filters": [_comes_as(_GRPC_WEB), _was_grpc_web()]}}
    return [
        {
            "filter": _all(refused, web),
            "status_code": HTTPStatus.OK,
            "headers_to_add": [_header(contract_gate.WEB_ANSWER, "1")],
            "body_format_override": empty,
        },
        {"filter": _all(refused, *_native_grpc()), "body_format_override": empty},
        {"filter": refused, "body_format_override": _WHOLE},
    ]


def _others() -> list[Json]:
    """What no row names is typed all the same."""
    fault = Reply(500, "INTERNAL", "the gateway can't serve this request", 500, (("correlation_id", "-"),))
    refused = Reply(400, "FIELD_INVALID", "the gateway does not take this request: %LOCAL_REPLY_BODY%", 400)
    return [
        _json_mapper(fault, languages.CHINESE, _has_status(500, "GE")),
        _json_mapper(refused, languages.CHINESE, _has_status(400, "GE")),
    ]


def _page_mapper(config: GatewayConfig, http: int, answered: int) -> Json:
    """To a browser that asked for a page, an address that leads nowhere is one."""
    accepts = {"header_filter": {"header": {"name": "accept", "string_match": {"contains": "text/html"}}}}
    page = environment(config).get_template("error.html").render(**error_words(answered)).replace("%", "%%")
    return {
        "filter": _all(_has_status(http), accepts),
        "status_code": answered,
        "headers_to_add": [_header(name, value) for name, value in HEADERS.items()],
        "body_format_override": {
            "text_format_source": {"inline_string": page},
            "content_type": "text/html; charset=UTF-8",
        },
    }


def local_reply_config(config: GatewayConfig) -> Json:
    """Envoy's ``local_reply_config`` for the table of replies; of two mappers with one status the first that fits counts."""
    table = replies(config.limits.request_bytes)
    pages = [_page_mapper(config, http, answered) for http, answered in _PAGES]
    rows = [
        mapper
        for reply in table
        for language in (languages.ENGLISH, languages.CHINESE)
        for mapper in (
            _web_mapper(reply, language),
            _grpc_mapper(reply, language),
            _json_mapper(reply, language),
        )
    ]
    return {"mappers": [*pages, _gate_mapper(), *_judged_mappers(), *rows, *_others()]}
