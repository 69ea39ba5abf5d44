"""The discovery document (RFC 8414; OpenID Connect Discovery 1.0, as far as there is an OpenID provider to discover)."""

from typing import Any

from services.identity.core.codec import TOKEN_PATH

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
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
)


def document(issuer: str, base_url: str) -> dict[str, Any]:
    """Returns the document. There is no authorization endpoint: people authenticate at their channel."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{base_url}{TOKEN_PATH}",
        "jwks_uri": f"{base_url}/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": [CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "client_secret_post"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "acr_values_supported": ["0", "1", "2", "3", "4"],
        "claims_supported": list(_CLAIMS),
        "service_documentation": f"{base_url}/docs",
    }
