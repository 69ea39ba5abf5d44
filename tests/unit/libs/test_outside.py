"""Text from outside that no contract describes: what is taken, and that nothing else comes out than a value or Unfit."""

import base64
import contextlib
import json
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from libs import outside
from libs.clock import SystemClock
from libs.db.paging import Pages
from libs.errors import InvalidArgument, Unauthenticated
from libs.security.tokens import TokenVerifier
from services.identity.core.codec import read_unverified
from tests.support.tokens import Issuer
from tongban.cases.v1.case_service_pb2 import ListCasesRequest

_HOSTILE = [
    b"[" * 2900 + b"]" * 2900,
    b'{"a":' * 900,
    b'"\\ud800"',
    b'"\\u0000"',
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"1" * 5000,
    b'{"a":1,"a":2}',
    b"\xff",
    b"\xed\xa0\x80",
    b"",
    b"nul",
    b'{"\\udfff":1}',
    b"9007199254740993",
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("data", _HOSTILE)
def test_hostile_json_is_unfit(data: bytes) -> None:
    with pytest.raises(outside.UnacceptableText):
        outside.json_value(data, 100_000)


@pytest.mark.parametrize(
    "value", [{}, {"a": [1, -2.5, None, True, "中\n[[[[[[[[[[[[[[[[[[[[[["]}, {"a": {"b": ['"}{']}}]
)
def test_ordinary_json_is_read(value: Any) -> None:
    assert outside.json_value(json.dumps(value).encode(), 1000) == value
    assert outside.json_value(json.dumps(value, ensure_ascii=False).encode(), 1000) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_unfit(data: bytes) -> None:
    with contextlib.suppress(outside.UnacceptableText):
        outside.json_value(data, 1000)


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_itself_or_unfit(value: str) -> None:
    try:
        assert outside.text(value, 50) == value
        assert "\0" not in value
        value.encode()
    except outside.UnacceptableText:
        assert len(value) > 50 or "\0" in value or any("\ud800" <= each <= "\udfff" for each in value)


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


_GOOD_HEADER = b'{"alg":"ES256","typ":"at+jwt","kid":"k"}'


def _tokens() -> list[str]:
    return [
        *(f"{_part(_GOOD_HEADER)}.{_part(data)}.x" for data in _HOSTILE),
        *(f"{_part(data)}.{_part(b'{}')}.x" for data in _HOSTILE),
        "\ud800.a.b",
        "a.b",
        "a.b.c.d",
        "\0",
        "..",
        "é.é.é",
        "a" * 9000,
    ]


@pytest.mark.parametrize("token", _tokens())
async def test_a_hostile_token_is_invalid_and_nothing_else(token: str) -> None:
    issuer = Issuer("http://gateway.test", "//341500")
    verifier = TokenVerifier(issuer, issuer="http://gateway.test", audience="//341500", clock=SystemClock())
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)
    with pytest.raises(Unauthenticated):
        read_unverified(token)


@pytest.mark.parametrize(
    "token",
    [
        *(_part(data) for data in _HOSTILE if data),
        "\ud800",
        "\0",
        "é",
        "a",
        "====",
        _part(b'["\\ud800","x"]'),
        _part(b"[]"),
        _part(b"{}"),
        _part(b"[1]"),
        _part(b'["' + b"0" * 32 + b'",' + b"[" * 500 + b"]" * 501),
        "x" * 100_000,
    ],
)
def test_a_hostile_page_token_is_invalid_and_nothing_else(token: str) -> None:
    request: Message = ListCasesRequest()
    with pytest.raises(InvalidArgument) as refused:
        Pages(b"k" * 32).position(request, token)
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


def test_base64url_has_one_text_for_the_same_bytes() -> None:
    """RFC 4648, 3.5: bits behind the last byte are zero."""
    assert outside.base64url("_w") == b"\xff"
    for text in ("_x", "_-", "__", "_w==", "_w="):
        with pytest.raises(outside.UnacceptableText):
            outside.base64url(text)
