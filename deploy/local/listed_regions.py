"""The trust list for people: where the trust stands each way, and what waits for a second human being."""

from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

_NEEDED = 2


def lines_of(region: pb.Region) -> list[str]:
    """Returns a region of the list as lines."""
    state = _plain(pb.RegionState.Name(region.state), "REGION_STATE_")
    said = [("from there", _way(region.inbound)), ("to there", _way(region.outbound)), ("waits", _waits(region))]
    return [
        f"{region.name.removeprefix('regions/')} {region.display_name}: {state}",
        *(f"  {name:12}{value}" for name, value in said if value),
    ]


def _plain(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


def _way(way: pb.RegionTrust) -> str:
    kinds = [_plain(options_pb2.ActorKind.Name(each), "ACTOR_KIND_") for each in way.actor_kinds] or ["all"]
    state = _plain(pb.TrustState.Name(way.state), "TRUST_STATE_")
    reading = "reads only; " if way.grade == pb.TRUST_GRADE_READING else ""
    return f"{state} ({reading}{', '.join(kinds)}; assurance {way.min_assurance} to {way.max_assurance})"


def _waits(region: pb.Region) -> str:
    behind = f"{region.approvals} of {_NEEDED} people"
    if region.state == pb.REGION_STATE_PROPOSED:
        return f"the trust: {behind}"
    if region.HasField("pending_anchor"):
        return f"new keys: {behind}"
    ways = [_plain(pb.TrustDirection.Name(each), "TRUST_DIRECTION_") for each in region.resuming]
    more = ", with changes" if region.resuming_changes else ""
    return f"to resume {' and '.join(ways)}{more}: 1 of {_NEEDED} people" if ways else ""
