"""Whose things a caller may see: people their own, the office and the region's machines what their permissions say.

What is somebody else's does not exist for people: they get the same answer as for a name that was never given out.
"""

from collections.abc import Iterable

from libs.access.actor import Actor, Standing
from libs.errors import PermissionDenied, not_found, reasons

OFFICIAL = (Standing.OFFICE, Standing.CLIENT, Standing.SERVICE)
"""Who may see other people's things at all, within their permissions."""


def require_official(actor: Actor) -> None:
    """Raises PermissionDenied ACTOR_NOT_ALLOWED unless staff in office, or a machine of this region, ask."""
    if actor.standing not in OFFICIAL:
        raise speaks_for_nobody(actor)


def whose(actor: Actor) -> str | None:
    """Returns the one person whose things the caller may see; None for staff in office and the region's own machines.

    None is "of everybody", which the permission alone then limits. Nobody gets it by having no subject.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED for everybody else.
    """
    if not actor.person:
        require_official(actor)
    return actor.person or None


def speaks_for_nobody(actor: Actor) -> PermissionDenied:
    """Builds the error for a caller of no standing here."""
    return reasons.actor_not_allowed("the caller speaks for nobody here", actor_kind=actor.kind)


def listed_owners(actor: Actor, asked: str) -> tuple[str, ...]:
    """Returns whose things a list is to show, by all names of theirs; none for everybody's, which officials alone may ask for.

    Args:
        actor: who asks.
        asked: the owner that the request names, or an empty string.

    Raises:
        PermissionDenied: NOT_OWNER where people ask for somebody else's, ACTOR_NOT_ALLOWED for who speaks for nobody.
    """
    if actor.standing in OFFICIAL:
        return (asked,) if asked else ()
    if actor.standing is not Standing.PERSON:
        raise speaks_for_nobody(actor)
    owner = asked or actor.organization or actor.subject
    if owner not in actor.speaks_for:
        raise reasons.not_owner("people list only what is their own")
    return tuple(sorted(actor.known_as(owner) or {owner}))


def hide_from_others(actor: Actor, name: str, owners: Iterable[str]) -> None:
    """Raises NotFound RESOURCE_NOT_FOUND where people ask for a thing that neither they nor whom they act for own."""
    if actor.standing is Standing.PERSON and actor.speaks_for.isdisjoint(owners):
        raise not_found(name)
