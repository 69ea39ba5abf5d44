"""OpenID Connect by Authlib: what the protocol checks and answers, on rows that were read before.

Authlib asks and keeps by synchronous hooks. Here each exchange gets a server of its own that holds what the hooks ask for, and
collects what they would keep; reading and writing are done around it, in one transaction with the evidence (decision 0069).
"""

import secrets
from collections.abc import Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidScopeError, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core.grants.code import OpenIDCode, OpenIDToken

from libs.access import roles
from libs.security.possession import THUMBPRINT
from services.identity.core.client_rules import Client, ClientKind
from services.identity.core.codec import TokenCodec
from services.identity.core.scopes import covers
from services.identity.core.sign_in_grants import SignInGrant
from services.identity.openid.held import AskingDevice, Held, KeptCode, MadeTokens, OAuthReply

OPENID, PROFILE, OFFLINE = "openid", "profile", "offline_access"
OPENID_SCOPES = frozenset({OPENID, PROFILE, OFFLINE})
ID_TOKEN_SECONDS = 600
CODE_GRANT, REFRESH_GRANT = "authorization_code", "refresh_token"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SECURE = "https://gateway.invalid"
"""Authlib refuses plain HTTP. What the public reaches is the gateway's; this request came from there."""


def permissions_of(scope: str) -> tuple[str, ...]:
    """Returns the permissions in a scope: what is not OpenID Connect's own."""
    return tuple(each for each in scope.split() if each not in OPENID_SCOPES)


def grantable(client: Client, permission: str) -> bool:
    """Says whether a person can give a permission to a client: one of a person's, and of the client's unless it is a channel."""
    if not covers(roles.PERSON, permission):
        return False
    return client.kind is ClientKind.CHANNEL or covers(client.scopes, permission)


class _RelyingParty(ClientMixin):  # type: ignore[misc]
    """A client as Authlib asks for it; who it is was proven before."""

    id_token_signed_response_alg = "ES256"  # noqa: S105 - an algorithm, no secret

    def __init__(self, client: Client) -> None:
        self._client = client

    def get_client_id(self) -> str:
        return self._client.id

    def get_default_redirect_uri(self) -> None:
        """None: the client says where to, each time (OpenID Connect Core, 3.1.2.1)."""

    def get_allowed_scope(self, scope: str) -> str | None:
        """Returns the scope where all of it can be given, or None."""
        asked = (scope or "").split()
        return " ".join(asked) if all(grantable(self._client, each) for each in permissions_of(scope or "")) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self._client.redirect_uris

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        if grant_type == DEVICE_GRANT:
            return self._client.device_sign_in
        return grant_type in (CODE_GRANT, REFRESH_GRANT)


class _ProtocolRequest(OAuth2Request):  # type: ignore[misc]
    def __init__(self, method: str, parameters: Mapping[str, str]) -> None:
        super().__init__(method, _SECURE)
        self.payload = BasicOAuth2Payload(dict(parameters))

    @property
    def args(self) -> dict[str, str]:
        return dict(self.payload.data)

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    def authenticate_token_endpoint_client(self) -> _RelyingParty:
        self.request.auth_method = "proven before"
        return self.server.party  # type: ignore[no-any-return]

    def generate_authorization_code(self) -> str:
        return secrets.token_urlsafe(32)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        self.server.kept = KeptCode(code, request.scope, dict(request.payload.data))

    def query_authorization_code(self, _code: str, client: _RelyingParty) -> Held | None:
        held: Held | None = self.server.held
        return held if held is not None and held.check_client(client) else None

    def delete_authorization_code(self, _held: Held) -> None:
        """Used up by whoever runs the exchange, with the evidence."""

    def authenticate_user(self, held: Held) -> str:
        return held.grant.person


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_token_endpoint_client(self) -> _RelyingParty:
        return self.server.party  # type: ignore[no-any-return]

    def authenticate_refresh_token(self, _token: str) -> Held | None:
        return self.server.held  # type: ignore[no-any-return]

    def authenticate_user(self, held: Held) -> str:
        return held.grant.person

    def revoke_old_credential(self, _held: Held) -> None:
        """Counted on by whoever runs the exchange, with the evidence."""


class _DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]
    def authenticate_token_endpoint_client(self) -> _RelyingParty:
        return self.server.party  # type: ignore[no-any-return]

    def query_device_credential(self, _device_code: str) -> AskingDevice | None:
        return self.server.device  # type: ignore[no-any-return]

    def query_user_grant(self, _user_code: None) -> tuple[str, bool] | None:
        approved, held = self.server.device.approved, self.server.held
        return None if approved is None else (held.grant.person if held else "", approved)

    def should_slow_down(self, device: AskingDevice) -> bool:
        return device.too_soon


class _Challenge(CodeChallenge):  # type: ignore[misc]
    """S256 always: whoever intercepts a code has no use for it (RFC 9700, 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: _CodeGrant, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge with the method S256 is needed")
        super().validate_code_challenge(grant, redirect_uri)


class _IdToken:
    """What ID tokens say (OpenID Connect Core, 2), signed as access tokens are; of both grants."""

    def __init__(self, codec: TokenCodec) -> None:
        self._codec = codec

    def get_encode_header(self, _client: _RelyingParty) -> dict[str, str]:
        return {"alg": "ES256", "kid": self._codec.keys.current.kid, "typ": "JWT"}

    def resolve_client_private_key(self, _client: _RelyingParty) -> object:
        return self._codec.keys.current.key

    def get_compatible_claims(self, request: OAuth2Request) -> dict[str, Any]:
        now = int(self._codec.now().timestamp())
        held = self.held(request)
        return {
            "iss": self._codec.issuer,
            "aud": request.client.get_client_id(),
            "iat": now,
            "exp": now + ID_TOKEN_SECONDS,
            "auth_time": held.get_auth_time(),
            "acr": held.get_acr(),
            "amr": held.get_amr(),
            "sid": held.grant.session,
        }

    def held(self, request: OAuth2Request) -> Held:
        """Returns what the tokens are given for."""
        return request.authorization_code or request.refresh_token  # type: ignore[no-any-return]

    def generate_user_info(self, person: str, _scope: str) -> dict[str, str]:
        return {"sub": person}


class _CodeIdToken(_IdToken, OpenIDCode):  # type: ignore[misc]
    def __init__(self, codec: TokenCodec) -> None:
        _IdToken.__init__(self, codec)
        OpenIDCode.__init__(self)

    def exists_nonce(self, _nonce: str, _request: OAuth2Request) -> bool:
        """A code is good once, and its client compares the nonce."""
        return False


class _RefreshIdToken(_IdToken, OpenIDToken):  # type: ignore[misc]
    """Says the same again, without the nonce (OpenID Connect Core, 12.2)."""


class _DeviceIdToken(_RefreshIdToken):
    """Likewise: a device sends no nonce."""

    def __init__(self, codec: TokenCodec, held: Held | None) -> None:
        super().__init__(codec)
        self._held = held

    def held(self, _request: OAuth2Request) -> Held:
        assert self._held is not None
        return self._held


class _RequestNotSupported(OAuth2Error):  # type: ignore[misc]
    """A signed request: what a client asks for it pushes (RFC 9126), which comes to the same."""

    error = "request_not_supported"
    description = "push the request instead"


class _Issuer(IssuerParameter):  # type: ignore[misc]
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


class Exchange(AuthorizationServer):  # type: ignore[misc]
    """One exchange with a client: what it asked, and what Authlib answers to it.

    Attributes:
        party: the client.
        held: what the code or the refresh token stands for, or what a device was granted; None where it is nothing.
        device: the device that asks, where one does.
        tokens: what is given where nothing speaks against it.
        kept: the code that was made.
    """

    def __init__(
        self,
        codec: TokenCodec,
        client: Client,
        *,
        held: SignInGrant | None = None,
        tokens: MadeTokens | None = None,
        device: AskingDevice | None = None,
    ) -> None:
        super().__init__()
        self.party = _RelyingParty(client)
        self.held = Held(held, client.assurance) if held is not None else None
        self.device = device
        self._tokens = tokens
        self._issuer = codec.issuer
        self.kept: KeptCode | None = None
        self.register_grant(_CodeGrant, [_Challenge(required=True), _CodeIdToken(codec)])
        self.register_grant(_RefreshGrant, [_RefreshIdToken(codec)])
        self.register_grant(_DeviceGrant, [_DeviceIdToken(codec, self.held)])
        self.register_token_generator("default", self._given)
        self.register_extension(_Issuer(codec.issuer))

    # What Authlib asks.

    def query_client(self, client_id: str) -> _RelyingParty | None:
        """Returns the client, where it is that of this exchange."""
        return self.party if client_id == self.party.get_client_id() else None

    def save_token(self, token: object, request: OAuth2Request) -> None:
        """Nothing is kept of a token."""

    def send_signal(self, name: str, *args: object, **values: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: _ProtocolRequest) -> _ProtocolRequest:
        """Returns it: it is one already."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> OAuthReply:
        """Returns what is answered."""
        return OAuthReply(status, body, dict(headers).get("Location", ""))

    def _given(self, *, scope: str, **_asked: object) -> dict[str, object]:
        made = self._tokens
        if made is None:
            raise InvalidScopeError
        token = {
            "access_token": made.access_token,
            "token_type": made.token_type,
            "expires_in": made.expires_in,
            "scope": scope,
        }
        return {**token, "refresh_token": made.refresh_token} if made.refresh_token else token

    # What is asked of it.

    def checked(self, parameters: Mapping[str, str], person: str | None) -> None:
        """Checks an authorization request; raises OAuth2Error, with where to tell it where that can be told."""
        if "request" in parameters:
            raise _RequestNotSupported(state=parameters.get("state"))
        if "dpop_jkt" in parameters and not THUMBPRINT.fullmatch(parameters["dpop_jkt"]):
            raise InvalidRequestError("dpop_jkt is no thumbprint of a key")
        self.get_consent_grant(_ProtocolRequest("GET", parameters), end_user=person)

    def told(self, error: OAuth2Error) -> OAuthReply:
        """Returns the answer to an authorization request that is refused, to where it may be told."""
        reply: OAuthReply = self.handle_error_response(None, error)
        self.execute_hook("after_create_authorization_response", reply)
        return reply

    def granted(self, parameters: Mapping[str, str], person: str) -> OAuthReply:
        """Answers an authorization request with a code, which is in :attr:`kept` then."""
        asked = _ProtocolRequest("GET", parameters)
        grant = self.get_authorization_grant(asked)
        return self.create_authorization_response(asked, grant_user=person, grant=grant)  # type: ignore[no-any-return]

    def answered(self, form: Mapping[str, str]) -> OAuthReply:
        """Answers a token request."""
        return self.create_token_response(_ProtocolRequest("POST", form))  # type: ignore[no-any-return]
