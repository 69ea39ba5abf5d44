"""Identity providers as messages, and back."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.identity.core.assurance_names import AssuranceName, AssuranceNames
from services.identity.upstream.links import AccountLink
from services.identity.upstream.rules import FULL_NAME, Upstream, UpstreamState, check_words
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import sign_in_service_pb2 as pb

_STATES = Names(pb.UpstreamState)
_LINK_STATES = Names(pb.AccountLinkState)


def new_upstream(asked: pb.Upstream, backers: tuple[str, ...], now: datetime) -> Upstream:
    """Returns the identity provider that a request describes; raises InvalidArgument FIELD_INVALID."""
    words = tuple(AssuranceName(each.value, each.assurance) for each in asked.assurance_names)
    check_words(words)
    return Upstream(
        id=uuid7(),
        display_name=asked.display_name,
        display_name_en=asked.display_name_en,
        issuer=asked.issuer,
        client_id=asked.client_id,
        scopes=tuple(each for each in asked.scopes if each != "openid"),
        number_claim=asked.number_claim,
        full_name_claim=asked.full_name_claim or FULL_NAME,
        levels=AssuranceNames(words).to_texts(),
        max_assurance=asked.max_assurance,
        state=UpstreamState.PROPOSED,
        create_time=now,
        update_time=now,
        backers=backers,
    )


def upstream_message(row: Upstream) -> pb.Upstream:
    """Builds an identity provider's message."""
    return pb.Upstream(
        name=row.name,
        display_name=row.display_name,
        display_name_en=row.display_name_en,
        issuer=row.issuer,
        client_id=row.client_id,
        scopes=row.scopes,
        number_claim=row.number_claim,
        full_name_claim=row.full_name_claim,
        assurance_names=[resources.AssuranceName(value=each.value, assurance=each.assurance) for each in row.words],
        max_assurance=row.max_assurance,
        state=_STATES.number(row.state.value),
        approvals=len(row.backers) if row.state is UpstreamState.PROPOSED else 0,
        end_reason=row.end_reason,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def link_message(row: AccountLink, called: str) -> pb.AccountLink:
    """Builds the message of a link; ``called`` is what its identity provider is called."""
    return pb.AccountLink(
        name=row.name,
        upstream=f"upstreams/{row.upstream}",
        upstream_display_name=called,
        state=_LINK_STATES.number(row.state.value),
        last_use_time=timestamp(row.last_use_time),
        create_time=timestamp(row.create_time),
        etag=etag_of(row.version),
    )
