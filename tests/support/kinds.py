"""A caller of each kind that contracts tell apart, as their access tokens would say it."""

from types import MappingProxyType
from typing import Any

from tongban.options.v1 import options_pb2

PREFIX = "ACTOR_KIND_"
KINDS = tuple(name.removeprefix(PREFIX) for name in options_pb2.ActorKind.keys()[1:])
"""All kinds, without the prefix of the enum."""
CLAIMED = MappingProxyType(
    {kind: kind for kind in KINDS} | {"ASSISTED": "STAFF", "REGION_SERVICE": "REGION", "REGION_STAFF": "REGION"}
)
"""What stands in the claim `actor_kind` of each: who is with them, and where from, stands in other claims."""


def claims_of(kind: str, region: str, someone: str = "00000000-0000-7000-8000-0000000000a1") -> dict[str, Any]:
    """The claims that make a caller one of ``kind``, who is of ``region`` where the kind is another region's."""
    staff, there = f"staff/{someone[:-1]}2", f"//{region}/"
    office = {"dept": f"departments/{someone[:-1]}3", "human": f"persons/{someone[:-1]}4"}
    told: dict[str, dict[str, Any]] = {
        "PERSON": {"sub": f"persons/{someone}"},
        "ASSISTED": {"sub": f"persons/{someone}", "act": {"sub": staff}, **office},
        "STAFF": {"sub": staff, **office},
        "CLIENT": {"sub": "clients/conformance"},
        "SERVICE": {"sub": "services/cases"},
        "REGION_SERVICE": {"sub": f"{there}services/cases", "region": region},
        "REGION_STAFF": {"sub": f"{there}{staff}", "region": region, "human": f"{there}{office['human']}"},
    }
    return told[kind]
