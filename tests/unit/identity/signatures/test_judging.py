"""Which signed requests are taken: each rule at its limit and beyond."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from libs.client.signing import RequestSigner
from libs.errors import Unauthenticated
from libs.security.message_signatures import HttpRequest, component, content_digest, signature_base
from services.identity.signatures import judging

_KEY = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, auto_kid=False)
_RSA = RSAKey.generate_key(2048, {"kid": "r1", "alg": "PS256", "use": "sig"}, auto_kid=False)
_NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)
_AT = int(_NOW.timestamp())
_URL = "https://zwfw.example/v1/cases?pageSize=5"
_SENT = {"authorization": "Bearer x", "content-type": "application/json"}
_NONCE = "n" * 16
_ALL = ("@method", "@authority", "@path", "@query", "content-type", "content-digest", "authorization")


def _public(key: Any) -> dict[str, str]:
    return {name: str(value) for name, value in key.as_dict(private=False).items() if name != "key_ops"}


_KEYS = [_public(_KEY), _public(_RSA)]


def _request(body: bytes = b"{}", digest: str | None = None) -> HttpRequest:
    told = digest if digest is not None else content_digest(body) if body else None
    sent = _SENT | ({"content-digest": told} if told is not None else {})
    return HttpRequest("POST", "https", "zwfw.example", "/v1/cases?pageSize=5", sent, body)


def _signed(
    request: HttpRequest,
    names: tuple[str, ...] = _ALL,
    *,
    key: Any = _KEY,
    label: str = "a",
    **changed: Any,
) -> HttpRequest:
    """The request, signed by hand: what our own signer would not write."""
    parameters: dict[str, Any] = {"created": _AT, "nonce": _NONCE, "keyid": key.kid} | changed
    told = "".join(f";{k}={v}" if isinstance(v, int) else f';{k}="{v}"' for k, v in parameters.items() if v is not None)
    inner = _inner(names) + told
    base = signature_base([(name, component(request, name) or "") for name in names], inner)
    algorithm = "PS256" if key is _RSA else "ES256"
    value = base64.b64encode(JWSRegistry.algorithms[algorithm].sign(base, key)).decode()
    return replace(
        request,
        headers={**request.headers, "signature-input": f"{label}={inner}", "signature": f"{label}=:{value}:"},
    )


def _inner(names: tuple[str, ...]) -> str:
    return "(" + " ".join(f'"{name}"' for name in names) + ")"


def _rule(request: HttpRequest, keys: Any = None, now: datetime = _NOW) -> str:
    """OK, or the rule that is broken."""
    try:
        judging.check_signed(request, judging.read_signature(request.headers), _KEYS if keys is None else keys, now)
    except Unauthenticated as refused:
        return refused.metadata["rule"]
    return "OK"


def test_what_our_client_signs_is_taken() -> None:
    signer = RequestSigner(_KEY, clock=lambda: _AT)
    for body, digest in ((b"{}", "sha-256"), (b"", "sha-256"), (b"{}", "sm3")):
        headers = RequestSigner(_KEY, digest, lambda: _AT).headers("POST", _URL, _SENT, body)
        assert (
            _rule(HttpRequest("POST", "https", "zwfw.example", "/v1/cases?pageSize=5", _SENT | headers, body)) == "OK"
        )
    one, other = (signer.headers("GET", _URL, _SENT)["signature-input"] for _ in "12")
    assert one != other


def test_a_request_is_signed_where_it_goes() -> None:
    for way in (("@authority", "@path", "@query"), ("@authority", "@request-target"), ("@target-uri",)):
        assert _rule(_signed(_request(), ("@method", *way, *_ALL[4:]))) == "OK"
    for less in (("@authority", "@path"), ("@path", "@query"), ("@authority", "@query"), ("@request-target",), ()):
        assert _rule(_signed(_request(), ("@method", *less, *_ALL[4:]))) == "covered"


@pytest.mark.parametrize("left_out", ["@method", "content-type", "content-digest", "authorization"])
def test_what_it_asks_for_is_signed(left_out: str) -> None:
    assert _rule(_signed(_request(), tuple(name for name in _ALL if name != left_out))) == "covered"


@pytest.mark.parametrize("name", ["content-encoding", "grpc-encoding", "upload-offset"])
def test_a_header_that_changes_what_is_asked_for_is_signed_where_it_is_there(name: str) -> None:
    request = _request()
    request = replace(request, headers={**request.headers, name: "x"})
    assert _rule(_signed(request)) == "covered"
    assert _rule(_signed(request, (*_ALL, name))) == "OK"


def test_a_body_has_its_digest_and_no_body_no_other() -> None:
    assert _rule(_signed(_request(b""), (*_ALL[:5], "authorization"))) == "OK"
    bare = replace(_request(b""), body=b"{}")
    assert _rule(_signed(bare, (*_ALL[:5], "authorization"))) == "covered"
    for digest in ("sha-512=:AAAA:", "", "sha-256=1", content_digest(b"other"), f"{content_digest(b'{}')}, sm3=:AAAA:"):
        told = _rule(_signed(_request(digest=digest)))
        assert told == ("form" if not digest else "digest")
    both = f"{content_digest(b'{}')}, {content_digest(b'{}', 'sm3')}, sha-512=:AAAA:"
    assert _rule(_signed(_request(digest=both))) == "OK"
    assert _rule(replace(_signed(_request()), body=b"")) == "digest"


@pytest.mark.parametrize(
    ("created", "told"),
    [(_AT - 300, "OK"), (_AT - 301, "created"), (_AT + 30, "OK"), (_AT + 31, "created"), ("soon", "created")],
)
def test_it_is_five_minutes_old_at_most_and_hardly_of_the_future(created: Any, told: str) -> None:
    assert _rule(_signed(_request(), created=created)) == told


@pytest.mark.parametrize(("expires", "told"), [(_AT + 1, "OK"), (_AT, "expires"), ("later", "expires"), (None, "OK")])
def test_what_has_expired_is_over(expires: Any, told: str) -> None:
    assert _rule(_signed(_request(), expires=expires)) == told


@pytest.mark.parametrize(
    ("nonce", "told"),
    [("n" * 15, "nonce"), ("n" * 16, "OK"), ("n" * 128, "OK"), ("n" * 129, "nonce"), (None, "nonce"), (7, "nonce")],
)
def test_a_nonce_has_some_length(nonce: Any, told: str) -> None:
    assert _rule(_signed(_request(), nonce=nonce)) == told


def test_the_key_is_the_client_s_and_of_the_algorithm_that_is_said() -> None:
    assert _rule(_signed(_request()), keys=()) == "keyid"
    assert _rule(_signed(_request(), keyid="other")) == "keyid"
    assert _rule(_signed(_request(), keyid=None)) == "keyid"
    assert _rule(_signed(_request(), alg="ecdsa-p256-sha256")) == "OK"
    for other in ("hmac-sha256", "ES256", "ed25519"):
        assert _rule(_signed(_request(), alg=other)) == "alg"
    assert _rule(_signed(_request(), key=_RSA)) == "OK"
    assert _rule(_signed(_request(), key=_RSA, alg="ecdsa-p256-sha256")) == "alg"
    assert _rule(_signed(_request(), alg=1)) == "alg"


def test_of_two_keys_of_one_id_either_is_taken() -> None:
    other = _public(ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, auto_kid=False))
    assert _rule(_signed(_request()), keys=[other, *_KEYS]) == "OK"
    assert _rule(_signed(_request()), keys=[other]) == "signature"


def test_a_signature_of_another_request_does_not_hold() -> None:
    signed = _signed(_request())
    for changed in (
        replace(signed, method="PUT"),
        replace(signed, authority="other.example"),
        replace(signed, target="/v1/cases?pageSize=6"),
        replace(signed, target="/v1/case?pageSize=5"),
        replace(signed, headers={**signed.headers, "authorization": "Bearer y"}),
    ):
        assert _rule(changed) == "signature"
    garbled = signed.headers["signature"][:8] + "AAAA" + signed.headers["signature"][12:]
    assert _rule(replace(signed, headers={**signed.headers, "signature": garbled})) == "signature"
    assert _rule(replace(signed, headers={**signed.headers, "signature": "a=:AAAA:"})) == "signature"


@pytest.mark.parametrize(
    ("inputs", "values", "rule"),
    [
        ("", "a=:AAAA:", "form"),
        ('a=("@method");created=1', "", "form"),
        ('a=("@method"', "a=:AAAA:", "form"),
        ("a=()" + " " * 4096, "a=:AAAA:", "form"),
        ('a=("县")', "a=:AAAA:", "form"),
        ('a=("@method")', "b=:AAAA:", "one"),
        ("a=(), b=()", "a=:AAAA:, b=:AAAA:", "one"),
        ("a=(), a=()", "a=:AAAA:", "one"),
        ("a=1", "a=:AAAA:", "form"),
        ("a=()", "a=1", "form"),
        ("a=(method)", "a=:AAAA:", "component"),
        ('a=("@method";req)', "a=:AAAA:", "component"),
        ('a=("date" "date")', "a=:AAAA:", "component"),
        (f"a=({' '.join(f'{chr(34)}x{n}{chr(34)}' for n in range(33))})", "a=:AAAA:", "component"),
    ],
)
def test_what_is_no_signature_is_told_so(inputs: str, values: str, rule: str) -> None:
    headers = {"signature-input": inputs, "signature": values}
    with pytest.raises(Unauthenticated) as refused:
        judging.read_signature(headers)
    assert refused.value.metadata == {"rule": rule}


def test_what_is_not_there_or_can_t_be_signed_is_named() -> None:
    for name in ("date", "@status", "@query-param"):
        signed = _signed(_request(), (*_ALL, name))
        with pytest.raises(Unauthenticated, match=name) as refused:
            judging.check_signed(signed, judging.read_signature(signed.headers), _KEYS, _NOW)
        assert refused.value.metadata == {"rule": "component"}


def test_blanks_of_the_header_are_not_signed() -> None:
    """RFC 9421, 2.3: what is signed is the strict form of the parameters."""
    signed = _signed(_request())
    loose = signed.headers["signature-input"].replace('("', '(  "').replace("; ", ";")
    assert _rule(replace(signed, headers={**signed.headers, "signature-input": loose})) == "OK"
