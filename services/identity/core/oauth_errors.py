"""Errors of the token endpoint in OAuth's words (RFC 6749, 5.2; RFC 8693, 2.2.2)."""

from starlette.responses import JSONResponse

from libs.errors import Code, TongbanError

NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}
_BY_REASON = {
    "SCOPE_NOT_GRANTED": "invalid_scope",
    "POSSESSION_NOT_PROVEN": "invalid_dpop_proof",
    "CERTIFICATE_NOT_PRESENTED": "invalid_request",
    "EXCHANGE_NOT_SUPPORTED": "invalid_request",
    "FIELD_INVALID": "invalid_request",
    "REGION_NOT_TRUSTED": "invalid_target",
    "REGION_READS_ONLY": "invalid_target",
    "REGION_TRUST_NOT_COVERING": "invalid_target",
    "MANDATE_NOT_FOR_REGION": "invalid_target",
    "CLIENT_MAY_NOT_ASSERT": "unauthorized_client",
    "CLIENT_NOT_ACTIVE": "unauthorized_client",
    "CLIENT_EXPIRED": "unauthorized_client",
    "CLIENT_WRONG_ENVIRONMENT": "unauthorized_client",
    "CLIENT_ADDRESS_NOT_ALLOWED": "unauthorized_client",
}
_PASSING = {Code.UNAVAILABLE: 503, Code.ABORTED: 503, Code.DEADLINE_EXCEEDED: 503, Code.RESOURCE_EXHAUSTED: 429}


class OAuthRefusal(Exception):
    """A request that the token endpoint does not serve.

    Attributes:
        error: OAuth's code.
        description: one sentence for developers.
        status: the HTTP status.
        reason: our reason (ErrorReason without its prefix), or an empty string.
        headers: further headers.
    """

    def __init__(
        self,
        error: str,
        description: str,
        *,
        status: int = 400,
        reason: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.reason = reason
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        """Returns the answer."""
        # RFC 6749, 5.2: no quotation mark and no backslash in the description.
        text = self.description.replace('"', "'").replace("\\", "/")
        body = {"error": self.error, "error_description": text}
        if self.reason:
            body["reason"] = self.reason
        return JSONResponse(body, self.status, headers=NOT_STORED | self.headers)


def invalid_request(description: str) -> OAuthRefusal:
    """Builds the error for a request that is not formed as it must be."""
    return OAuthRefusal("invalid_request", description)


def passing(error: TongbanError) -> OAuthRefusal | None:
    """Returns the answer to a failure that goes by (a part is away), or None where it is none."""
    status = _PASSING.get(error.code)
    if status is None:
        return None
    headers = {"retry-after": str(max(1, round(error.retry_after or 1)))}
    return OAuthRefusal("temporarily_unavailable", error.message, status=status, reason=error.reason, headers=headers)


def invalid_client(error: TongbanError, *, basic: bool) -> OAuthRefusal:
    """Returns the answer to a client that did not prove who it is; ``basic`` where it used the Authorization header."""
    headers = {"www-authenticate": 'Basic realm="tongban"'} if basic else {}
    return passing(error) or OAuthRefusal(
        "invalid_client", error.message, status=401, reason=error.reason, headers=headers
    )


def refused_grant(error: TongbanError) -> OAuthRefusal:
    """Returns the answer to a grant that does not hold."""
    kind = _BY_REASON.get(error.reason, "invalid_grant")
    return passing(error) or OAuthRefusal(kind, error.message, reason=error.reason)
