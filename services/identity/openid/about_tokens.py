"""What clients ask about tokens: whether one is good (RFC 7662), whose it is (OpenID Connect Core, 5.3), that it end (RFC 7009)."""

from typing import Any

from libs.access import addresses, signing
from libs.access.actor import Actor
from libs.access.bound_keys import brought, scheme_of
from libs.errors import PermissionDenied, TongbanError
from libs.security.possession import CHALLENGE, RequestSeen
from libs.security.tokens import TokenVerifier
from services.identity.core.accounts import active_person
from services.identity.core.client_rules import Client
from services.identity.core.oauth_errors import OAuthRefusal, passing
from services.identity.core.parts import Parts
from services.identity.core.token_form import TokenForm
from services.identity.core.token_records import TokenRequest
from services.identity.openid.code_grants import CodeGrants
from services.identity.openid.provider import OPENID, PROFILE

Json = dict[str, Any]
_INACTIVE: Json = {"active": False}
_TOLD = (
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "jti",
    "scope",
    "client_id",
    "acr",
    "auth_time",
    "org",
    "mandate",
    "act",
    "sid",
    "cnf",
)


class AboutTokens:
    """Answers them."""

    def __init__(self, parts: Parts, grants: CodeGrants, verifier: TokenVerifier) -> None:
        self._parts = parts
        self._grants = grants
        self._verifier = verifier

    async def introspected(self, form: TokenForm, client: Client) -> Json:
        """Says whether a token is good, to the client that it was given to; of another's it says what it says of none."""
        token = form.required("token")
        grant = await self._grants.alive(token, client)
        if grant is not None:
            return {
                "active": True,
                "client_id": client.id,
                "sub": grant.person,
                "scope": grant.scope,
                "iss": self._issuer,
            }
        try:
            actor = await self._verifier.verify(token)
        except TongbanError as error:
            if (unsure := passing(error)) is not None:
                raise unsure from error
            return _INACTIVE
        if actor.client != client.id:
            return _INACTIVE
        said = {name: actor.claims[name] for name in _TOLD if name in actor.claims}
        kind = scheme_of(actor.bound_key)
        return {"active": True, "token_type": kind, **said, "acr": client.assurance.named(actor.assurance)}

    async def revoked(self, form: TokenForm, asked: TokenRequest, client: Client) -> None:
        """Ends what a token stands for; an access token by itself can't be ended, and lives for minutes."""
        token = form.required("token")
        if token.count(".") == 2 and form.get("token_type_hint") != "refresh_token" and not token.startswith("r1."):
            raise OAuthRefusal("unsupported_token_type", "access tokens end by themselves, or with their session")
        await self._grants.revoke(token, client, asked)

    async def user(self, authorization: str, seen: RequestSeen, asked: TokenRequest) -> Json:
        """Says whose token it is, as far as its scope lets the client know; recorded where that is more than the name of the account.

        Raises:
            OAuthRefusal: the token is not good (401), was not given for this, or its client may not ask so (403).
        """
        actor = await self._actor(authorization, seen)
        _check_way(actor, asked)
        scopes = actor.scopes
        if OPENID not in scopes or not actor.person:
            raise _refused("insufficient_scope", "the token was not given for this", 403)
        if PROFILE not in scopes:
            return {"sub": actor.subject}
        async with self._parts.database.read() as connection:
            try:
                person = await active_person(connection, actor.subject)
            except TongbanError as error:
                raise _refused("invalid_token", "the account is not in use", 401) from error
        await self._grants.recorded_user(actor.subject, actor.client, asked)
        return {"sub": actor.subject, "name": person.clear_name(self._parts.cipher)}

    async def _actor(self, authorization: str, seen: RequestSeen) -> Actor:
        """Returns whose the token is that was brought, by who has what it is bound to."""
        scheme, token = brought(authorization)
        try:
            actor = await self._verifier.verify(token.strip())
            await self._parts.proofs.require(actor, scheme, seen)
            return actor
        except TongbanError as error:
            if (unsure := passing(error)) is not None:
                raise unsure from error
            if error.reason == "POSSESSION_NOT_PROVEN":
                headers = {"www-authenticate": CHALLENGE}
                raise OAuthRefusal(
                    "invalid_dpop_proof", error.message, status=401, reason=error.reason, headers=headers
                ) from error
            if error.reason == "CERTIFICATE_NOT_PRESENTED":
                raise _refused("invalid_token", error.message, 401, error.reason) from error
            raise _refused("invalid_token", "the access token is not good", 401) from error

    @property
    def _issuer(self) -> str:
        return self._parts.codec.issuer


def _check_way(actor: Actor, asked: TokenRequest) -> None:
    """Holds the client of a token to its terms here too: from where it calls, and that it signs."""
    try:
        addresses.require(actor.ip_ranges, actor.client, asked.address or "")
        signing.require(actor.client, asked.signer, signs=actor.signs)
    except PermissionDenied as error:
        raise OAuthRefusal("access_denied", error.message, status=403, reason=error.reason) from error


def _refused(error: str, description: str, status: int, reason: str = "") -> OAuthRefusal:
    challenge = f'Bearer realm="tongban", error="{error}", error_description="{description}"'
    return OAuthRefusal(error, description, status=status, reason=reason, headers={"www-authenticate": challenge})
