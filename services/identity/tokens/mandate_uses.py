"""Mandates that may be used so many times: a use is what their agent does with one token of their own, at most ten minutes (decision 0084)."""

import uuid

from libs.db.command import Command
from libs.db.uow import Transaction
from services.identity.core import mandates
from services.identity.core.claims import Claims
from services.identity.core.parts import Parts
from services.identity.core.token_records import EXCHANGE, TokenRequest
from tongban.identity.v1 import token_service_pb2 as pb


class MandateUses:
    """Counts uses, before the token leaves that is one: who loses it shows the same token again, and it is the same use."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def count(self, mandate: str, shown: Claims, made: Claims, asked: TokenRequest) -> None:
        """Counts that a mandate, and what it was passed on from, is used by the token that was ``shown``, to get what was ``made``.

        Raises:
            PermissionDenied: MANDATE_USED_UP, of whichever link; then none is counted.
        """
        async with self._parts.database.read() as connection:
            counted = (await mandates.chain(connection, mandate)).counted
        if not counted:
            return

        async def work(tx: Transaction) -> None:
            wall = self._parts.wall.now()
            for link in counted:
                if await mandates.use(tx.connection, link, shown.jti, now=tx.now, wall=wall):
                    tx.record(link.name)

        await self._parts.uow.step(_command(made, asked), work)


def _command(made: Claims, asked: TokenRequest) -> Command:
    return Command(
        caller=made.sub,
        method=EXCHANGE,
        request_id=str(uuid.uuid4()),
        digest=asked.digest,
        response_type=pb.ExchangeTokenResponse,
        actor=made.act.sub if made.act else made.sub,
        on_behalf_of=made.authority.principal if made.authority else "",
        assurance=made.acr,
        call=asked.call,
    )
