"""What a client is told of its own use (用量): how much of its quota is taken, which credentials end when, what to see to."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from libs.civil.calendar import local_day
from libs.rpc.messages import date_message, timestamp
from libs.rpc.quotas import DayUse, next_day
from services.identity.api_clients.convert import STATES
from services.identity.core.client_rules import NOTICE_DAYS, Client, Keys
from tongban.identity.v1 import resources_pb2 as pb

_NEARLY = (4, 5)
"""The part of the day's quota from which on its client is warned: four fifths."""


def usage_name(client: str) -> str:
    """Returns the name of the use of ``clients/<id>``."""
    return f"{client}/usage"


def client_of(usage: str) -> str:
    """Returns the client whose use has this name."""
    return usage.removesuffix("/usage")


def usage_message(row: Client, used: DayUse | None, now: datetime) -> pb.Usage:
    """Builds the message as things stand at ``now`` by the machine's clock; ``used`` is None where nothing is counted."""
    return pb.Usage(
        name=usage_name(row.name),
        client_state=STATES.number(row.state_at(now).value),
        scopes=row.scopes,
        quota=pb.ClientQuota(per_second=row.quota_per_second, per_day=row.quota_per_day),
        count_date=date_message(local_day(now)),
        reset_time=timestamp(next_day(now)),
        calls=used.calls if used else None,
        refused_calls=used.refused if used else None,
        credentials=_credentials(row, now),
        rotate_time=timestamp(row.rotate_time or row.create_time),
        expire_time=timestamp(row.expire_time),
        warnings=warnings_of(row, used, now),
    )


def _credentials(row: Client, now: datetime) -> Iterator[pb.UsageCredential]:
    for kid in _kids(row.jwks, row.secret_mac):
        yield pb.UsageCredential(kid=kid, end_time=timestamp(row.expire_time))
    if row.overlaps(now):
        ends = [each for each in (row.overlap_expire_time, row.expire_time) if each is not None]
        for kid in _kids(row.old_jwks, row.old_secret_mac):
            yield pb.UsageCredential(kid=kid, replaced=True, end_time=timestamp(min(ends)))


def _kids(keys: Keys | None, secret_mac: bytes | None) -> list[str]:
    """The names of keys; of a secret one without a name."""
    return [each.get("kid", "") for each in keys or ()] + ([""] if secret_mac else [])


def warnings_of(row: Client, used: DayUse | None, now: datetime) -> list[pb.UsageWarning.ValueType]:
    """Returns what whoever runs the client must see to."""
    part, whole = _NEARLY
    found = {
        pb.USAGE_WARNING_EXPIRING: row.expire_time is not None
        and row.expire_time - now <= timedelta(days=max(NOTICE_DAYS)),
        pb.USAGE_WARNING_OLD_CREDENTIALS: row.overlaps(now),
        pb.USAGE_WARNING_DAY_NEARLY_USED: used is not None and 0 < row.quota_per_day * part <= used.calls * whole,
    }
    return [warning for warning, holds in found.items() if holds]
