"""People sign in to these pages as to any other client of the region: authorization code with PKCE, and a key of our own.

What is known of who signed in lies in their own browser, encrypted: any replica reads it, and none keeps anything.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from libs.client.credentials import PrivateKey
from libs.errors import reasons

CALLBACK = "/my/callback"
JWKS_PATH = "/.well-known/jwks.json"
PERMISSIONS = (
    "owndata.uses.list",
    "owndata.holdings.count",
    "owndata.data.download",
    "identity.persons.get",
    "identity.persons.reveal",
    "identity.departments.get",
    "identity.organizations.get",
    "identity.organizations.lookup",
    "identity.consents.list",
    "identity.consents.withdraw",
    "identity.mandates.list",
    "identity.mandates.revoke",
    "identity.sessions.list",
    "identity.sessions.end",
    "identity.signInGrants.list",
    "identity.signInGrants.revoke",
    "license.licenses.list",
    "cases.cases.list",
)
"""What is asked for: the region's identity service gives these pages no others."""
REQUEST_SECONDS = 600
_FORM = {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}
_SECONDS = 5.0
_TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, no secret


class NotSignedIn(Exception):
    """What a browser brought back from signing in is not what it was sent with, or is over."""


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """Who signed in, as the browser keeps it.

    Attributes:
        person: `persons/<uuid>`.
        session: the session at the region's sign-in, `sessions/<uuid>`.
        token: the access token, for ten minutes at most.
        issued, expires: when it was given and ends, in seconds since the epoch.
        proof: what the forms of this browser carry, and no other site can know.
        firm, firm_name: for which organisation the token acts, and what that is called; empty where the person looks at their own.
    """

    person: str
    session: str
    token: str
    issued: int
    expires: int
    proof: str
    firm: str = ""
    firm_name: str = ""


class PeopleSignIn:
    """Sends browsers to sign in, and takes what they bring back.

    Args:
        file: the client's credentials, which identity writes at its first start.
        base_url: the region as browsers reach it.
        token_urls: identity's replicas as this process reaches them.
    """

    def __init__(self, file: Path, base_url: str, token_urls: list[str], http: httpx.AsyncClient | None = None) -> None:
        self._file = file
        self._base_url = base_url
        self._token_urls = token_urls
        self._http = http or httpx.AsyncClient(timeout=_SECONDS, trust_env=False)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    def begin(self, to: str, language: str) -> tuple[str, str]:
        """Returns where the browser is sent, and what it keeps meanwhile; ``to`` is where it comes back in the end."""
        client, state, verifier = self._client(), secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": self._base_url + CALLBACK,
            "scope": " ".join(("openid", *PERMISSIONS)),
            "state": state,
            "ui_locales": language,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        kept = {"state": state, "verifier": verifier, "to": to, "exp": int(time.time()) + REQUEST_SECONDS}
        return f"/oauth/authorize?{urlencode(asked)}", self._sealed("request", kept)

    async def finish(self, kept: str, brought: dict[str, str]) -> tuple[str, str]:
        """Exchanges the code; returns where the browser goes on, and what it keeps from now on.

        Raises:
            NotSignedIn: it was not this browser that was sent, or too long ago, or the person refused.
            Unavailable: DEPENDENCY_UNAVAILABLE, identity does not answer.
        """
        asked = self._opened("request", kept)
        right = asked is not None and hmac.compare_digest(asked["state"].encode(), brought.get("state", "").encode())
        if asked is None or not right or brought.get("iss", self._base_url) != self._base_url or "code" not in brought:
            raise NotSignedIn
        form = {
            "grant_type": "authorization_code",
            "code": brought["code"],
            "redirect_uri": self._base_url + CALLBACK,
            "code_verifier": asked["verifier"],
        }
        token = await self._exchanged(form)
        return str(asked["to"]), self._sealed("session", _told(token))

    def known(self, kept: str) -> SignedInPerson | None:
        """Returns who signed in, of what the browser keeps; None where nobody did, or no longer."""
        found = self._opened("session", kept) if kept else None
        # A later release may have kept more.
        names = {each.name for each in fields(SignedInPerson)}
        return None if found is None else SignedInPerson(**{key: found[key] for key in names & found.keys()})

    def for_firm(self, person: SignedInPerson, token: str, firm: str, name: str) -> str:
        """Returns what the browser of a person keeps who looks at an organisation's data, by a token that acts for it."""
        told = {**_told(token), "proof": person.proof, "firm": firm, "firm_name": name}
        return self._sealed("session", told)

    async def _exchanged(self, form: dict[str, str]) -> str:
        client = self._client()
        for url in self._token_urls:
            try:
                signed = client.form(self._base_url + _TOKEN_PATH)
                answer = await self._http.post(url + _TOKEN_PATH, data={**form, **signed})
            except httpx.ConnectError:
                continue  # the next replica: this one has heard nothing
            except httpx.HTTPError:
                break
            if answer.status_code == httpx.codes.OK:
                return str(answer.json()["access_token"])
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                raise NotSignedIn
            break
        raise reasons.dependency_unavailable("identity does not answer", retry_after=5.0, dependency="identity")

    def _client(self) -> PrivateKey:
        """Reads the credentials: identity may have made a new key since."""
        try:
            return PrivateKey.from_file(self._file)
        except (OSError, ValueError, KeyError) as error:
            raise reasons.dependency_unavailable(
                "the credentials of these pages can't be read", retry_after=5.0, dependency="identity"
            ) from error

    def _key(self, use: str) -> OctKey:
        """The key that encrypts what browsers keep; all replicas have it, and nobody else."""
        secret = json.dumps(self._client().key.as_dict(private=True)["d"]).encode()
        return OctKey.import_key(hmac.new(secret, f"tongban my pages {use} 1".encode(), hashlib.sha256).digest())

    def _sealed(self, use: str, content: dict[str, Any]) -> str:
        return jwe.encrypt_compact(_FORM, json.dumps(content).encode(), self._key(use))

    def _opened(self, use: str, kept: str) -> dict[str, Any] | None:
        """Returns what a browser kept; None where it is not ours, or over."""
        field = {"request": "exp", "session": "expires"}[use]
        try:
            plain = jwe.decrypt_compact(kept, self._key(use), algorithms=["dir", "A256GCM", "DEF"]).plaintext
            found: dict[str, Any] = json.loads(plain or b"")
        except (JoseError, ValueError):
            return None
        return found if found[field] > time.time() else None


def _told(token: str) -> dict[str, Any]:
    """What is kept of a token; identity gave it a moment ago, over a way of our own."""
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    return {
        "person": claims["sub"],
        "session": f"sessions/{claims['sid']}",
        "token": token,
        "issued": claims["iat"],
        "expires": claims["exp"],
        "proof": secrets.token_urlsafe(24),
    }
