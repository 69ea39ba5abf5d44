"""What is signed, against the examples of RFC 9421 (appendix B) and RFC 9530, whose signatures others made."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from libs.security.message_signatures import HttpRequest, component, content_digest, signature_base

# RFC 9421, B.1.3, B.1.4, and the request of B.2.
_P256 = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
"""
_ED25519 = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
"""
_BODY = b'{"hello": "world"}'
_REQUEST = HttpRequest(
    "POST",
    "https",
    "example.com",
    "/foo?param=Value&Pet=dog",
    {
        "host": "example.com",
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type": "application/json",
        "content-digest": "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        "content-length": "18",
    },
    _BODY,
)


def _based(names: tuple[str, ...], parameters: str) -> bytes:
    return signature_base([(name, component(_REQUEST, name) or "") for name in names], parameters)


def test_b_2_4_holds_under_the_published_key_of_p_256() -> None:
    """A response's, so its components are given; the line of the parameters and the form of the signature are ours."""
    digest = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"
    components = [
        ("@status", "200"),
        ("content-type", "application/json"),
        ("content-digest", digest),
        ("content-length", "23"),
    ]
    parameters = (
        '("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"'
    )
    value = base64.b64decode("wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==")
    key = load_pem_public_key(_P256)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = utils.encode_dss_signature(int.from_bytes(value[:32]), int.from_bytes(value[32:]))
    key.verify(signature, signature_base(components, parameters), ec.ECDSA(hashes.SHA256()))


def test_b_2_6_holds_under_the_published_key_of_ed25519() -> None:
    names = ("date", "@method", "@path", "@authority", "content-type", "content-length")
    inner = " ".join(f'"{name}"' for name in names)
    value = base64.b64decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==")
    key = load_pem_public_key(_ED25519)
    assert isinstance(key, ed25519.Ed25519PublicKey)
    key.verify(value, _based(names, f'({inner});created=1618884473;keyid="test-key-ed25519"'))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # RFC 9421, 2.2.1 to 2.2.7.
        ("@method", "POST"),
        ("@target-uri", "https://www.example.com/path?param=value"),
        ("@authority", "www.example.com"),
        ("@scheme", "https"),
        ("@request-target", "/path?param=value"),
        ("@path", "/path"),
        ("@query", "?param=value"),
    ],
)
def test_derived_components_are_those_of_the_rfc(name: str, value: str) -> None:
    for authority in ("www.example.com", "WWW.example.com:443"):
        assert component(HttpRequest("POST", "https", authority, "/path?param=value", {}), name) == value


def test_what_is_empty_has_a_value_all_the_same() -> None:
    """RFC 9421, 2.2.6 and 2.2.7: an empty path is a slash, a query that is not there a question mark."""
    bare = HttpRequest("GET", "http", "example.com:8080", "", {})
    assert [component(bare, each) for each in ("@path", "@query", "@authority")] == ["/", "?", "example.com:8080"]
    assert component(bare, "@status") is component(bare, "date") is None


def test_digests_are_those_of_the_rfcs() -> None:
    """RFC 9530, 3 (the body with its line's end), RFC 9421, B.2 (sha-256 of 1.4), GB/T 32905-2016, A.1."""
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert content_digest(_BODY) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    abc = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
    assert content_digest(b"abc", "sm3") == f"sm3=:{base64.b64encode(abc).decode()}:"
    assert hashlib.sha512(_BODY).digest() == base64.b64decode(_REQUEST.headers["content-digest"][9:-1])


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "县"])
def test_two_bases_are_never_one_text(value: str) -> None:
    with pytest.raises(ValueError, match=r"line.s end|ascii"):
        signature_base([("date", value)], "()")
