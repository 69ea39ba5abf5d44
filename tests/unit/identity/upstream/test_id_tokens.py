"""ID tokens of others: by which keys and algorithms, whatever they say themselves."""

from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from services.identity.upstream.id_tokens import Expected, KeyUnknown, TokenRefused, identified

NOW = datetime(2024, 5, 6, 8, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
EXPECTED = Expected("https://idp.test", "us", "n-1")
EC = ECKey.generate_key("P-256", {"kid": "e"})
RSA = RSAKey.generate_key(2048, {"kid": "r"})
KEYS = [EC.as_dict(private=False), RSA.as_dict(private=False)]
SAID = {
    "iss": "https://idp.test",
    "aud": "us",
    "sub": "s-1",
    "nonce": "n-1",
    "iat": SECONDS,
    "exp": SECONDS + 60,
    "auth_time": SECONDS - 5,
    "acr": "gold",
}


def _token(key: Any = EC, alg: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in {**SAID, **claims}.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": str(key.kid), **(header or {})}, said, key, algorithms=[alg])


def _refused(token: str, keys: Any = KEYS) -> str:
    with pytest.raises(TokenRefused) as refusal:
        identified(token, keys, EXPECTED, NOW)
    return refusal.value.rule


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (RSA, "RS256"), (RSA, "PS256")])
def test_who_it_tells_of(key: Any, alg: str) -> None:
    who = identified(_token(key, alg), KEYS, EXPECTED, NOW)
    assert (who.subject, who.acr, who.auth_time) == ("s-1", "gold", SECONDS - 5)
    assert identified(_token(acr=None), KEYS, EXPECTED, NOW).acr == ""


def test_no_algorithm_of_the_tokens_own_choice() -> None:
    shared = OctKey.import_key(b"a shared key that is quite long enough for it", {"kid": "o"})
    assert _refused(_token(shared, "HS256"), [shared.as_dict(private=True)]) == "alg"
    assert _refused("eyJhbGciOiJub25lIn0.e30.") == "form"
    assert _refused("eyJhbGciOiJub25lIn0.e30.AA") == "alg"
    assert _refused(_token(header={"typ": "at+jwt"})) == "typ"
    assert _refused("nonsense") == "form"


def test_no_key_but_those_that_are_published_for_it() -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "e"})
    assert _refused(_token(stranger)) == "signature"
    with pytest.raises(KeyUnknown):
        identified(_token(ECKey.generate_key("P-256", {"kid": "x"})), KEYS, EXPECTED, NOW)
    assert _refused(_token(EC), [{**KEYS[0], "use": "enc"}]) == "kid"
    assert _refused(_token(RSA, "RS256"), [{**KEYS[1], "alg": "PS256"}]) == "kid"
    assert _refused(_token(EC), [{"kty": "EC", "kid": "e"}]) == "key"
    weak = {**KEYS[1], "n": "w" * 171}  # 1024 bits
    assert _refused(_token(RSA, "RS256"), [weak]) == "key"


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"iss": "https://idp.test/"}, "iss"),
        ({"aud": None}, "aud"),
        ({"aud": ["us", "them"]}, "azp"),
        ({"azp": "them"}, "azp"),
        ({"exp": SECONDS - 60}, "exp"),
        ({"exp": True}, "exp"),
        ({"iat": SECONDS - 601}, "iat"),
        ({"iat": SECONDS + 61}, "iat"),
        ({"nbf": SECONDS + 61}, "nbf"),
        ({"nonce": "n-2"}, "nonce"),
        ({"auth_time": None}, "auth_time"),
        ({"auth_time": SECONDS + 61}, "auth_time"),
        ({"sub": 7}, "sub"),
        ({"sub": "s" * 256}, "sub"),
        ({"acr": 3}, "acr"),
    ],
    ids=str,
)
def test_what_it_must_say(claims: dict[str, Any], rule: str) -> None:
    assert _refused(_token(**claims)) == rule


def test_it_may_be_for_others_too_where_it_was_made_for_us() -> None:
    assert identified(_token(aud=["us", "them"], azp="us"), KEYS, EXPECTED, NOW).subject == "s-1"
    assert identified(_token(exp=SECONDS - 59), KEYS, EXPECTED, NOW).subject == "s-1"
