"""An identity provider of others beside a region: plain HTTP in a thread, which judges what it is asked, and says what a test has it say."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.support.json_server import json_server

Key = ECKey | RSAKey


def rsa_key(kid: str) -> RSAKey:
    """A key as such providers usually have it."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@dataclass
class UpstreamDouble:
    """A provider.

    Attributes:
        client_id, client_keys: who may ask, and by what they are known.
        asked: the authorization requests that were answered.
        refuses: what its endpoints answer with, by path, instead of what they should.
        calls: which paths were called.
    """

    key: Key
    issuer: str = ""
    client_id: str = "tongban-liuan"
    client_keys: list[dict[str, Any]] = field(default_factory=list)
    names_itself: bool = True
    refuses: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    codes: dict[str, tuple[dict[str, str], dict[str, Any]]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    algorithm: str = "RS256"

    def answered(self, location: str, claims: dict[str, Any], **changes: str) -> str:
        """Signs somebody in who was sent to ``location``; returns where the browser is sent back."""
        asked = {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(f"{self.issuer}/authorize?")
        assert (asked["response_type"], asked["client_id"]) == ("code", self.client_id)
        assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
        code = secrets.token_urlsafe(8)
        self.codes[code] = (asked, claims)
        told = {"code": code, "state": asked["state"], "iss": self.issuer, **changes}
        return f"{asked['redirect_uri']}?{urlencode({name: value for name, value in told.items() if value})}"

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answers a call."""
        self.calls.append(path)
        if path in self.refuses:
            return self.refuses[path], {"error": "server_error"}
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_response_iss_parameter_supported": self.names_itself,
            }
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        return self._tokens(form)

    def _tokens(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        code = form["code"]
        if code not in self.codes:
            return 400, {"error": "invalid_grant"}
        asked, claims = self.codes.pop(code)
        made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if made != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if not self._knows(form):
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        content = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "auth_time": now,
            **claims,
        }
        header = {"alg": self.algorithm, "kid": str(self.key.kid)}
        return 200, {
            "id_token": jwt.encode(header, content, self.key, algorithms=[self.algorithm]),
            "access_token": "-",
            "token_type": "Bearer",
        }

    def _knows(self, form: dict[str, str]) -> bool:
        keys = {each["kid"]: ECKey.import_key(each) for each in self.client_keys}
        header = json.loads(base64.urlsafe_b64decode(form["client_assertion"].split(".")[0] + "=="))
        claims = jwt.decode(form["client_assertion"], keys[header["kid"]], algorithms=["ES256"]).claims
        new = claims["jti"] not in self.used
        self.used.add(claims["jti"])
        who = (claims["iss"], claims["sub"], claims["aud"])
        return new and who == (self.client_id, self.client_id, self.issuer) and claims["exp"] > time.time()


@contextmanager
def upstream_double() -> Iterator[UpstreamDouble]:
    """Runs a provider for the length of the block."""
    found = UpstreamDouble(rsa_key("idp-1"))

    def answer(path: str, body: bytes) -> tuple[int, object]:
        return found.answer(path, {name: value for name, (value,) in parse_qs(body.decode()).items()})

    with json_server(answer) as found.issuer:
        yield found
