"""What somebody who wants to sign out says (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass, field
from urllib.parse import urlencode

from libs.errors import TongbanError
from services.identity.core.client_rules import Client, plain_id
from services.identity.core.clients import find_client
from services.identity.core.codec import read_unverified, verified
from services.identity.core.parts import Parts
from services.identity.core.sessions import SignInSession
from services.identity.openid.authorizations import Parameters

_KEPT = ("client_id", "post_logout_redirect_uri", "state", "ui_locales")


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish to sign out.

    Attributes:
        proven: whether the client showed that it was given the very session (its ID token): then the person is not asked.
        location: where the browser is sent afterwards; empty where nowhere, or where the client did not register it.
        kept: what the page at which the person is asked sends again.
    """

    proven: bool = False
    location: str = ""
    kept: Parameters = field(default_factory=dict)


class Logout:
    """Reads wishes to sign out."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def wish(self, parameters: Parameters, session: SignInSession | None) -> Wish:
        """Returns what is wished for; what can't be believed is left out, and never an error: whoever wants out gets out."""
        hint = await self._hint(parameters.get("id_token_hint", ""))
        client = await self._client(str(hint.get("aud", "")) or parameters.get("client_id", ""))
        location = parameters.get("post_logout_redirect_uri", "")
        if client is None or location not in client.post_logout_redirect_uris:
            location = ""
        elif state := parameters.get("state", ""):
            location = f"{location}{'&' if '?' in location else '?'}{urlencode({'state': state})}"
        kept = {name: parameters[name] for name in _KEPT if name in parameters}
        if client is not None:
            kept["client_id"] = client.id
        return Wish(session is not None and hint.get("sid") == session.id, location, kept)

    async def _hint(self, token: str) -> dict[str, object]:
        """Reads an ID token of ours, over or not; nothing where it is none."""
        if not token:
            return {}
        try:
            header, _ = read_unverified(token)
            key = await self._parts.codec.keys.key(str(header.get("kid", "")))
            if key is None or header.get("typ") != "JWT":
                return {}
            claims = verified(token, key, "ES256")
        except TongbanError:
            return {}
        return claims if claims.get("iss") == self._parts.codec.issuer else {}

    async def _client(self, client_id: str) -> Client | None:
        if not client_id:
            return None
        async with self._parts.database.read() as connection:
            return await find_client(connection, plain_id(client_id))
