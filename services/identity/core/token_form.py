"""Reads the token endpoint's form, and the client's credentials in it or in the Authorization header."""

import base64
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from libs import outside
from libs.security import client_certificates
from libs.security.possession import HEADER, REQUEST_SEEN, RequestSeen
from services.identity.core.oauth_errors import OAuthRefusal, invalid_request

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LARGEST = 65_536
_MOST_FIELDS = 40
_LONGEST_NAME = 100
_LONGEST_CREDENTIAL = 1_000


@dataclass(frozen=True, slots=True)
class TokenForm:
    """The fields of a token request.

    Attributes:
        body: the bytes as they came.
        fields: the fields; none stands twice.
        authorization: the Authorization header, or an empty string.
        seen: the request that brought it, with its proof of possession.
    """

    body: bytes
    fields: dict[str, str]
    authorization: str
    seen: RequestSeen = field(default_factory=lambda: RequestSeen("", "", ""))

    def get(self, name: str) -> str:
        """Returns a field, an empty string where it is missing."""
        return self.fields.get(name, "")

    def required(self, name: str) -> str:
        """Returns a field; raises OAuthRefusal where it is missing."""
        value = self.get(name)
        if not value:
            raise invalid_request(f"{name} is missing")
        return value


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a client shows: a secret, an assertion or a certificate, one of them.

    Attributes:
        client_id: who it says it is.
        secret: its secret.
        assertion: its assertion (private_key_jwt).
        certificate: the one with which it came (tls_client_auth), as tokens say that are bound to it.
        basic: True where they came in the Authorization header.
    """

    client_id: str
    secret: str = ""
    assertion: str = ""
    certificate: str = ""
    basic: bool = False


async def read_form(request: Request) -> TokenForm:
    """Reads a form-encoded body; raises OAuthRefusal where it is none, or a field stands twice (RFC 6749, 3.2)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise invalid_request("the body must be application/x-www-form-urlencoded")
    body = await _body(request)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid_request("the body can't be read as a form") from error
    fields = {_fit(name, "a field's name", _LONGEST_NAME): _fit(value, "a field", _LARGEST) for name, value in pairs}
    if len(fields) != len(pairs):
        raise invalid_request("a field stands twice")
    return TokenForm(body, fields, request.headers.get("authorization", ""), seen(request))


def seen(request: Request) -> RequestSeen:
    """Returns a request as the gateway saw it, with its proof; raises OAuthRefusal where it brings several (RFC 9449, 4.3)."""
    proofs = request.headers.getlist(HEADER)
    if len(proofs) > 1:
        raise OAuthRefusal("invalid_dpop_proof", "a request brings one proof", reason="POSSESSION_NOT_PROVEN")
    # The gateway sends this on as it is, so that verb and path are those that it saw.
    name = request.headers.get(REQUEST_SEEN, "")
    told = ",".join(request.headers.getlist(client_certificates.HEADER))
    certificate = client_certificates.presented(told)
    return RequestSeen("".join(proofs), request.method, request.url.path, name, certificate)


def _fit(value: str, what: str, most: int) -> str:
    try:
        return outside.text(value, most)
    except outside.UnacceptableText as unfit:
        raise invalid_request(f"{what} {unfit}") from unfit


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise invalid_request("the body is too large")
    return bytes(body)


def credentials(form: TokenForm) -> ClientCredentials | None:
    """Returns what the client shows, or None; raises OAuthRefusal where it shows two things (RFC 6749, 2.3)."""
    shown = [show for show in (_basic(form), _post(form), _assertion(form)) if show is not None]
    if len(shown) > 1:
        raise invalid_request("a client authenticates in one way at a time")
    return shown[0] if shown else _certificate(form)


def _basic(form: TokenForm) -> ClientCredentials | None:
    scheme, _, encoded = form.authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, _, secret = text.partition(":")
        # RFC 6749, 2.3.1: both are form-encoded before they are joined.
        shown = [outside.line(unquote_plus(part, errors="strict"), _LONGEST_CREDENTIAL) for part in (client_id, secret)]
    except ValueError as error:
        raise OAuthRefusal(
            "invalid_client",
            "the Authorization header can't be read",
            status=401,
            headers={"www-authenticate": 'Basic realm="tongban"'},
        ) from error
    return ClientCredentials(shown[0], secret=shown[1], basic=True)


def _post(form: TokenForm) -> ClientCredentials | None:
    secret = form.get("client_secret")
    return ClientCredentials(form.required("client_id"), secret=secret) if secret else None


def _certificate(form: TokenForm) -> ClientCredentials | None:
    """The certificate of who names a client and shows nothing else (RFC 8705, 2); a channel that asserts proves itself by its assertion."""
    client_id = form.get("client_id")
    if not client_id or not form.seen.certificate or form.get("grant_type") == JWT_BEARER:
        return None
    return ClientCredentials(client_id, certificate=form.seen.certificate)


def _assertion(form: TokenForm) -> ClientCredentials | None:
    assertion = form.get("client_assertion")
    if not assertion:
        return None
    if form.get("client_assertion_type") != CLIENT_ASSERTION_TYPE:
        raise invalid_request(f"client_assertion_type must be {CLIENT_ASSERTION_TYPE}")
    return ClientCredentials(form.get("client_id"), assertion=assertion)
