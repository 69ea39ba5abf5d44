"""Organisations as messages."""

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.identity.core.accounts import Organization
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import resources_pb2 as pb

KINDS = Names(party_pb2.PartyKind)
_STATES = Names(pb.OrganizationState)


def organization_message(row: Organization) -> pb.Organization:
    """Builds an organisation's message."""
    return pb.Organization(
        name=row.name,
        display_name=row.display_name,
        uscc=row.uscc,
        kind=KINDS.number(row.kind),
        legal_representative=row.representative,
        legal_representative_time=timestamp(row.legal_representative_time),
        state=_STATES.number(row.state),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
