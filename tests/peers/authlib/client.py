"""A relying party by Authlib's client: it tells where it sends a browser, reads where the browser came back, and tells what it got.

client.py ISSUER CLIENT_ID KEY(JWK) REDIRECT; then the address that the browser came back to, on standard input. Last it waits on its own
port to be told that the session ended, and tells what it was told.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

_SECONDS = 60


def _say(**told: Any) -> None:
    print(json.dumps(told), flush=True)


class _ShortLived(PrivateKeyJWT):  # type: ignore[misc]
    """Assertions of a minute: Authlib's live for an hour, and the region takes five minutes at most.

    The claims are made anew each time: Authlib writes the id into those that it is given, and would send the same one again.
    """

    def sign(self, auth: Any, token_endpoint: str) -> Any:
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


class _Told(BaseHTTPRequestHandler):
    """Takes one logout token."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.logout_token = parse_qs(body)["logout_token"][0]  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_said: Any) -> None:
        """Says nothing."""


def _claims(token: str, keys: KeySet, kind: str) -> dict[str, Any]:
    read = jwt.decode(token, keys, algorithms=["ES256"])
    assert read.header["typ"] == kind, read.header
    return dict(read.claims)


def _checked(token: str, keys: KeySet, client_id: str, nonce: str | None, access_token: str) -> dict[str, Any]:
    """Judges an ID token as Authlib does."""
    said = _claims(token, keys, "JWT")
    options = {"aud": {"essential": True, "value": client_id}, "nonce": {"value": nonce}}
    judged = CodeIDToken(
        said, {"alg": "ES256"}, options, {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    )
    judged.validate(leeway=60)
    return said


def main(issuer: str, client_id: str, jwk: str, redirect: str) -> None:
    """Goes the whole way."""
    key = ECKey.import_key(json.loads(jwk))
    receiver = HTTPServer(("127.0.0.1", 0), _Told)
    receiver.timeout = _SECONDS
    client = OAuth2Client(
        client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",
        revocation_endpoint_auth_method="private_key_jwt",
        scope="openid profile offline_access",
        redirect_uri=redirect,
        code_challenge_method="S256",
        trust_env=False,
    )
    found = client.request("GET", f"{issuer}/.well-known/openid-configuration", withhold_token=True).json()
    client.register_client_auth_method(_ShortLived(found["token_endpoint"], headers={"kid": key.kid}, alg="ES256"))
    verifier, nonce = generate_token(64), generate_token(24)
    uri, state = client.create_authorization_url(found["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    # Authlib's client does not push requests by itself: it signs the form, and the address is made of the answer.
    asked = {name: value for name, (value,) in parse_qs(uri.partition("?")[2]).items()}
    auth = client.client_auth("private_key_jwt")
    pushed = client.request("POST", found["pushed_authorization_request_endpoint"], data=asked, auth=auth)
    assert pushed.status_code == 201, pushed.text
    sent = urlencode({"client_id": client_id, "request_uri": pushed.json()["request_uri"]})
    _say(location=f"{found['authorization_endpoint']}?{sent}", port=receiver.server_port)

    back = sys.stdin.readline().strip()
    tokens = client.fetch_token(
        found["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
    )
    keys = KeySet.import_key_set(client.request("GET", found["jwks_uri"], withhold_token=True).json())
    claims = _checked(tokens["id_token"], keys, client_id, nonce, tokens["access_token"])
    user = client.request("GET", found["userinfo_endpoint"]).json()
    first = tokens["refresh_token"]
    fresh = client.refresh_token(found["token_endpoint"], refresh_token=first)
    fresh_claims = _checked(fresh["id_token"], keys, client_id, None, fresh["access_token"])
    good = client.introspect_token(found["introspection_endpoint"], token=fresh["access_token"]).json()
    goodbye = urlencode({"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": redirect})
    _say(claims=claims, user=user, good=good, fresh=fresh_claims, goodbye=f"{found['end_session_endpoint']}?{goodbye}")

    receiver.handle_request()
    logout = _claims(receiver.logout_token, keys, "logout+jwt")  # type: ignore[attr-defined]
    try:
        client.refresh_token(found["token_endpoint"], refresh_token=fresh["refresh_token"])
        refused = ""
    except OAuthError as error:
        refused = str(error.error)
    _say(logout=logout, refused=refused)
    receiver.server_close()


if __name__ == "__main__":
    main(*sys.argv[1:])
