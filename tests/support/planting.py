"""Plants one person's data at every door of a region: RPCs of all four shapes, JSON, token endpoint, pages, headers.

The doors are found from the contracts, so that a new RPC is asked without being named here.
"""

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import grpc
import httpx
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2

from libs.ids.synthetic import SyntheticPopulation
from libs.rpc.contract import Method
from services.gateway.http_paths import path_of
from services.identity.core.token_form import JWT_BEARER
from services.identity.oauth.discovery import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from tests.support import contracts
from tests.support.patience import PATIENCE
from tests.support.requests import full, put
from tests.support.unknown import messages_in
from tongban.options.v1 import options_pb2

NAME, ADDRESS, PHONE = "植标楠", "植标路七十七号暗巷", "10076543219"
NUMBER = SyntheticPopulation("planted", province="34").person().citizen_id
PLANTED = (NAME, ADDRESS, PHONE, NUMBER)
CONTENT = "\n".join(PLANTED).encode()
"""All of it, as it may stand within a file."""

_AT_ONCE = 8


# ---- messages ----


def _planted(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return CONTENT
    for word, value in (("phone", PHONE), ("number", NUMBER), ("name", NAME), ("person", NAME)):
        if word in field.name:
            return value
    return ADDRESS


def _holds(field: FieldDescriptor) -> bool:
    texts = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
    return field.type in texts and bool(field.GetOptions().Extensions[options_pb2.field].personal)


def plant(message: Message) -> int:
    """Writes planted data into every text and all bytes of a request that the contract marks as personal; returns how many."""
    count = 0
    for field in contracts.find_message(str(message.DESCRIPTOR.full_name)).fields:
        if contracts.output_only(field):
            continue
        if contracts.is_map(field):
            count += _plant_map(message, field)
        elif contracts.is_ours(field.message_type):
            values = getattr(message, field.name)
            count += sum(map(plant, values if field.is_repeated else [values] if message.HasField(field.name) else []))
        elif _holds(field) and _free(message, field):
            _set(message, field, _planted(field))
            count += 1
    return count


def _plant_map(message: Message, field: FieldDescriptor) -> int:
    if not field.GetOptions().Extensions[options_pb2.field].personal:
        return 0
    values = getattr(message, field.name)
    for key in list(values):
        if isinstance(values[key], str):
            values[key] = ADDRESS
        elif isinstance(values[key], Message):
            plant(values[key])
    return len(values)


def _free(message: Message, field: FieldDescriptor) -> bool:
    """Whether setting the field takes none other's place: of a oneof, that one which is set is kept."""
    oneof = field.containing_oneof
    return oneof is None or message.WhichOneof(oneof.name) in (None, field.name)


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        message.ClearField(field.name)
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def planted_requests(method: Method) -> list[Message]:
    """The full request, planted, once for each field of each oneof within it: what a stream's messages differ in, for one."""
    made, covered = [full(method.descriptor.input_type)], set[str]()
    for request in made:  # grows while it is gone through
        for place, (_, message) in enumerate(messages_in(request)):
            oneofs = contracts.find_message(str(message.DESCRIPTOR.full_name)).oneofs
            for field in (each for oneof in oneofs for each in oneof.fields):
                if field.full_name not in covered:
                    covered.add(str(field.full_name))
                    made.append(_with(request, place, field))
    for request in made:
        plant(request)
    return made


def _with(request: Message, place: int, field: FieldDescriptor) -> Message:
    """A copy of a request in whose message at ``place`` the oneof holds this field."""
    copy = type(request)()
    copy.CopyFrom(request)
    _, message = list(messages_in(copy))[place]
    put(message, field, full=True)
    return copy


# ---- gRPC ----

_HEADERS = {
    "user-agent": PHONE,
    "referer": f"https://x.test/{PHONE}",
    "cookie": f"name={NUMBER}",
    "x-request-id": NUMBER,
    "traceparent": f"{NUMBER}-{PHONE}",
    "tracestate": f"a={NUMBER}",
    "baggage": f"number={NUMBER},phone={PHONE}",
    "x-forwarded-for": PHONE,
    "x-whoever": NUMBER,
    "accept-language": PHONE,
    "x-tongban-owner": PHONE,
}
_METADATA = [
    *((key, value) for key, value in _HEADERS.items() if key not in ("user-agent", "cookie")),
    ("x-name-bin", NAME.encode()),
]


def _call(channel: grpc.aio.Channel, method: Method) -> Any:
    inbound, outbound = method.descriptor.client_streaming, method.descriptor.server_streaming
    shape = f"{'stream' if inbound else 'unary'}_{'stream' if outbound else 'unary'}"
    return getattr(channel, shape)(method.path)


async def _asked(channel: grpc.aio.Channel, method: Method, requests: list[bytes], token: str) -> None:
    metadata = [*_METADATA, *([("authorization", f"Bearer {token}")] if token else [])]
    given: Any = iter(requests) if method.descriptor.client_streaming else requests[0]
    call = _call(channel, method)(given, metadata=metadata, timeout=PATIENCE)
    with contextlib.suppress(grpc.aio.AioRpcError):
        if method.descriptor.server_streaming:
            async for _ in call:
                pass
        else:
            await call


async def over_grpc(channel: grpc.aio.Channel, tokens: list[str]) -> set[str]:
    """Calls every RPC with planted requests, as each of the callers; returns the names of those called.

    Nearly all are refused, which must not tell.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    asked: set[str] = set()

    async def ask(method: Method, requests: list[bytes], token: str) -> None:
        async with places:
            await _asked(channel, method, requests, token)
            asked.add(method.name)

    await asyncio.gather(
        *(
            ask(method, requests, token)
            for method in contracts.methods()
            for requests in _series(method)
            for token in tokens
        )
    )
    await _reflected(channel)
    return asked


def _series(method: Method) -> Iterator[list[bytes]]:
    messages = [request.SerializeToString() for request in planted_requests(method)]
    yield from ([messages] if method.descriptor.client_streaming else ([each] for each in messages))
    yield [CONTENT]  # no protobuf at all


async def _reflected(channel: grpc.aio.Channel) -> None:
    path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    call: Any = channel.stream_stream(path, request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString)
    requests = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=each, host=each) for each in PLANTED]
    with contextlib.suppress(grpc.aio.AioRpcError):
        async for _ in call(iter(requests), timeout=PATIENCE, metadata=_METADATA):
            pass


# ---- HTTP ----


def _path(template: str, word: str) -> str:
    """A path of this template whose variable parts say ``word``."""
    path, names, _ = path_of(template)
    for name in names:
        path = path.replace(f"{{{name}}}", quote(word), 1)
    return path


def _bodies(method: Method) -> Iterator[bytes]:
    yield json_format.MessageToJson(planted_requests(method)[0]).encode()
    yield json.dumps({NAME: NUMBER, "phone": {"a": PHONE}, "address": [ADDRESS]}, ensure_ascii=False).encode()
    yield CONTENT


def json_doors() -> Iterator[tuple[str, str, bytes]]:
    """Every HTTP mapping of every RPC: verb, path with planted parts and parameters, body."""
    words = itertools.cycle(PLANTED)
    by_name = {method.name: method for method in contracts.methods()}
    for name, mappings in contracts.http_mappings().items():
        for verb, template, body in mappings:
            for content in _bodies(by_name[name]) if body else [b""]:
                word = next(words)
                yield verb, f"{_path(template, word)}?{quote(word)}={quote(word)}", content
                yield verb, _path(template, "00000000-0000-7000-8000-000000000001"), content
                yield verb, _path(template, next(words)), content
    for word in PLANTED:
        for path in (f"/{quote(word)}", f"/v1/{quote(word)}", f"/verify?c={quote(word)}", f"/docs/{quote(word)}"):
            yield "GET", path, b""
        yield "POST", "/oauth/token", quote(word).encode()
        yield "POST", "/.well-known/jwks.json", word.encode()
    yield PHONE, "/v1/cases", b""
    yield f"{NUMBER[:17]}A", f"/{PHONE}", b""


_FIELDS = (
    "client_id",
    "client_secret",
    "scope",
    "assertion",
    "client_assertion",
    "subject_token",
    "actor_token",
    "audience",
    "on_behalf_of",
    "mandate",
    "transfer",
    "username",
)


def oauth_forms() -> Iterator[dict[str, str]]:
    """Forms of the token endpoint, each with planted data in one of its fields."""
    claims = {"iss": NAME, "sub": NUMBER, "phone": PHONE, "address": ADDRESS, "jti": PHONE}
    halves = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
        for each in ({"alg": "ES256", "kid": NAME}, claims)
    )
    token = ".".join((*halves, "AAAA"))
    known = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    for grant in (CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE, NAME):
        for field in _FIELDS:
            for value in (*PLANTED, token):
                others = dict.fromkeys(("assertion", "subject_token", "client_assertion"), token)
                yield {"grant_type": grant, **known, **others, field: value}


async def over_http(url: str, tokens: list[str]) -> int:
    """Asks at every JSON path, at the token endpoint and at the pages; returns how often."""
    asked = 0
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as http:
        async for answer in _answers(http, tokens):
            asked += bool(answer.status_code)
    return asked


async def _answers(http: httpx.AsyncClient, tokens: list[str]) -> AsyncIterator[httpx.Response]:
    for verb, path, body in json_doors():
        for token in tokens:
            # Whose token is looked at first is also asked without what would be refused before it.
            headers = (
                _HEADERS
                | {"content-type": "application/json"}
                | ({"authorization": f"Bearer {token}"} if token else {})
            )
            yield await http.request(verb, path, content=body, headers=headers)
    for form in oauth_forms():
        yield await http.post("/oauth/token", data=form, headers=_HEADERS)
    for word in PLANTED:
        yield await http.post("/oauth/token", data={"grant_type": CLIENT_CREDENTIALS}, auth=(quote(word), quote(word)))
        yield await http.post("/oauth/token", headers={"authorization": f"Bearer {quote(word)}"})
        fields = {"subject": word, "number": word, "holder_name": word}
        yield await http.post("/verify", data=fields, headers=_HEADERS)
        yield await http.post("/verify", data=fields, files={"file": (f"{word}.ofd", CONTENT, "application/ofd")})
