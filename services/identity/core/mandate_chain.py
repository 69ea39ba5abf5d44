"""Mandates that are passed on (转委托): what one may do follows from all of its chain, whenever it is used.

Nothing of a parent is copied into what comes from it. A chain has at most two links: what was passed on is not passed on again.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from libs.errors import invalid_field, reasons
from services.identity.core.mandate_rules import (
    Mandate,
    MandateScope,
    MandateState,
    check_acting,
    check_agent,
    check_holds,
)

MOST_PASSED_ON = 200
"""So many mandates that hold, or may come to, come from one: all of them end with it, in one transaction."""


@dataclass(frozen=True, slots=True)
class MandateChain:
    """A mandate, and the one that it was passed on from.

    Attributes:
        mandate: that under which somebody acts.
        parent: where it comes from; None where the principal gave it.
    """

    mandate: Mandate
    parent: Mandate | None = None

    @property
    def links(self) -> tuple[Mandate, ...]:
        """The mandate and what it comes from, the principal's own last."""
        return (self.mandate, self.parent) if self.parent else (self.mandate,)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its links."""
        return tuple(each.name for each in self.links)

    @property
    def counted(self) -> tuple[Mandate, ...]:
        """The links of which each use counts, in the order in which they are locked."""
        return tuple(sorted((each for each in self.links if each.max_uses), key=lambda each: each.id))

    @property
    def scope(self) -> MandateScope:
        """What all of its links cover."""
        return self.mandate.scope.both(self.parent.scope) if self.parent else self.mandate.scope

    @property
    def expire_time(self) -> datetime:
        """When the first of its links ends."""
        return min(each.expire_time for each in self.links)

    @property
    def regions(self) -> AbstractSet[str] | None:
        """The other regions where all of its links may be used; None where none is limited."""
        limits = [each.regions for each in self.links if each.regions is not None]
        return frozenset.intersection(*limits) if limits else None

    def check(self, *, person: str, principal: str, now: datetime) -> None:
        """Checks that ``person`` may act for ``principal`` under it, on whatever item.

        Raises:
            PermissionDenied: MANDATE_WRONG_AGENT, MANDATE_WRONG_PRINCIPAL, MANDATE_NOT_ACTIVE, of whichever link.
        """
        child, parent = self.mandate, self.parent
        check_acting(child, person=person, principal=principal, now=now)
        if child.parent != (parent.name if parent else ""):
            raise reasons.mandate_not_active("its chain is broken", mandate=child.name, state=child.state)
        if parent is not None:
            _check_link(child, parent, principal, now)

    def check_region(self, region: str) -> None:
        """Raises PermissionDenied MANDATE_NOT_FOR_REGION where it may not be used in another region, named by its id."""
        if self.regions is not None and region not in self.regions:
            raise reasons.mandate_not_for_region("it may not be used there", mandate=self.mandate.name, region=region)


def _check_link(child: Mandate, parent: Mandate, principal: str, now: datetime) -> None:
    """Checks that what ``child`` was passed on from still bears it."""
    check_acting(parent, person=child.granter, principal=principal, now=now)
    if parent.parent or not parent.sub_delegable:
        raise reasons.mandate_not_active("it was passed on by nobody who may", mandate=child.name, state=child.state)


def check_passing_on(draft: Mandate, parent: Mandate, given: int, now: datetime) -> None:
    """Checks that the agent of ``parent``, who gives ``draft``, may pass that much of it on.

    Args:
        draft: what is to be given; its granter is who gives it.
        parent: what it comes from.
        given: how many that hold, or may come to, were passed on from it.
        now: the business time.

    Raises:
        PermissionDenied: MANDATE_WRONG_AGENT, MANDATE_NOT_ACTIVE.
        InvalidArgument: FIELD_INVALID.
    """
    check_agent(parent, draft.granter)
    if parent.principal != draft.principal:
        raise invalid_field("mandate.principal", "mandate.parent", "must be the parent's")
    _check_open(parent, now)
    if parent.parent or not parent.sub_delegable:
        raise invalid_field("mandate.parent", "mandate.sub_delegable", "may not be passed on")
    if draft.sub_delegable:
        raise invalid_field("mandate.sub_delegable", "mandate.depth", "what is passed on may not be passed on again")
    if draft.agent == draft.granter:
        raise invalid_field("mandate.agent", "mandate.self", "must be another than the parent's agent")
    _check_within(draft, parent)
    if given >= MOST_PASSED_ON:
        raise invalid_field("mandate.parent", "mandate.passed_on", f"was passed on {MOST_PASSED_ON} times already")


def _check_open(parent: Mandate, now: datetime) -> None:
    """A parent may begin later, as what comes from it may."""
    if parent.state_at(now) is not MandateState.ACTIVE:
        check_holds(parent, now)


def _check_within(draft: Mandate, parent: Mandate) -> None:
    if not draft.scope.within(parent.scope):
        raise invalid_field("mandate.scope", "mandate.within", "must lie within the parent's")
    if draft.begin_time < parent.begin_time:
        raise invalid_field("mandate.start_time", "mandate.within", "must not be before the parent's")
    if draft.expire_time > parent.expire_time:
        raise invalid_field("mandate.end_time", "mandate.within", "must not be after the parent's")
    if parent.regions is not None and (draft.regions is None or not draft.regions <= parent.regions):
        raise invalid_field("mandate.limits", "mandate.within", "must lie within the parent's")
