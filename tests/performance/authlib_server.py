"""Client-credential grants by Authlib on Flask, as its documentation sets it up: the measure for ours.

A client proves itself by `private_key_jwt`, its assertion is taken once, and the token (RFC 9068) is stored before it is given; clients and
tokens lie in a database (SQLite, as in its example). What theirs need not do: an audit record, which ours is not given without, what a client's terms demand, and to remember
assertions beyond one process.
"""

import json
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_save_token_func,
)
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Column, Integer, create_engine, event
from sqlalchemy.orm import DeclarativeBase, scoped_session, sessionmaker

PATH, _METHOD = "/oauth/token", "private_key_jwt"


class _Base(DeclarativeBase):
    pass


class _Client(_Base, OAuth2ClientMixin):  # type: ignore[misc]
    __tablename__ = "oauth2_client"
    id = Column(Integer, primary_key=True)


class _Token(_Base, OAuth2TokenMixin):  # type: ignore[misc]
    __tablename__ = "oauth2_token"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer)


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
        return KeySet.import_key_set(client.jwks)


class _Grant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = [_METHOD]


class _Tokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    def __init__(self, issuer: str) -> None:
        super().__init__(issuer, alg="ES256")
        self._keys = KeySet([ECKey.generate_key("P-256", {"kid": "theirs"})])

    def get_jwks(self) -> KeySet:
        return self._keys


def _session(store: Path, client_id: str, jwk: dict[str, Any]) -> Any:
    """A database with the client in it; its log is written ahead, so that reads do not wait for writes."""
    engine = create_engine(f"sqlite:///{store}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode = WAL"))
    _Base.metadata.create_all(engine)
    session = scoped_session(sessionmaker(engine))
    client = _Client(client_id=client_id)
    metadata = {"grant_types": ["client_credentials"], "token_endpoint_auth_method": _METHOD, "scope": "bench"}
    client.set_client_metadata(metadata | {"jwks": {"keys": [jwk]}})
    session.add(client)
    session.commit()
    return session


def create(settings: str) -> Flask:
    """Makes the application from a file: `audience`, `client_id`, `jwk`, and where the `store` is to be."""
    given = json.loads(Path(settings).read_text(encoding="utf-8"))
    session, app = _session(Path(given["store"]), given["client_id"], given["jwk"]), Flask(__name__)
    server = AuthorizationServer(
        app, create_query_client_func(session, _Client), create_save_token_func(session, _Token)
    )
    server.register_client_auth_method(_METHOD, _Assertion(given["audience"]))
    server.register_grant(_Grant)
    server.register_token_generator("default", _Tokens(given["audience"]))
    app.add_url_rule(PATH, "token", server.create_token_response, methods=["POST"])
    app.teardown_appcontext(lambda _: session.remove())
    return app
