"""Whatever comes to the HTTP doors of identity is answered in OAuth's words: no 5xx, no plain text, no word of ours."""

import base64
from typing import Any

import pytest

from tests.support.town import CLIENT_ASSERTION, JWT_BEARER, TOKEN_EXCHANGE, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _jwt(payload: bytes, header: bytes = b'{"alg":"ES256","kid":"k"}') -> str:
    return f"{_part(header)}.{_part(payload)}.{_part(b'x' * 64)}"


_TOKENS = [
    _jwt(b'{"iss":"\\ud800"}'),
    _jwt(b'{"iss":"a\\u0000b"}'),
    _jwt(b"[" * 2900 + b"]" * 2900),
    _jwt(b'{"iss":{}}'),
    _jwt(b'{"iss":"x","exp":1e999}'),
    _jwt(b'{"iss":' + b"1" * 5000 + b"}"),
    _jwt(b'{"iss":NaN}'),
    _jwt(b"null"),
    _jwt(b'{"iss":"x"}', b"[" * 2900 + b"]" * 2900),
    _jwt(b'{"iss":"x"}', b'{"alg":"ES256","kid":"\\ud800"}'),
    _jwt(b'{"iss":"x"}', b'{"alg":[],"kid":{}}'),
    "a.b.c",
    "é",
    "..",
    "a" * 20_000,
]
_WORDS = [
    "a\0b",
    "clients/a\0b",
    "é" * 3000,
    "%",
    "\r\nx: y",
    "{{7*7}}",
    "'; DROP TABLE client; --",
    "\x85",
    "😀" * 100,
]


def _forms() -> list[dict[str, str]]:
    base = {"client_credentials": {}, JWT_BEARER: {"assertion": "x"}, TOKEN_EXCHANGE: {"subject_token": "x"}}
    by_token = (
        [{"grant_type": JWT_BEARER, "assertion": token} for token in _TOKENS]
        + [
            {"grant_type": "client_credentials", "client_assertion_type": CLIENT_ASSERTION, "client_assertion": token}
            for token in _TOKENS
        ]
        + [
            {
                "grant_type": TOKEN_EXCHANGE,
                "subject_token": token,
                "audience": "//110000",
                "subject_token_type": f"urn:ietf:params:oauth:token-type:{kind}",
            }
            for token in _TOKENS
            for kind in ("jwt", "access_token")
        ]
    )
    by_word = [
        {"grant_type": grant, **more, field: word}
        for grant, more in base.items()
        for word in _WORDS
        for field in ("client_id", "client_secret", "scope", "audience", "on_behalf_of", "mandate", "transfer", "a\0")
    ]
    return by_token + [{"client_id": "a", "client_secret": "b"} | form for form in by_word] + by_word


def _fit(status: int, body: Any, form: object) -> None:
    assert 400 <= status < 500, (status, body, form)
    assert set(body) <= {"error", "error_description", "reason"}, body
    for word in ("Traceback", "psycopg", "asyncpg", "sqlalchemy", "SELECT", "codec", "utf-8", "Error:", "line "):
        assert word not in str(body), body


async def test_no_form_is_a_fault_of_ours(home: Town, capfd: pytest.CaptureFixture[str]) -> None:
    for form in _forms():
        answer = await home.http.post("/oauth/token", data=form)
        _fit(answer.status_code, answer.json(), form)
    logged = "".join(capfd.readouterr())
    assert "Traceback" not in logged
    assert "unexpected" not in logged


@pytest.mark.parametrize(
    "content",
    [
        b"grant_type=%ff",
        b"grant_type=client_credentials&client_id=%ed%a0%80",
        b"=&=",
        b"&" * 100,
        b"grant_type",
        b"\xff",
        b"grant_type=client_credentials&client_id=a%00b&client_secret=x",
        b"x" * 70_000,
    ],
)
async def test_no_body_is_a_fault_of_ours(home: Town, content: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await home.http.post("/oauth/token", content=content, headers=headers)
    _fit(answer.status_code, answer.json(), content)


@pytest.mark.parametrize("shown", [b"a\0b:c", b"\xed\xa0\x80:x", b"%ff:x", b"a%00b:x", b":", b"a:b%00", b"\xff:\xff"])
async def test_no_credentials_are_a_fault_of_ours(home: Town, shown: bytes) -> None:
    headers = {"authorization": f"Basic {base64.b64encode(shown).decode()}"}
    answer = await home.http.post("/oauth/token", data={"grant_type": "client_credentials"}, headers=headers)
    _fit(answer.status_code, answer.json(), shown)


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/oauth/token", 405),
        ("DELETE", "/.well-known/jwks.json", 405),
        ("GET", "/oauth/nothing", 404),
        ("POST", "/oauth/token/", 404),
        ("GET", "/.well-known/%00", 404),
    ],
)
async def test_what_is_not_served_is_said_in_json(home: Town, verb: str, path: str, status: int) -> None:
    answer = await home.http.request(verb, path)
    _fit(answer.status_code, answer.json(), path)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert ("allow" in answer.headers) == (status == 405)
