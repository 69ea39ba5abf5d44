"""How clients prove who they are (RFC 6749, 2.3; RFC 7523, 3; RFC 8705, 2)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from libs.access import addresses
from libs.errors import Unauthenticated
from services.identity.core.claims import LEEWAY_SECONDS, invalid
from services.identity.core.client_assertions import ClientAssertion, from_claims
from services.identity.core.client_rules import Client, check_environment, check_standing, plain_id
from services.identity.core.clients import find_client
from services.identity.core.codec import read_unverified, verified
from services.identity.core.jwk import ALGORITHMS, StoredJwk, choose, decoy, public_key
from services.identity.core.parts import Parts


class ClientAuthentication:
    """Checks secrets, assertions and certificates of clients.

    Attributes:
        audiences: what the assertions may be for: the issuer and the token endpoint.
    """

    def __init__(self, parts: Parts, audiences: Collection[str]) -> None:
        self._parts = parts
        self.audiences = audiences

    async def by_secret(self, client_id: str, secret: str, address: str) -> Client:
        """Returns the client whose secret this is, and may ask from ``address``; raises as :meth:`by_assertion`."""
        row = await self._client(client_id)
        old = row.old_secret_mac if row and row.overlaps(self._parts.wall.now()) else None
        # Every secret is compared, with nothing where there is nothing: who is not there takes as long as who is.
        stored = (row.secret_mac if row else None, old)
        held = [self._parts.client_secrets.holds(secret, each) for each in stored]
        if row is None or not any(held):
            raise _unknown()
        self.admit(row, address)
        return row

    def admit(self, row: Client, address: str) -> None:
        """Checks that a client that proved who it is gets tokens now, here and at ``address``.

        Raises:
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_WRONG_ENVIRONMENT, CLIENT_ADDRESS_NOT_ALLOWED.
        """
        check_standing(row, self._parts.wall.now())
        check_environment(row, self._parts.environment)
        addresses.require(row.ip_ranges, row.id, address)

    async def by_assertion(self, token: str, client_id: str, address: str) -> Client:
        """Returns the client that signed ``token`` about itself (private_key_jwt), which is used up.

        Args:
            token: the client assertion.
            client_id: the form's client_id; empty where it has none.
            address: where it asks from, as the gateway saw it.

        Raises:
            Unauthenticated: TOKEN_INVALID.
            PermissionDenied: as :meth:`admit`.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        row, assertion = await self.signed(token)
        if plain_id(assertion.subject) != row.id or plain_id(client_id) not in ("", row.id):
            raise invalid("sub", "the client assertion speaks of another client")
        self.admit(row, address)
        await self.use_up("client", row, assertion)
        return row

    async def by_certificate(self, client_id: str, certificate: str, address: str) -> Client:
        """Returns the client that came with one of its certificates (tls_client_auth), and may ask from ``address``.

        The gateway has looked at the chain, and had its key proven; whether it is one of the client's is looked at here.

        Args:
            client_id: who it says it is.
            certificate: what it came with, as tokens say that are bound to it.
            address: where it asks from, as the gateway saw it.

        Raises:
            Unauthenticated: TOKEN_INVALID.
            PermissionDenied: as :meth:`admit`.
        """
        row = await self._client(client_id)
        if row is None or not row.shows(certificate, self._parts.wall.now()):
            raise _unknown()
        self.admit(row, address)
        return row

    async def signed(self, token: str) -> tuple[Client, ClientAssertion]:
        """Returns who signed an assertion, and what it says; raises Unauthenticated TOKEN_INVALID."""
        now, (header, unverified) = self._parts.wall.now(), read_unverified(token)
        row = await self._client(str(unverified.get("iss", "")))
        claims = _signed_by(token, header, row.keys_at(now) if row else ())
        if row is None or claims is None:
            raise _unknown()
        return row, from_claims(claims, self.audiences, now)

    async def use_up(self, kind: str, row: Client, assertion: ClientAssertion) -> None:
        """Refuses an assertion that was used before; raises Unauthenticated TOKEN_INVALID with rule `jti`."""
        # As long as it would still be taken: to the end of the skew that is forgiven.
        seconds = assertion.expire + LEEWAY_SECONDS - self._parts.wall.now().timestamp()
        if not await self._parts.once.take(kind, row.id, assertion.jti, seconds):
            raise invalid("jti", "the assertion was used before")

    async def _client(self, client_id: str) -> Client | None:
        async with self._parts.database.read() as connection:
            return await find_client(connection, plain_id(client_id))


def _signed_by(token: str, header: Mapping[str, Any], keys: Sequence[StoredJwk]) -> Mapping[str, Any] | None:
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
