"""SignInService about the clients that somebody agreed to be signed in to."""

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import state_conflict
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.core import logout_notices, sign_in_grants
from services.identity.core.parts import Parts
from services.identity.core.sign_in_grants import GrantEnd, SignInGrant
from services.identity.sign_in_grants import store
from services.identity.sign_in_grants.convert import sign_in_grant_message
from services.identity.sign_in_grants.rules import SignInGrantState, check_stands, ends, state_of
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb


class SignInGrantApi:
    """Shows people whom they are signed in to, and takes it back."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list_sign_in_grants(self, request: pb.ListSignInGrantsRequest, call: Call) -> pb.ListSignInGrantsResponse:
        """Lists the sign-ins of the person to clients."""
        parts, now, person = self._parts, self._parts.wall.now(), call.actor.person
        async with parts.database.read() as connection:
            scope = Scope({"person": person})
            shown, token = await store.LISTED.page(connection, parts.pages, request, [scope], now=now)
            names = await store.display_names(connection, [each.client for each in shown])
        # Nobody but the person by themselves can ask.
        call.own()
        messages = [sign_in_grant_message(parts.cipher, row, names.get(row.client, ""), now) for row in shown]
        return pb.ListSignInGrantsResponse(sign_in_grants=messages, next_page_token=token)

    async def revoke_sign_in_grant(self, request: pb.RevokeSignInGrantRequest, call: Call) -> pb.SignInGrant:
        """Takes back what the person agreed to with a client."""
        parts, person = self._parts, call.actor.person

        async def work(tx: Transaction) -> pb.SignInGrant:
            now = parts.wall.now()
            row = await store.owned(tx.connection, request.name, person)
            check_etag(request.name, row.version, request.etag)
            check_stands(row.name, state_of(row.revoke_time, ends(row.expire_time, row.auth_time), now))
            after = next((each for each in await self._end(tx, person, row.client) if each.id == row.id), None)
            if after is None:  # another call was quicker
                raise state_conflict(row.name, SignInGrantState.REVOKED, SignInGrantState.ACTIVE)
            told = events.SignInGrantRevoked(sign_in_grant=row.name, person=person, client=f"clients/{row.client}")
            tx.emit(row.name, told)
            names = await store.display_names(tx.connection, [row.client])
            return sign_in_grant_message(parts.cipher, after, names.get(row.client, ""), now)

        return await parts.uow.run(command_of(request, call=call), work)

    async def _end(self, tx: Transaction, person: str, client: str) -> list[SignInGrant]:
        """Ends all that the client got of the person; its tokens, and with a notice to it."""
        now, why = self._parts.wall.now(), GrantEnd.WITHDRAWN
        ended = await sign_in_grants.end_at_client(tx.connection, person, client, why, now)
        await logout_notices.of_grants(tx.connection, ended, now)
        await self._parts.withdrawals.withdraw(tx, *sign_in_grants.with_living_tokens(ended, now))
        return ended
