"""Reading grants, with what was used of them."""

from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db import paging
from libs.db.engine import Row
from libs.errors import not_found
from services.sharing.caller import calling, key_of
from services.sharing.convert import grant_message, stored_entry
from services.sharing.store.grants import GrantStore, Wanted
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


class Grants:
    """Use cases of GrantService that have to do with grants."""

    def __init__(self, store: GrantStore, clock: Clock, home: str) -> None:
        self._store = store
        self._clock = clock
        self._home = home

    async def get(self, request: pb.GetGrantRequest) -> messages.Grant:
        """Reads a grant."""
        row = await self._store.grant(key_of(request.name))
        if not calling(self._home).sees(row):
            raise not_found(request.name)
        return self._message(row)

    async def list(self, request: pb.ListGrantsRequest) -> pb.ListGrantsResponse:
        """Lists grants, newest first."""
        position = paging.position(request, request.page_token)
        wanted = Wanted(
            resource_key=key_of(request.resource) if request.resource else "",
            department=request.department,
            consumer_region=request.consumer_region,
        )
        size, before = paging.page_size(request.page_size), str(position[0]) if position else ""
        found = await self._store.list_grants(calling(self._home), wanted, before, size + 1)
        return pb.ListGrantsResponse(
            grants=[self._message(row) for row in found[:size]],
            next_page_token=paging.next_token(request, found[size - 1].id) if len(found) > size else "",
        )

    def _message(self, row: Row) -> messages.Grant:
        now = self._clock.now()
        return grant_message(row, stored_entry(row), now, local_day(now))
