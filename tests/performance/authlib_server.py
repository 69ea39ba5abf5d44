"""Client-credential grants by Authlib on Flask, as its documentation sets it up: the measure for ours.

A client proves itself by `private_key_jwt`, its assertion is taken once, and the token (RFC 9068) is stored before it is given. What theirs
need not do: an audit record, an event, what a client's terms demand, and clients from a database.
"""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from joserfc.jwk import ECKey, KeySet

PATH, _METHOD = "/oauth/token", "private_key_jwt"


class _Client(ClientMixin):  # type: ignore[misc]
    def __init__(self, client_id: str, jwk: dict[str, Any]) -> None:
        self.client_id = client_id
        self.keys = KeySet([ECKey.import_key(jwk)])

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method, endpoint) == (_METHOD, "token")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class _Store:
    """Tokens in a file of SQLite's, as Authlib's example keeps them; a connection for each thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._mine = path, threading.local()
        with self._connection as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE tokens (jti TEXT PRIMARY KEY, client TEXT, token TEXT)")

    @property
    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = sqlite3.connect(self._path, timeout=30)
        connection: sqlite3.Connection = self._mine.connection
        return connection

    def add(self, token: str, client: str) -> None:
        with self._connection as connection:
            connection.execute("INSERT INTO tokens VALUES (hex(randomblob(16)), ?, ?)", (client, token))


class _Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
    CLIENT_AUTH_METHOD = _METHOD

    def __init__(self, audience: str) -> None:
        super().__init__()
        self._audience, self._used = audience, set[str]()

    def get_audiences(self) -> list[str]:
        return [self._audience]

    def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
        known = len(self._used)
        self._used.add(jti)
        return len(self._used) > known

    def resolve_client_public_key(self, client: _Client) -> KeySet:
        return client.keys


class _Grant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = [_METHOD]


class _Tokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    def __init__(self, issuer: str) -> None:
        super().__init__(issuer, alg="ES256")
        self._keys = KeySet([ECKey.generate_key("P-256", {"kid": "theirs"})])

    def get_jwks(self) -> KeySet:
        return self._keys


def create(settings: str) -> Flask:
    """Makes the application from a file: `audience`, `client_id`, `jwk`, and where the `store` is to be."""
    given = json.loads(Path(settings).read_text(encoding="utf-8"))
    client, store = _Client(given["client_id"], given["jwk"]), _Store(Path(given["store"]))
    app = Flask(__name__)
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: client if client_id == client.client_id else None,
        save_token=lambda token, request: store.add(token["access_token"], request.client.client_id),
    )
    server.register_client_auth_method(_METHOD, _Assertion(given["audience"]))
    server.register_grant(_Grant)
    server.register_token_generator("default", _Tokens(given["audience"]))
    app.add_url_rule(PATH, "token", server.create_token_response, methods=["POST"])
    return app
