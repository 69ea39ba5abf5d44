"""Audit records of tokens that were given or refused: who got into whose place, and which region was told."""

import re
import uuid
from dataclasses import dataclass, field

from libs.audit.writer import AuditWriter
from libs.db.command import Command
from libs.rpc.call import Call
from services.identity.core.claims import Claims
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import token_service_pb2 as pb

EXCHANGE = "tongban.identity.v1.TokenService.ExchangeToken"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What was asked for.

    Attributes:
        digest: SM3 of the request.
        call: the call that brought it; None where HTTP did.
        address: where it was asked from, as the gateway saw it; None where a service of the region asks.
        signer: the client that is known to ask because it signed for this very request; empty where none did.
        receipts: those of the records that were written of it; HTTP answers with the last, as a call does.
        key: the key that who asks has proven (DPoP), or the certificate that they came with; empty where they did neither.
        shown: the access tokens that were read of it.
    """

    digest: bytes
    call: Call | None = None
    address: str | None = None
    signer: str = ""
    receipts: list[common_pb2.Receipt] = field(default_factory=list)
    key: str = ""
    shown: list[Claims] = field(default_factory=list)


class TokenRecords:
    """Writes one record before a token leaves, or when one is refused."""

    def __init__(self, audit: AuditWriter) -> None:
        self._audit = audit

    async def write(
        self,
        asked: TokenRequest,
        claims: Claims,
        *,
        method: str = EXCHANGE,
        transaction: str = "",
        result: str = "OK",
        token: str,
    ) -> None:
        """Writes a record.

        Args:
            asked: what was asked for.
            method: by which method or grant.
            claims: whom the token speaks of.
            token: audience and id of the token, `//<region>/tokens/<jti>`.
            transaction: what an assertion says of it (`txn`), the same in both regions' logs; empty of other tokens.
            result: ``OK`` or the reason of the refusal.

        Raises:
            Unavailable: AUDIT_UNAVAILABLE; then nothing may be given.
        """
        call = asked.call
        actor = claims.act.sub if claims.act else claims.sub
        authority = claims.authority.principal if claims.authority else ""
        command = Command(
            caller=claims.sub,
            method=method,
            request_id=str(uuid.uuid4()),
            digest=asked.digest,
            response_type=pb.ExchangeTokenResponse,
            actor=actor,
            on_behalf_of=authority or (claims.sub if claims.act else claims.represented),
            department=claims.dept,
            assurance=claims.acr,
            trace_id=call.trace_id if call else "",
            span_id=call.span_id if call else "",
            call=call,
        )
        shared = transaction if _UUID.fullmatch(transaction) else ""
        asked.receipts.append(await self._audit.write(command, token, result=result, transaction_id=shared))


def token_name(claims: Claims) -> str:
    """Names a token in a record: never the token itself."""
    return f"{claims.aud}/tokens/{claims.jti}"
