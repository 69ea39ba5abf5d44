"""Mandates as messages, and back."""

from datetime import datetime

from libs.db.etag import etag_of
from libs.errors import invalid_field
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.core.mandate_rules import Mandate, MandateKind, MandatePower
from tongban.identity.v1 import mandate_service_pb2
from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

STATES, BASES = Names(pb.MandateState), Names(mandate_service_pb2.ActingBasis)
KINDS = Names(pb.MandateKind)
_POWERS = Names(options_pb2.MandatePower)


def power_of(value: options_pb2.MandatePower.ValueType) -> MandatePower:
    """Returns what the rules call a power."""
    return MandatePower(_POWERS.name(value))


def kind_of(draft: pb.Mandate) -> MandateKind | None:
    """Returns the kind that a request asks for; None where it says nothing of it."""
    name = KINDS.name(draft.kind)
    return MandateKind(name) if name else None


def _regions(draft: pb.Mandate) -> frozenset[str] | None:
    """Returns the regions to which a request limits the mandate, None where it does not; raises FIELD_INVALID."""
    given = [each.WhichOneof("limit") for each in draft.limits]
    if len(set(given)) < len(given):
        raise invalid_field("mandate.limits", "mandate.limit_once", "holds each kind of limit at most once")
    return frozenset(draft.limits[0].regions.regions) if given else None


def new_mandate(draft: pb.Mandate, agent: str, granter: str, now: datetime) -> Mandate:
    """Returns the mandate that a request describes, as it is before the rules have seen it."""
    return Mandate(
        id=uuid7(),
        principal=draft.principal,
        agent=agent,
        all_items=draft.scope.all_items,
        item_codes=tuple(draft.scope.item_codes),
        powers=tuple(map(power_of, draft.scope.powers)),
        begin_time=moment_of(draft.start_time, "mandate.start_time") if draft.HasField("start_time") else now,
        expire_time=moment_of(draft.end_time, "mandate.end_time"),
        acceptance_required=draft.acceptance_required,
        granter=granter,
        create_time=now,
        update_time=now,
        sub_delegable=draft.sub_delegable,
        parent=draft.parent,
        regions=_regions(draft),
        evidence=draft.evidence,
        max_uses=draft.max_uses,
    )


def mandate_message(row: Mandate, now: datetime) -> pb.Mandate:
    """Builds a mandate's message with the state that it has at ``now``."""
    return pb.Mandate(
        name=row.name,
        principal=row.principal,
        agent=row.agent,
        scope=pb.MandateScope(
            all_items=row.all_items,
            item_codes=row.item_codes,
            powers=[_POWERS.number(power.value) for power in row.powers],
        ),
        start_time=timestamp(row.begin_time),
        end_time=timestamp(row.expire_time),
        acceptance_required=row.acceptance_required,
        granter=row.granter,
        state=STATES.number(row.state_at(now).value),
        accept_time=timestamp(row.accept_time),
        revoke_time=timestamp(row.revoke_time),
        revoke_reason=row.revoke_reason,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
        kind=KINDS.number(row.kind.value),
        sub_delegable=row.sub_delegable,
        parent=row.parent,
        limits=_limits(row),
        evidence=row.evidence,
        witnesses=row.witnesses,
        max_uses=row.max_uses,
        uses=row.uses,
    )


def _limits(row: Mandate) -> list[pb.MandateLimit]:
    if row.regions is None:
        return []
    return [pb.MandateLimit(regions=pb.MandateRegions(regions=sorted(row.regions)))]
