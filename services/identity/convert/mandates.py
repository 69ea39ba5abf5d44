"""Mandates between rows, the domain and messages."""

from datetime import datetime

from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.rpc.timestamps import timestamp
from services.identity.domain.mandates import Mandate, Power, Scope, State
from tongban.identity.v1 import resources_pb2 as pb

_POWER = "MANDATE_POWER_"


def power_of(value: pb.MandatePower.ValueType) -> Power:
    """Returns the domain's word for a power."""
    return Power(pb.MandatePower.Name(value).removeprefix(_POWER))


def scope_of(message: pb.MandateScope) -> Scope:
    """Reads a scope from a request."""
    return Scope(frozenset(map(power_of, message.powers)), frozenset(message.item_codes), message.all_items)


def mandate_of(row: Row) -> Mandate:
    """Reads a mandate from its row."""
    return Mandate(
        name=f"mandates/{row.id}",
        principal=row.principal,
        agent=row.agent,
        scope=Scope(frozenset(map(Power, row.powers)), frozenset(row.item_codes), row.all_items),
        begin=row.begin_time,
        expire=row.expire_time,
        stored_state=State(row.state),
        accept_time=row.accept_time,
        revoke_time=row.revoke_time,
        revoke_reason=row.revoke_reason,
    )


def mandate_message(row: Row, now: datetime) -> pb.Mandate:
    """Builds a mandate's message with the state that it has at ``now``."""
    return pb.Mandate(
        name=f"mandates/{row.id}",
        principal=row.principal,
        agent=row.agent,
        scope=pb.MandateScope(
            all_items=row.all_items,
            item_codes=row.item_codes,
            powers=[pb.MandatePower.Value(f"{_POWER}{power}") for power in row.powers],
        ),
        begin_time=timestamp(row.begin_time),
        expire_time=timestamp(row.expire_time),
        acceptance_required=row.acceptance_required,
        granter=row.granter,
        state=pb.MandateState.Value(f"MANDATE_STATE_{mandate_of(row).state_at(now)}"),
        accept_time=timestamp(row.accept_time),
        revoke_time=timestamp(row.revoke_time),
        revoke_reason=row.revoke_reason,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
