"""Seeded nonsense for every door of a region, and what no answer may be."""

import base64
import json
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from google.protobuf import json_format, message, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.gateway.contracts import Rpc, read_image, services
from tests.support import contracts, requests
from tongban.options.v1 import options_pb2

_TEXTS = (
    "",
    " ",
    "x",
    "\0",
    "a\0b",
    "a\u0000",
    "🀄" * 40,
    "\ud800",
    "é́" * 20,
    "x" * 3000,
    "../../etc/passwd",
    "' OR 1=1 --",
    "{{7*7}}",
    "<script>",
    "%00",
    "%s%n",
    "\r\nset-cookie: a=b",
    "-1",
    "9" * 40,
    "NaN",
    "null",
    "\u202e",
    "\x7f",
    "𠀀",
    "persons/x",
    "persons/00000000-0000-7000-8000-000000000001",
    "seals/x",
    "//110000/cases/x",
    "cases/" + "0" * 36,
    "licenses/" + "f" * 36,
    "00000000-0000-0000-0000-000000000000",
    "sm3:" + "0" * 64,
    "//341500/",
    "a/b/c/d/e",
    "*",
    "1.2.156.3005.2.11100000000013127Y001.11341500MB0000000A.0000000000000001.001.X",
    "2024-02-30",
    "123456",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request."""

    verb: str
    path: str
    headers: dict[str, bytes] = field(default_factory=dict)
    body: bytes = b""

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as they go out."""
        return [(name.encode(), value) for name, value in self.headers.items()]


@dataclass(frozen=True, slots=True)
class GrpcAsk:
    """One gRPC call with bytes as they are."""

    path: str
    body: bytes
    metadata: tuple[tuple[str, str | bytes], ...]


class Nonsense:
    """Makes requests; the same seed makes the same."""

    def __init__(self, seed: int, tokens: dict[str, str]) -> None:
        self._random = random.Random(seed)
        self._tokens = tokens
        self._rpcs = [rpc for service in services(read_image()) for rpc in service.public_rpcs]
        self._inputs = {method.path: method.descriptor.input_type for method in contracts.methods()}

    # ---- values ----

    def text(self) -> str:
        """A text, hostile more often than not."""
        pick = self._random.random()
        if pick < 0.7:
            return self._random.choice(_TEXTS)
        return "".join(
            chr(self._random.choice((self._random.randrange(0x20, 0x7F), self._random.randrange(0, 0x11000))))
            for _ in range(self._random.randrange(30))
        )

    def _bytes(self) -> bytes:
        return self._random.randbytes(self._random.choice((0, 1, 3, 40, 400)))

    def _scalar(self, of: Any) -> Any:
        kinds = FieldDescriptor
        if of.type == kinds.TYPE_STRING:
            return self.text().encode("utf-8", "ignore").decode()
        if of.type == kinds.TYPE_BYTES:
            return self._bytes()
        if of.type == kinds.TYPE_BOOL:
            return self._random.random() < 0.5
        if of.type == kinds.TYPE_ENUM:
            return self._random.choice([0, 1, 2, 99, -1, 2**31 - 1])
        if of.cpp_type in (kinds.CPPTYPE_FLOAT, kinds.CPPTYPE_DOUBLE):
            return self._random.choice([0.0, -1.5, float("nan"), float("inf"), 1e308])
        bits = 64 if of.cpp_type in (kinds.CPPTYPE_INT64, kinds.CPPTYPE_UINT64) else 32
        signed = of.cpp_type in (kinds.CPPTYPE_INT32, kinds.CPPTYPE_INT64)
        return self._random.choice([0, 1, 7, 1000, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)) if signed else 2**bits - 1])

    def fill(self, target: message.Message, depth: int = 0) -> message.Message:
        """Fills some fields of a message."""
        for of in target.DESCRIPTOR.fields:
            if depth > 4 or self._random.random() < 0.35:
                continue
            entry = of.message_type is not None and of.message_type.GetOptions().map_entry
            if entry:
                self._fill_map(getattr(target, of.name), of, depth)
            elif of.is_repeated:
                for _ in range(self._random.choice((1, 1, 2, 30))):
                    self._add(getattr(target, of.name), of, depth)
            elif of.message_type is not None:
                self.fill(getattr(target, of.name), depth + 1)
                getattr(target, of.name).SetInParent()
            else:
                setattr(target, of.name, self._scalar(of))
        return target

    def _fill_map(self, values: Any, of: Any, depth: int) -> None:
        key, value = of.message_type.fields_by_name["key"], of.message_type.fields_by_name["value"]
        for _ in range(self._random.choice((1, 3, 200))):
            if value.message_type is None:
                values[self._scalar(key)] = self._scalar(value)
            else:
                self.fill(values[self._scalar(key)], depth + 1)

    def _add(self, values: Any, of: Any, depth: int) -> None:
        if of.message_type is not None:
            self.fill(values.add(), depth + 1)
        else:
            values.append(self._scalar(of))

    # ---- doors ----

    def _request_of(self, rpc: Rpc) -> message.Message:
        """Nonsense; or else what the contract takes, as it is, or with one or two fields made nonsense."""
        found = self._inputs[rpc.path]
        pick = self._random.random()
        if pick < 0.2:
            return self.fill(message_factory.GetMessageClass(found)())
        made = self._random.choice((requests.minimal, requests.full, requests.largest))(found)
        for _ in range(self._random.choice((0, 0, 1, 2))):
            self._disturb(made)
        return made

    def _disturb(self, target: message.Message) -> None:
        """Makes one field nonsense that the contract's rules may still take."""
        fields: list[Any] = list(target.DESCRIPTOR.fields)
        of = self._random.choice(fields) if fields else None
        if of is None or (of.message_type is not None and of.message_type.GetOptions().map_entry):
            return
        if of.message_type is not None and not of.is_repeated:
            self._disturb(getattr(target, of.name))
        elif of.is_repeated:
            self._add(getattr(target, of.name), of, 3)
        else:
            setattr(target, of.name, self._like(of))

    def _like(self, of: Any) -> Any:
        """A value that keeps the form of a field's values and means nothing, or one that does not keep it."""
        if of.type != FieldDescriptor.TYPE_STRING or self._random.random() < 0.3:
            return self._scalar(of)
        good = requests.scalar(of, contracts.rules_of(of), full=self._random.random() < 0.5)
        swap = self._random.choice(("x", "0", "f", "é", "/", "9", ".", "//341500/", "A"))
        place = self._random.randrange(len(good) + 1)
        return self._random.choice((good[:place] + swap + good[place + 1 :], good + swap, good[:place]))

    def _token(self, rpc: Rpc | None = None) -> str:
        pick = self._random.random()
        if rpc is not None and rpc.access.actors and pick < 0.8:
            kind = options_pb2.ActorKind.Name(self._random.choice(rpc.access.actors))
            return self._tokens[kind.removeprefix("ACTOR_KIND_")]
        if pick < 0.9:
            return self._random.choice(list(self._tokens.values()))
        header = base64.urlsafe_b64encode(
            self._random.choice(
                [b"[" * 2900, b'{"alg":"ES256","typ":"at+jwt","kid":"\\ud800"}', b'{"alg":"none"}', self._bytes()]
            )
        ).decode()
        return self._random.choice(["", "x", f"{header}.{header}.{header}", "a.b.c"])

    def _headers(self, rpc: Rpc) -> dict[str, bytes]:
        headers = {"authorization": f"Bearer {self._token(rpc)}".encode()} if self._random.random() < 0.95 else {}
        if self._random.random() < 0.2:
            headers["traceparent"] = self._plain().encode()
        if self._random.random() < 0.05:
            headers[f"x-{self._random.choice(string.ascii_lowercase)}"] = b"y" * self._random.choice((1, 9000))
        return headers

    def _plain(self) -> str:
        return "".join(each for each in self.text() if " " <= each <= "~").strip()

    def json(self) -> Ask:
        """A request to one of the JSON paths."""
        rpc = self._random.choice([rpc for rpc in self._rpcs if rpc.http])
        verb, template, body = self._random.choice(rpc.http)
        path = self._filled(template)
        headers = self._headers(rpc) | {"content-type": b"application/json"}
        if self._random.random() < 0.3 or not body:
            words = {
                self._random.choice(
                    ["pageSize", "pageToken", "filter", "x", "seal", "region", "use_context.purpose"]
                ): self._plain()
                for _ in range(2)
            }
            path += "?" + urlencode(words)
        return Ask(verb, path, headers, self._body_of(rpc) if body else b"")

    def _filled(self, template: str) -> str:
        while "{" in template:
            start, end = template.index("{"), template.index("}")
            pattern = template[start + 1 : end].partition("=")[2] or "*"
            while "*" in pattern:
                pattern = pattern.replace("*", quote(self._plain(), safe="") or "x", 1)
            template = template[:start] + pattern.replace("{", "").replace("}", "") + template[end + 1 :]
        return template

    def _body_of(self, rpc: Rpc) -> bytes:
        pick = self._random.random()
        if pick < 0.1:
            return self._bytes()
        try:
            content = json_format.MessageToDict(self._request_of(rpc))
        except json_format.SerializeToJsonError:  # a time that JSON can't write
            return self._bytes()
        written = json.dumps(content, ensure_ascii=self._random.random() < 0.5)
        if pick < 0.25:
            place = self._random.randrange(len(written))
            written = (
                written[:place] + self._random.choice(["", "]", "\\ud800", "\\u0000", "1e999", "[[["]) + written[place:]
            )
        return written.encode("utf-8", "replace")

    def grpc(self) -> GrpcAsk:
        """A call of one of the RPCs."""
        rpc = self._random.choice(self._rpcs)
        body = self._request_of(rpc).SerializeToString() if self._random.random() < 0.9 else self._bytes()
        metadata: list[tuple[str, str | bytes]] = [(k, v.decode()) for k, v in self._headers(rpc).items()]
        if self._random.random() < 0.1:
            metadata.append(("x-bytes-bin", self._bytes()))
        return GrpcAsk(rpc.path, body, tuple(metadata))

    def references(self) -> Iterator[GrpcAsk]:
        """Every RPC with every text of its requests made a name of nothing, one after the other."""
        for rpc in self._rpcs:
            seen: set[tuple[str, bool]] = set()
            for made in _variants(self._inputs[rpc.path]):
                for owner, of in _texts_of(made):
                    good = getattr(owner, of.name)
                    if (of.full_name, owner is made) in seen:
                        continue
                    seen.add((of.full_name, owner is made))
                    for bad in _bad_references(of.name, good):
                        setattr(owner, of.name, bad)
                        yield GrpcAsk(
                            rpc.path,
                            made.SerializeToString(),
                            (("authorization", f"Bearer {self._token_for(rpc)}"),),
                        )
                    setattr(owner, of.name, good)

    def _token_for(self, rpc: Rpc) -> str:
        actors = [options_pb2.ActorKind.Name(each).removeprefix("ACTOR_KIND_") for each in rpc.access.actors]
        return self._tokens[
            next(
                (kind for kind in ("STAFF", "CLIENT", "PERSON", "ASSISTED", "REGION_SERVICE") if kind in actors),
                "STAFF",
            )
        ]

    def oauth(self) -> Ask:
        """A request to identity's HTTP endpoints."""
        names = [
            "grant_type",
            "client_id",
            "client_secret",
            "assertion",
            "subject_token",
            "subject_token_type",
            "scope",
            "client_assertion",
            "client_assertion_type",
            "audience",
            "on_behalf_of",
            "actor_token",
        ]
        form = {name: self._random.choice((self.text(), self._token())) for name in self._random.sample(names, 5)}
        if self._random.random() < 0.8:
            form["grant_type"] = self._random.choice(
                [
                    "client_credentials",
                    "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ]
            )
        content = urlencode(form, errors="surrogatepass").encode()
        path = self._random.choice(["/oauth/token"] * 8 + ["/oauth/x", "/.well-known/jwks.json"])
        headers = {"content-type": b"application/x-www-form-urlencoded"}
        if self._random.random() < 0.3:
            headers["authorization"] = b"Basic " + base64.b64encode(self.text().encode("utf-8", "replace"))
        return Ask("POST" if self._random.random() < 0.9 else "GET", path, headers, content)

    def page(self) -> Ask:
        """A request to one of the pages."""
        form = urlencode(
            {name: self.text() for name in ("subject", "number", "holder_name", "c", "r")}, errors="surrogatepass"
        )
        path = self._random.choice(["/verify", "/verify", "/", "/docs", f"/{quote(self._plain())}"])
        accept = {"accept": b"text/html"}
        if self._random.random() < 0.5:
            return Ask("GET", f"{path}?{form}", accept)
        kind = self._random.choice([b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"x"])
        return Ask("POST", path, accept | {"content-type": kind}, form.encode())


def _variants(kind: Descriptor) -> Iterator[message.Message]:
    """The least request with each of the other fields in turn, and the whole one; none with a page token."""
    whole = requests.full(kind)
    if "page_token" in kind.fields_by_name:
        whole.ClearField("page_token")
    for of in kind.fields:
        made = requests.minimal(kind)
        if of.name != "page_token" and not contracts.is_map(of):
            requests.put(made, of)
            if of.type == FieldDescriptor.TYPE_STRING and not of.is_repeated and not getattr(made, of.name):
                setattr(made, of.name, "x")
            yield made
    yield whole


def _texts_of(made: message.Message) -> list[tuple[Any, FieldDescriptor]]:
    found: list[tuple[Any, FieldDescriptor]] = []
    for of, value in made.ListFields():
        if of.message_type is not None and not of.message_type.GetOptions().map_entry:
            for each in list(value)[:1] if of.is_repeated else [value]:
                found += _texts_of(each)
        elif of.type == FieldDescriptor.TYPE_STRING and not of.is_repeated:
            found.append((made, of))
    return found


def _bad_references(name: str, good: str) -> list[str]:
    kind = f"{good.rpartition('/')[0]}/" if "/" in good else ""
    guess = kind or f"{name if name.endswith('s') else name + 's'}/"
    uuid = "-" * 36
    return [
        f"{guess}x",
        f"{guess}{uuid}",
        f"{guess}{'f' * 36}",
        "x",
        f"//110000/{guess}x",
        f"{guess}{'F' * 8}-ffff-7fff-8fff-{'f' * 12}",
    ]
