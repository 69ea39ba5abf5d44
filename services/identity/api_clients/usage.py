"""What a client is told of its own use (用量): how much of its quota is taken, which credentials end when, what to see to."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from libs.civil.calendar import local_day
from libs.rpc.messages import date_message, timestamp
from libs.rpc.quotas import DayUse, next_day
from services.identity.api_clients.convert import STATES
from services.identity.core.client_certificates import ClientCertificate
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


def usage_message(row: Client, used: DayUse | None, now: datetime, default: tuple[int, ...] = ()) -> pb.Usage:
    """Builds the message as things stand at ``now`` by the machine's clock.

    Args:
        row: the client.
        used: what is counted; None where nothing is.
        now: the time.
        default: the region's quota, a second and a day, of clients whose contract names none; empty where there is none.
    """
    per_second, per_day = row.quota_or(default) or (0, 0)
    return pb.Usage(
        name=usage_name(row.name),
        client_state=STATES.number(row.state_at(now).value),
        scopes=row.scopes,
        quota=pb.ClientQuota(per_second=per_second, per_day=per_day),
        count_date=date_message(local_day(now)),
        reset_time=timestamp(next_day(now)),
        calls=used.calls if used else None,
        refused_calls=used.refused if used else None,
        credentials=_credentials(row, now),
        rotate_time=timestamp(row.rotate_time or row.create_time),
        expire_time=timestamp(row.expire_time),
        warnings=_warnings(row, used, per_day, now),
    )


def _credentials(row: Client, now: datetime) -> Iterator[pb.UsageCredential]:
    yield from _told(row.jwks, row.secret_mac, row.certificates, [row.expire_time])
    if row.overlaps(now):
        ends = [row.overlap_expire_time, row.expire_time]
        yield from _told(row.old_jwks, row.old_secret_mac, row.old_certificates, ends, replaced=True)


def _told(
    keys: Keys | None,
    secret_mac: bytes | None,
    certificates: Sequence[ClientCertificate],
    ends: Sequence[datetime | None],
    *,
    replaced: bool = False,
) -> Iterator[pb.UsageCredential]:
    """Credentials of one rotation, which end with the first of ``ends``; of a secret it is told that there is one."""
    end = timestamp(_first(ends))
    for kid in [*(each.get("kid", "") for each in keys or ()), *([""] if secret_mac else [])]:
        yield pb.UsageCredential(kid=kid, replaced=replaced, end_time=end)
    for each in certificates:
        own = timestamp(_first([*ends, each.not_after]))
        yield pb.UsageCredential(thumbprint=each.thumbprint, replaced=replaced, end_time=own)


def _first(ends: Sequence[datetime | None]) -> datetime | None:
    return min((each for each in ends if each is not None), default=None)


def _warnings(row: Client, used: DayUse | None, per_day: int, now: datetime) -> list[pb.UsageWarning.ValueType]:
    """What whoever runs the client must see to."""
    (part, whole), notice = _NEARLY, timedelta(days=max(NOTICE_DAYS))
    found = {
        pb.USAGE_WARNING_EXPIRING: row.expire_time is not None and row.expire_time - now <= notice,
        pb.USAGE_WARNING_OLD_CREDENTIALS: row.overlaps(now),
        pb.USAGE_WARNING_DAY_NEARLY_USED: used is not None and 0 < per_day * part <= used.calls * whole,
        pb.USAGE_WARNING_CERTIFICATE_EXPIRING: any(each.not_after - now <= notice for each in row.certificates),
    }
    return [warning for warning, holds in found.items() if holds]
