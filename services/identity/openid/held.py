"""What codes, refresh tokens and devices stand for, in the words in which Authlib asks for it; and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin

from services.identity.core.assurance_names import AssuranceNames
from services.identity.core.sign_in_grants import SignInGrant


@dataclass
class OAuthReply:
    """What Authlib answers; ``location`` is where the browser is sent, or an empty string."""

    status: int
    body: Any
    location: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What a code or a refresh token stands for, as Authlib asks for it."""

    grant: SignInGrant
    levels: AssuranceNames
    code_challenge_method: str = "S256"

    @property
    def code_challenge(self) -> str:
        """What the verifier is compared with."""
        return self.grant.challenge

    def get_redirect_uri(self) -> str:
        """Where the code was sent."""
        return self.grant.redirect_uri

    def get_scope(self) -> str:
        """What was granted."""
        return self.grant.scope

    def get_nonce(self) -> str:
        """What the client said to know its answer by."""
        return self.grant.nonce

    def get_auth_time(self) -> int:
        """When the person signed in, in seconds since the epoch."""
        return int(self.grant.auth_time.timestamp())

    def get_acr(self) -> str:
        """How far they are known, in the client's word for it, or from 0 to 4."""
        return self.levels.named(self.grant.assurance)

    def get_amr(self) -> list[str]:
        """How they signed in (RFC 8176)."""
        return list(self.grant.methods)

    def check_client(self, client: ClientMixin) -> bool:
        """Says whether it was given to this client."""
        return bool(client.get_client_id() == self.grant.client)


@dataclass(frozen=True, slots=True)
class AskingDevice:
    """A device that asks for its tokens, as Authlib asks for it.

    Attributes:
        client, scope: who asks for what.
        over: whether it has waited for too long.
        approved: what the person said; None where they said nothing yet.
        too_soon: whether it did not wait as it was told.
    """

    client: str
    scope: str
    over: bool
    approved: bool | None
    too_soon: bool

    def get_client_id(self) -> str:
        """Who asks."""
        return self.client

    def get_scope(self) -> str:
        """What for."""
        return self.scope

    def get_user_code(self) -> None:
        """None: it stands nowhere."""

    def is_expired(self) -> bool:
        """Whether it has waited for too long."""
        return self.over


@dataclass(frozen=True, slots=True)
class MadeTokens:
    """What is given where the protocol is content: made before, as it costs nothing to throw away."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str = ""


@dataclass
class KeptCode:
    """A code that Authlib wants to be kept, for what was asked and granted."""

    code: str
    scope: str
    parameters: Mapping[str, str] = field(default_factory=dict)
