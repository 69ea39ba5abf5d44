"""How clients prove who they are (RFC 6749, 2.3; RFC 7523, 3)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from libs.db.engine import Database, Row
from libs.errors import NotFound, Unauthenticated
from services.identity.client_secrets import ClientSecrets
from services.identity.convert.clients import client_of
from services.identity.domain import clients as domain
from services.identity.domain.assertions import Assertion, from_claims
from services.identity.domain.claims import LEEWAY_SECONDS, invalid
from services.identity.store import clients as store
from services.identity.tokens.codec import TokenCodec, peek, verified
from services.identity.tokens.jwk import ALGORITHMS, StoredKey, choose, decoy, public_key
from services.identity.tokens.replay import UsedOnce


class ClientAuthentication:
    """Checks secrets and assertions of clients.

    Attributes:
        audiences: what the assertions may be for: the issuer and the token endpoint.
    """

    def __init__(
        self,
        database: Database,
        codec: TokenCodec,
        client_secrets: ClientSecrets,
        once: UsedOnce,
        audiences: Collection[str],
    ) -> None:
        self._database = database
        self._codec = codec
        self._secrets = client_secrets
        self._once = once
        self.audiences = audiences

    async def by_secret(self, client_id: str, secret: str) -> Row:
        """Returns the client whose secret this is; raises Unauthenticated TOKEN_INVALID, PermissionDenied."""
        row = await self._client(client_id)
        stored = (row.secret_mac, row.old_secret_mac if self._overlaps(row) else None) if row else (None, None)
        # Every secret is compared, with nothing where there is nothing: who is not there takes as long as who is.
        held = [self._secrets.holds(secret, each) for each in stored]
        if row is None or not any(held):
            raise _unknown()
        domain.check_active(client_of(row))
        return row

    async def by_assertion(self, token: str, client_id: str = "") -> Row:
        """Returns the client that signed ``token`` about itself (private_key_jwt), which is used up.

        Args:
            token: the client assertion.
            client_id: the form's client_id; empty where it has none.

        Raises:
            Unauthenticated: TOKEN_INVALID.
            PermissionDenied: CLIENT_NOT_ACTIVE.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        row, assertion = await self.signed(token)
        if domain.plain_id(assertion.subject) != row.id or domain.plain_id(client_id) not in ("", row.id):
            raise invalid("sub", "the client assertion speaks of another client")
        domain.check_active(client_of(row))
        await self.use_up("client", row, assertion)
        return row

    async def signed(self, token: str) -> tuple[Row, Assertion]:
        """Returns who signed an assertion, and what it says; raises Unauthenticated TOKEN_INVALID."""
        header, unverified = peek(token)
        row = await self._client(str(unverified.get("iss", "")))
        claims = _signed_by(token, header, self._keys(row) if row else ())
        if row is None or claims is None:
            raise _unknown()
        return row, from_claims(claims, self.audiences, self._codec.now())

    async def use_up(self, kind: str, row: Row, assertion: Assertion) -> None:
        """Refuses an assertion that was used before; raises Unauthenticated TOKEN_INVALID with rule `jti`."""
        # As long as it would still be taken: to the end of the skew that is forgiven.
        seconds = assertion.expire + LEEWAY_SECONDS - self._codec.now().timestamp()
        if not await self._once.take(kind, row.id, assertion.jti, seconds):
            raise invalid("jti", "the assertion was used before")

    async def _client(self, client_id: str) -> Row | None:
        async with self._database.read() as connection:
            try:
                return await store.client(connection, f"clients/{domain.plain_id(client_id)}")
            except NotFound:
                return None

    def _keys(self, row: Row) -> Sequence[StoredKey]:
        old = row.old_jwks if self._overlaps(row) else None
        return [*(row.jwks or ()), *(old or ())]

    def _overlaps(self, row: Row) -> bool:
        return domain.old_credentials_hold(row.overlap_expire_time, self._codec.now())


def _signed_by(token: str, header: Mapping[str, Any], keys: Sequence[StoredKey]) -> Mapping[str, Any] | None:
    """Returns what a client says under one of its keys, or None; one signature is checked whatever is missing.

    Which clients there are, and which keys they have, is told neither by an answer nor by the time that it takes.
    """
    algorithm, kid = str(header.get("alg")), str(header.get("kid", ""))
    stored = choose(keys, kid)
    known = stored is not None and stored["alg"] == algorithm
    key = public_key(stored) if stored is not None and known else decoy(algorithm)
    try:
        claims = verified(token, key, algorithm if algorithm in ALGORITHMS else "ES256")
    except Unauthenticated:
        return None
    return claims if known else None


def _unknown() -> Unauthenticated:
    # One answer for "no such client", "no such key" and "wrong secret": nobody finds out which clients there are.
    return invalid("client", "the client is not known, or its credentials are wrong")
