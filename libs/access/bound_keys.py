"""Keys to which tokens are bound, so that they are good for nobody but who has them (claim `cnf`; RFC 7800, RFC 9449)."""

from collections.abc import Mapping

from libs.errors import Unauthenticated, reasons

SCHEME = "DPoP"
"""The authentication scheme of tokens that are bound (RFC 9449, 7.1)."""


def brought(authorization: str) -> tuple[str, str]:
    """Returns by which scheme a header brings an access token, and the token (RFC 6750, 2.1; RFC 9449, 7.1); nothing where it brings none."""
    scheme, _, token = authorization.partition(" ")
    return (scheme, token) if scheme.lower() in ("bearer", SCHEME.lower()) else ("", "")


def not_proven(rule: str, message: str) -> Unauthenticated:
    """Builds the error POSSESSION_NOT_PROVEN that names the rule that does not hold."""
    return reasons.possession_not_proven(message, rule=rule)


def bound_key(said: object) -> str:
    """Reads to which key a token is bound (RFC 9449, 6.1): its thumbprint; empty where it is to none.

    Raises:
        ValueError: it is bound by what is not known here: that is never taken for a bearer's.
    """
    if said is None:
        return ""
    key = said.get("jkt") if isinstance(said, Mapping) and len(said) == 1 else None
    if not isinstance(key, str) or not key:
        raise ValueError("cnf is no thumbprint of a key")
    return key
