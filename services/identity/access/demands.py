"""What their client adds to what the RPC asks for: a key, signatures, addresses, and how much it may call in all."""

from functools import partial

from libs.access import addresses
from libs.access.actor import Actor
from libs.rpc.quotas import ClientQuotas
from services.identity.access.findings import Findings
from services.identity.core.client_rules import Client
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import access_service_pb2 as pb

_SIGNED = "SIGNED_REQUESTS_REQUIRED"


def tell_demands(client: Client | None, address: str, findings: Findings) -> None:
    """Tells what a client's terms demand of each call; where it comes from is judged where ``address`` says it."""
    if client is None:
        return
    source = (client.name,)
    if client.sender_constraint:
        findings.holds(
            pb.ACCESS_RULE_SENDER_CONSTRAINT, required=f"SENDER_CONSTRAINT_{client.sender_constraint}", sources=source
        )
    if client.signs:
        findings.holds(pb.ACCESS_RULE_SIGNATURE, required=_SIGNED, sources=source)
    if client.ip_ranges:
        held = partial(addresses.require, client.ip_ranges, client.id, address) if address else lambda: None
        findings.ask(pb.ACCESS_RULE_ADDRESS, held, required=" ".join(client.ip_ranges), actual=address, sources=source)


async def tell_quota(quotas: ClientQuotas, actor: Actor, client: Client | None, findings: Findings) -> None:
    """Tells the quota that is counted, and what of it is spent; the region's default has no source."""
    if client is None or not actor.quota:
        return
    per_second, per_day = actor.quota
    spent = await quotas.spent(client.id)
    required = _counted(per_second, per_day)
    sources = (client.name,) if client.quota else ()
    # A second is over before anybody reads of it: what refuses for longer is the day.
    if spent is not None and 0 < per_day <= spent[1]:
        findings.all.append(
            pb.AccessFinding(
                rule=pb.ACCESS_RULE_QUOTA,
                reason=error_reason_pb2.ERROR_REASON_RATE_LIMITED,
                required=required,
                actual=_counted(*spent),
                sources=sources,
            )
        )
        return
    findings.holds(pb.ACCESS_RULE_QUOTA, required=required, actual=_counted(*spent) if spent else "", sources=sources)


def _counted(second: int, day: int) -> str:
    return f"per_second={second} per_day={day}"
