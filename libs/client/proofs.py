"""Proofs that a program has the key to which its tokens are bound (DPoP, RFC 9449): who copies a token can't use it."""

import base64
import hashlib
import time
import uuid

from joserfc import jwt
from joserfc.jwk import ECKey

from libs import outside

_LONGEST_TOKEN = 8_192


class ProofKey:
    """A key of the program's own; a new one where none is given. It need not outlive the program, nor be known to the region before.

    One of several replicas that share tokens has to be shared too; else each has its own.
    """

    def __init__(self, key: ECKey | None = None) -> None:
        self._key = key or ECKey.generate_key("P-256")
        self._public = self._key.as_dict(private=False)
        self.thumbprint = self._key.thumbprint()
        """Its thumbprint (RFC 7638), which tokens carry (`cnf.jkt`)."""

    def proof(self, method: str, uri: str, token: str = "") -> str:
        """Signs a proof for one request, good once and for a minute.

        Args:
            method: the verb.
            uri: the address as the region publishes it, without query.
            token: the token that goes with it; empty where none does.
        """
        said = {"jti": str(uuid.uuid4()), "htm": method, "htu": uri, "iat": int(time.time())}
        if token:
            said["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
        public = {name: self._public[name] for name in ("crv", "kty", "x", "y")}
        return jwt.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": public}, said, self._key, algorithms=["ES256"])

    def holds(self, token: str) -> bool:
        """Says whether a token is bound to this key."""
        try:
            _, claims = outside.jwt_parts(token, _LONGEST_TOKEN)
        except outside.UnacceptableText:
            return False
        bound = claims.get("cnf")
        return isinstance(bound, dict) and bound.get("jkt") == self.thumbprint

    def __repr__(self) -> str:
        """Without the key."""
        return f"ProofKey({self.thumbprint!r})"
