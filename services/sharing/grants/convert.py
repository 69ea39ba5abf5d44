"""Grants as messages."""

from datetime import datetime

from libs.civil.calendar import local_day
from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.sharing.core.granting import state_at
from services.sharing.core.grants import Grant, GrantUsage
from services.sharing.core.resources import CatalogueResource
from tongban.sharing.v1 import resources_pb2 as pb

GRANT_STATES = Names(pb.DataGrantState)


def grant_message(row: Grant, used: GrantUsage, behind: CatalogueResource, now: datetime) -> pb.DataGrant:
    """Builds a grant's message with what was used of it, in the state that holds at ``now``."""
    usage = used.on(local_day(now))
    return pb.DataGrant(
        name=row.name,
        state=GRANT_STATES.number(state_at(row.facts(behind.facts), now).value),
        resource=row.resource,
        request=f"dataRequests/{row.request_id}",
        legal_basis=row.legal_basis,
        terms=pb.GrantTerms.FromString(row.terms),
        queries_today=usage.queries_today,
        rows_total=usage.rows_total,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
