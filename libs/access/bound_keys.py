"""What tokens are bound to, so that they are good for nobody but who has it (claim `cnf`; RFC 7800): a key (RFC 9449), or a certificate (RFC 8705).

What a token is bound to is one text everywhere: the thumbprint of a key, or ``x5t#S256:`` and that of a certificate; empty of a bearer's.
"""

import re
from collections.abc import Mapping

from libs.errors import Unauthenticated, reasons

SCHEME = "DPoP"
"""The authentication scheme of tokens that are bound to a key (RFC 9449, 7.1)."""
BEARER = "Bearer"
"""That of all others, also of those that are bound to a certificate (RFC 8705, 3)."""
_KEY, _CERTIFICATE = "jkt", "x5t#S256"
_OF_CERTIFICATE = f"{_CERTIFICATE}:"
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def brought(authorization: str) -> tuple[str, str]:
    """Returns by which scheme a header brings an access token, and the token (RFC 6750, 2.1; RFC 9449, 7.1); nothing where it brings none."""
    scheme, _, token = authorization.partition(" ")
    return (scheme, token) if scheme.lower() in ("bearer", SCHEME.lower()) else ("", "")


def not_proven(rule: str, message: str) -> Unauthenticated:
    """Builds the error POSSESSION_NOT_PROVEN that names the rule that does not hold."""
    return reasons.possession_not_proven(message, rule=rule)


def not_presented(rule: str, message: str) -> Unauthenticated:
    """Builds the error CERTIFICATE_NOT_PRESENTED that names the rule that does not hold."""
    return reasons.certificate_not_presented(message, rule=rule)


def of_certificate(thumbprint: str) -> str:
    """Returns what a token says that is bound to a certificate, by the SHA-256 of that (base64url)."""
    return f"{_OF_CERTIFICATE}{thumbprint}"


def is_certificate(bound: str) -> bool:
    """Tells whether what a token is bound to is a certificate."""
    return bound.startswith(_OF_CERTIFICATE)


def scheme_of(bound: str) -> str:
    """Returns the scheme by which a token is brought that is bound to this; empty for a bearer's."""
    return SCHEME if bound and not is_certificate(bound) else BEARER


def confirmation(bound: str) -> dict[str, str]:
    """Returns the claim `cnf` (RFC 7800, 3.1); nothing for a bearer's token."""
    if not bound:
        return {}
    return {_CERTIFICATE: bound.removeprefix(_OF_CERTIFICATE)} if is_certificate(bound) else {_KEY: bound}


def bound_key(said: object) -> str:
    """Reads what a token is bound to, out of its claim `cnf`; empty where it is to nothing.

    Raises:
        ValueError: it is bound by what is not known here: that is never taken for a bearer's.
    """
    if said is None:
        return ""
    if not isinstance(said, Mapping) or len(said) != 1:
        raise ValueError("cnf is no thumbprint")
    ((kind, thumbprint),) = said.items()
    if kind == _KEY and isinstance(thumbprint, str) and thumbprint and not is_certificate(thumbprint):
        return thumbprint
    if kind == _CERTIFICATE and isinstance(thumbprint, str) and _THUMBPRINT.fullmatch(thumbprint):
        return of_certificate(thumbprint)
    raise ValueError("cnf is no thumbprint of a key or a certificate")


def require_same(bound: str, proven: str) -> None:
    """Checks that who shows a token that is ``bound`` has proven that, or that it is a bearer's.

    Raises:
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
    """
    if bound in ("", proven):
        return
    if not is_certificate(bound):
        raise not_proven("key", "the token is bound to a key that was not proven")
    if not is_certificate(proven):
        raise not_presented(
            "missing", "the token is bound to a certificate: come with it, by the listener for partners"
        )
    raise not_presented("other", "the token is bound to another certificate than the connection's")
