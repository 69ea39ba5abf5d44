"""What GrantService tells of grants, with what was used of them."""

from libs.db.connection import DatabaseConnection
from libs.errors import not_found
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.sharing.core.grants import Grant, usage_of
from services.sharing.core.ids import key_of
from services.sharing.core.participants import participant
from services.sharing.core.parts import Parts
from services.sharing.grants.convert import grant_message
from services.sharing.grants.store import ENTRIES, GRANT, LISTED
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


class GrantApi:
    """Shows grants."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def get_data_grant(self, request: pb.GetDataGrantRequest, call: Call) -> messages.DataGrant:
        """Gets a grant."""
        key = key_of(request.name)
        async with self._parts.database.read() as connection:
            row = await GRANT.first(connection, id=key)
            if row is None or not participant(call.actor, self._parts.home).sees(row):
                raise not_found(request.name)
            (message,) = await self._messages(connection, [row])
        return message

    async def list_data_grants(self, request: pb.ListDataGrantsRequest, call: Call) -> pb.ListDataGrantsResponse:
        """Lists grants, newest first."""
        parts = self._parts
        scopes = [Scope(each) for each in participant(call.actor, parts.home).seen()]
        async with parts.database.read() as connection:
            shown, token = await LISTED.page(connection, parts.pages, request, scopes)
            return pb.ListDataGrantsResponse(data_grants=await self._messages(connection, shown), next_page_token=token)

    async def _messages(self, connection: DatabaseConnection, found: list[Grant]) -> list[messages.DataGrant]:
        if not found:
            return []
        used, now = await usage_of(connection, found), self._parts.clock.now()
        entries = await ENTRIES.all(connection, ids=list({each.resource_id for each in found}))
        behind = {each.id: each for each in entries}
        return [grant_message(each, used[each.id], behind[each.resource_id], now) for each in found]
