"""Who follows what changes in sharing: entries, requests and grants show to whom their Get shows them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.access.actor import Actor
from libs.db.engine import Database
from libs.db.query import Query
from libs.events.change_api import Followed
from services.sharing.core.grants import Grant
from services.sharing.core.participants import Participant, participant
from services.sharing.core.resources import CatalogueResource
from services.sharing.requests.store import DataRequest

_ENTRIES = Query(CatalogueResource, "SELECT {columns} FROM resources WHERE id = ANY(CAST(:ids AS uuid[]))")
_REQUESTS = Query(DataRequest, "SELECT {columns} FROM requests WHERE id = ANY(CAST(:ids AS uuid[]))")
_GRANTS = Query(Grant, "SELECT {columns} FROM grants WHERE id = ANY(CAST(:ids AS uuid[]))")


@dataclass(frozen=True, slots=True)
class FollowedRows:
    """Tells which things of one kind a caller may follow.

    Attributes:
        database: where they are.
        home: this region's id.
        query: reads them by their ids.
        shown: whether one is shown to a caller.
    """

    database: Database
    home: str
    query: Query[Any]
    shown: Callable[[Participant, Any], bool]

    async def sees(self, actor: Actor, names: Sequence[str]) -> Collection[str]:
        """Returns those of these names that the caller may know of."""
        caller = participant(actor, self.home)
        async with self.database.read() as connection:
            rows = await self.query.all(connection, ids=[name.rpartition("/")[2] for name in names])
        return {row.name for row in rows if self.shown(caller, row)}


def followed(database: Database, home: str) -> Mapping[str, Followed]:
    """Returns the rules of this service, by collection."""
    entries = FollowedRows(database, home, _ENTRIES, lambda caller, row: row.is_seen_by(caller))
    requests = FollowedRows(database, home, _REQUESTS, Participant.sees)
    grants = FollowedRows(database, home, _GRANTS, Participant.sees)
    return {
        "dataResources": Followed("sharing.dataResources.get", entries.sees),
        "dataRequests": Followed("sharing.dataRequests.get", requests.sees),
        "dataGrants": Followed("sharing.dataGrants.get", grants.sees),
    }
