"""Which permissions come with which role: what the contracts say (``holders``), in the words that tokens carry.

A token carries patterns: a permission ``<service>.<resources>.<verb>``, or ``.*`` for all of a family. Who crosses borders
and counters holds permission by permission, since rights narrow there by what both sides hold (``_ONE_BY_ONE``). The
others' patterns stand for families that they hold whole, which keeps tokens short, and lets what they give be asked for
by family.
"""

from collections.abc import Iterable
from types import MappingProxyType

from libs.access.rights import HELD, PERMISSIONS, READING
from libs.access.rights import SERVICES as _SERVICES
from libs.errors import reasons

_ONE_BY_ONE = frozenset({"RECEIVING", "REVIEWING", "DECIDING"})


def _family(permission: str) -> str:
    return permission.rpartition(".")[0]


def _service(permission: str) -> str:
    return permission.partition(".")[0]


def _members(prefix: str) -> frozenset[str]:
    return frozenset(each for each in PERMISSIONS if each.startswith(f"{prefix}."))


def families(held: frozenset[str]) -> frozenset[str]:
    """Returns the patterns that stand for exactly ``held`` of the permissions that contracts declare."""
    return frozenset(_pattern(permission, held) for permission in held)


def _pattern(permission: str, held: frozenset[str]) -> str:
    service, family = _service(permission), _family(permission)
    if len(_members(family)) < len(_members(service)) and _members(service) <= held:
        return f"{service}.*"
    return f"{family}.*" if len(_members(family)) > 1 and _members(family) <= held else permission


PERSON = tuple(sorted(HELD["PERSON"]))
"""What a person may do in their own affairs, or in those of whom they act for; a guest of another region too."""

ASSISTED_PERSON = tuple(sorted(HELD["PERSON"] | HELD["WINDOW"]))
"""What is done for a person at a window, with the staff in claim ``act``."""

STAFF = tuple(sorted(HELD["STAFF"]))
"""What every member of staff may do, whatever their posts."""

REGION = tuple(sorted(HELD["REGION"]))
"""What the services and the staff of another region may do here."""

ADMINISTRATOR = tuple(sorted(families(HELD["ADMINISTRATION"] | HELD["ADMINISTRATOR"])))
"""What the client of the first start holds. The contracts keep machines from accepting, reviewing and deciding cases."""

SERVICES = MappingProxyType(
    {service: tuple(sorted(families(HELD[f"{service.upper()}_SERVICE"]))) for service in sorted(_SERVICES)}
)
"""What the region's own services may do by tokens of their own."""


def of_duties(duties: Iterable[str]) -> tuple[str, ...]:
    """Returns the patterns of staff with ``duties`` (Duty without its prefix), sorted; none for staff without any."""
    return tuple(sorted(frozenset[str]().union(*(_of_duty(duty) for duty in duties))))


def _of_duty(duty: str) -> frozenset[str]:
    held = HELD["STAFF"] | HELD[duty]
    return held if duty in _ONE_BY_ONE else families(held)


def of_service(service: str) -> tuple[str, ...]:
    """Returns the patterns of a service of the region; raises PermissionDenied PEER_NOT_ALLOWED for an unknown one."""
    if service not in SERVICES:
        raise reasons.peer_not_allowed("this system is no service of the region")
    return SERVICES[service]


def of_guest(actor_kind: str, *, reads_only: bool = False) -> tuple[str, ...]:
    """Returns the permissions of somebody of another region.

    Args:
        actor_kind: what they are here: PERSON or REGION.
        reads_only: whether the trust in their region lets only reads pass.
    """
    held = PERSON if actor_kind == "PERSON" else REGION
    return tuple(each for each in held if each in READING) if reads_only else held
