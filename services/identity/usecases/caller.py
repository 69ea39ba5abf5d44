"""Who asks: a person, by themselves or at a window; staff in office; a machine."""

from libs.access.actor import Actor, Standing
from libs.errors import reasons

_OFFICIAL = (Standing.OFFICE, Standing.CLIENT, Standing.SERVICE)


def whose(principal: Actor) -> str | None:
    """Returns the one person whose things the caller may see; None for staff in office and the region's own machines.

    None is "of everybody", which the permission alone then limits. Nobody gets it by having no subject.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED for everybody else.
    """
    if principal.person:
        return principal.person
    if principal.standing in _OFFICIAL:
        return None
    raise reasons.actor_not_allowed("the caller speaks for no person", actor_kind=principal.kind)


def local_name(name: str, region: str) -> str:
    """Returns a resource name as this region writes it: its own without ``//<region>/``."""
    return name.removeprefix(f"//{region}/")


def region_of(name: str) -> str:
    """Returns the code of the region that a foreign name belongs to; empty for a name of our own."""
    return name[2:8] if name.startswith("//") else ""
