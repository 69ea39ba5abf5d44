"""The discovery document (RFC 8414; OpenID Connect Discovery 1.0)."""

from collections.abc import Sequence
from typing import Any

from libs.security.possession import ALGORITHMS
from services.identity.core.codec import TOKEN_PATH
from services.identity.core.token_form import JWT_BEARER

CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant, no secret

_CLAIMS = (
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "jti",
    "txn",
    "acr",
    "auth_time",
    "client_id",
    "scope",
    "act",
    "actor_kind",
    "org",
    "org_uscc",
    "mandate",
    "mandate_items",
    "mandate_powers",
    "mandate_exp",
    "mandate_by",
    "dept",
    "posts",
    "region",
    "transfer",
    "amr",
    "sid",
    "cnf",
    "nonce",
    "name",
)


_ALIASED = {
    "token_endpoint": TOKEN_PATH,
    "device_authorization_endpoint": "/oauth/device_authorization",
    "pushed_authorization_request_endpoint": "/oauth/par",
    "userinfo_endpoint": "/oauth/userinfo",
    "introspection_endpoint": "/oauth/introspect",
    "revocation_endpoint": "/oauth/revoke",
}
"""Where clients call themselves, with a certificate where they have one."""
_METHODS = ("private_key_jwt", "client_secret_basic", "client_secret_post")


def document(issuer: str, base_url: str, further_grants: Sequence[str], mtls_url: str = "") -> dict[str, Any]:
    """Returns the document.

    Args:
        issuer: the issuer.
        base_url: what the outside calls the gateway.
        further_grants: those of other features.
        mtls_url: where it takes certificates of clients (RFC 8705); empty where it doesn't.
    """
    return {
        **_by_certificate(mtls_url),
        "issuer": issuer,
        "token_endpoint": f"{base_url}{TOKEN_PATH}",
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "jwks_uri": f"{base_url}/.well-known/jwks.json",
        "authorization_endpoint": f"{base_url}/oauth/authorize",
        "device_authorization_endpoint": f"{base_url}/oauth/device_authorization",
        "pushed_authorization_request_endpoint": f"{base_url}/oauth/par",
        "userinfo_endpoint": f"{base_url}/oauth/userinfo",
        "introspection_endpoint": f"{base_url}/oauth/introspect",
        "revocation_endpoint": f"{base_url}/oauth/revoke",
        "end_session_endpoint": f"{base_url}/oauth/end-session",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": ["openid", "profile", "offline_access"],
        "ui_locales_supported": ["zh-CN", "en"],
        "grant_types_supported": [CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE, *further_grants],
        "token_endpoint_auth_methods_supported": [*_METHODS, *(["tls_client_auth"] if mtls_url else [])],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "acr_values_supported": ["0", "1", "2", "3", "4"],
        "claims_supported": list(_CLAIMS),
        "service_documentation": f"{base_url}/docs",
    }


def _by_certificate(mtls_url: str) -> dict[str, Any]:
    """What is said of certificates (RFC 8705, 3.3 and 5)."""
    if not mtls_url:
        return {}
    aliases = {name: f"{mtls_url}{path}" for name, path in _ALIASED.items()}
    return {"tls_client_certificate_bound_access_tokens": True, "mtls_endpoint_aliases": aliases}
