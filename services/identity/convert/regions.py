"""Regions as messages."""

from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.identity.domain.regions import Direction
from services.identity.tokens.jwk import jwks_message
from tongban.identity.v1 import resources_pb2 as pb

_DIRECTIONS = {
    pb.TRUST_DIRECTION_INBOUND: Direction.INBOUND,
    pb.TRUST_DIRECTION_OUTBOUND: Direction.OUTBOUND,
    pb.TRUST_DIRECTION_BOTH: Direction.BOTH,
}


def direction_of(value: pb.TrustDirection.ValueType) -> Direction:
    """Returns the domain's word for a direction."""
    return _DIRECTIONS[value]


_VALUES = {"": pb.TRUST_DIRECTION_UNSPECIFIED} | {str(way.name): value for value, way in _DIRECTIONS.items()}


def state_value(state: str) -> pb.RegionState.ValueType:
    """Returns the contract's word for a state."""
    return pb.RegionState.Value(f"REGION_STATE_{state}")


def region_message(row: Row) -> pb.Region:
    """Builds a region's message."""
    anchor = pb.RegionAnchor(
        gateway_url=row.gateway_url,
        issuer=row.issuer,
        jwks=jwks_message(row.jwks),
        root_certificate=row.root_certificate,
        tls_authorities=row.tls_authorities,
    )
    return pb.Region(
        pending_anchor=pb.RegionAnchor.FromString(row.pending) if row.pending else None,
        approvals=len(row.backers),
        name=f"regions/{row.id}",
        display_name=row.display_name,
        anchor=anchor,
        max_assurance=row.max_assurance,
        resuming=_VALUES[row.resuming],
        state=state_value(row.state),
        state_reason=row.state_reason,
        activate_time=timestamp(row.activate_time),
        state_time=timestamp(row.state_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
