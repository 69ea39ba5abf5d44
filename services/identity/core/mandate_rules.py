"""Mandates: the right of one person to act for a firm or another person, within a scope and between two dates.

What a mandate that was passed on may do is said by its whole chain (`mandate_chain.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import invalid_field, reasons, state_conflict

LONGEST_TERM = timedelta(days=5 * 366)
"""A mandate ends at most so long after it begins."""


class MandateState(StrEnum):
    """The life of a mandate (MandateState of the contract)."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    REQUESTED = "REQUESTED"


OPEN = frozenset({MandateState.PROPOSED, MandateState.ACTIVE, MandateState.REQUESTED})
"""The states of what holds, or may come to."""


class MandateKind(StrEnum):
    """What kind of right it is (MandateKind of the contract)."""

    AGENT = "AGENT"
    HELPER = "HELPER"
    GUARDIAN = "GUARDIAN"


class MandatePower(StrEnum):
    """What an agent may do (MandatePower of the contract)."""

    APPLY = "APPLY"
    PRESENT = "PRESENT"
    COLLECT = "COLLECT"


class ActingBasis(StrEnum):
    """By which right somebody acts (ActingBasis of the contract)."""

    SELF = "SELF"
    LEGAL_REPRESENTATIVE = "LEGAL_REPRESENTATIVE"
    MANDATE = "MANDATE"


@dataclass(frozen=True, slots=True)
class MandateScope:
    """What a mandate covers.

    Attributes:
        powers: what the agent may do.
        item_codes: the items that it is for, compared exactly; empty where ``all_items``.
        all_items: True where it is for every item.
    """

    powers: frozenset[MandatePower]
    item_codes: frozenset[str] = frozenset()
    all_items: bool = False

    def covers(self, item_codes: Collection[str], power: MandatePower) -> bool:
        """Says whether ``power`` on the item that goes by any of ``item_codes`` is covered."""
        return power in self.powers and (self.all_items or not self.item_codes.isdisjoint(item_codes))

    def within(self, other: "MandateScope") -> bool:
        """Says whether everything that this covers is covered by ``other`` too."""
        items = other.all_items or (not self.all_items and self.item_codes <= other.item_codes)
        return items and self.powers <= other.powers

    def both(self, other: "MandateScope") -> "MandateScope":
        """Returns what this and ``other`` cover."""
        powers = self.powers & other.powers
        if self.all_items:
            return replace(other, powers=powers)
        items = self.item_codes if other.all_items else self.item_codes & other.item_codes
        return MandateScope(powers, items)


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate.

    Attributes:
        principal: for whom is acted, `organizations/…` or `persons/…`.
        agent: who acts, `persons/…`, of another region with `//<region>/`.
        begin_time: from when on, inclusive.
        expire_time: until when, exclusive.
        granter: who gave it; empty for a guardian's.
        guardian: whether the agent is the guardian of the principal.
        sub_delegable: whether the agent may pass it on.
        parent: the mandate that it was passed on from, or an empty string.
        regions: the other regions where it may be used; None where that is not limited.
        evidence, witnesses, backers: what shows that a guardian is one, the staff who saw it, and who these are as human
            beings.
        state: what is stored; EXPIRED is never stored, it follows from the time.
        accept_time: when it became ACTIVE.
        max_uses, uses: how often it may be used, 0 for as often as one likes; and how often it was (decision 0084).
    """

    id: str
    principal: str
    agent: str
    all_items: bool
    item_codes: tuple[str, ...]
    powers: tuple[MandatePower, ...]
    begin_time: datetime
    expire_time: datetime
    acceptance_required: bool
    granter: str
    create_time: datetime
    update_time: datetime
    state: MandateState = MandateState.PROPOSED
    accept_time: datetime | None = None
    revoke_time: datetime | None = None
    revoke_reason: str = ""
    version: int = 1
    guardian: bool = False
    sub_delegable: bool = False
    parent: str = ""
    regions: frozenset[str] | None = None
    evidence: str = ""
    witnesses: tuple[str, ...] = ()
    backers: tuple[str, ...] = ()
    max_uses: int = 0
    uses: int = 0

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"mandates/{self.id}"

    @property
    def kind(self) -> MandateKind:
        """What kind of right it is."""
        return MandateKind.GUARDIAN if self.guardian else kind_for(self.principal)

    @property
    def scope(self) -> MandateScope:
        """What it covers by itself."""
        return MandateScope(frozenset(self.powers), frozenset(self.item_codes), self.all_items)

    def state_at(self, now: datetime) -> MandateState:
        """Returns the state at ``now``."""
        over = self.state in OPEN and self.expire_time <= now
        return MandateState.EXPIRED if over else self.state


def kind_for(principal: str) -> MandateKind:
    """Returns the kind of what ``principal`` gives: an organisation has agents, a person helpers."""
    return MandateKind.AGENT if principal.startswith("organizations/") else MandateKind.HELPER


def grant(draft: Mandate, now: datetime) -> Mandate:
    """Checks a new mandate and gives it its first state.

    Raises:
        InvalidArgument: FIELD_INVALID where principal and agent are the same, the term is over, reversed or too long,
            or the scope says both "all items" and some, or none.
    """
    check_draft(draft, now)
    check_length(draft)
    if draft.acceptance_required:
        return replace(draft, state=MandateState.PROPOSED, accept_time=None)
    return replace(draft, state=MandateState.ACTIVE, accept_time=now)


def check_draft(draft: Mandate, now: datetime) -> None:
    """Checks what is asked of every new mandate, whoever gives it; raises InvalidArgument FIELD_INVALID."""
    if draft.agent == draft.principal:
        raise invalid_field("mandate.agent", "mandate.self", "must be another than the principal")
    if draft.expire_time <= max(draft.begin_time, now):
        raise invalid_field("mandate.end_time", "term.order", "must be later than start_time and than now")
    if draft.max_uses and draft.agent.startswith("//"):
        raise invalid_field(
            "mandate.max_uses", "mandate.counted_here", "is counted here: of agents of this region alone"
        )
    if draft.all_items == bool(draft.item_codes):
        raise invalid_field("mandate.scope", "mandate.items", "needs either all_items or item_codes")


def check_length(draft: Mandate) -> None:
    """Raises InvalidArgument FIELD_INVALID where a mandate is for longer than one may be given."""
    if draft.expire_time - draft.begin_time > LONGEST_TERM:
        raise invalid_field("mandate.end_time", "term.length", "must be at most five years after start_time")


def accept(mandate: Mandate, person: str, now: datetime) -> Mandate:
    """Lets the agent accept; raises MANDATE_WRONG_AGENT, or STATE_CONFLICT unless it is PROPOSED."""
    check_agent(mandate, person)
    state = mandate.state_at(now)
    if state is not MandateState.PROPOSED:
        raise state_conflict(mandate.name, state, MandateState.PROPOSED)
    return replace(mandate, state=MandateState.ACTIVE, accept_time=now)


def revoke(mandate: Mandate, reason: str, now: datetime) -> Mandate:
    """Ends the mandate now; raises FailedPrecondition STATE_CONFLICT where it has ended. Who may is checked before."""
    state = mandate.state_at(now)
    if state not in OPEN:
        raise state_conflict(mandate.name, state, MandateState.PROPOSED, MandateState.ACTIVE)
    return replace(mandate, state=MandateState.REVOKED, revoke_time=now, revoke_reason=reason)


def check_acting(mandate: Mandate, *, person: str, principal: str, now: datetime) -> None:
    """Checks that ``person`` may act for ``principal`` under the mandate, on whatever item.

    Raises:
        PermissionDenied: MANDATE_WRONG_AGENT, MANDATE_WRONG_PRINCIPAL, MANDATE_NOT_ACTIVE.
    """
    check_agent(mandate, person)
    if mandate.principal != principal:
        raise reasons.mandate_wrong_principal("the mandate is another principal's", mandate=mandate.name)
    check_holds(mandate, now)


def check_holds(mandate: Mandate, now: datetime) -> None:
    """Raises PermissionDenied MANDATE_NOT_ACTIVE unless the mandate by itself holds at ``now``."""
    state = mandate.state_at(now)
    if state is not MandateState.ACTIVE or now < mandate.begin_time:
        raise reasons.mandate_not_active("the mandate does not hold now", mandate=mandate.name, state=state)


def check_left(mandate: Mandate) -> None:
    """Raises PermissionDenied MANDATE_USED_UP where a mandate was used as often as it may be."""
    if 0 < mandate.max_uses <= mandate.uses:
        raise reasons.mandate_used_up("it was used as often as it may be", mandate=mandate.name)


def check_item(name: str, scope: MandateScope, item_codes: Collection[str], power: MandatePower) -> None:
    """Raises PermissionDenied MANDATE_OUT_OF_SCOPE unless ``scope`` of mandate ``name`` covers the act."""
    if not scope.covers(item_codes, power):
        raise reasons.mandate_out_of_scope(f"the mandate does not cover {power} on this item", mandate=name)


def basis_without(person: str, principal: str, legal_representative: str) -> ActingBasis:
    """Returns the right by which ``person`` acts for ``principal`` without a mandate.

    Args:
        person: who acts.
        principal: for whom.
        legal_representative: who represents the principal by law; empty for a person or where none is known.

    Raises:
        PermissionDenied: NOT_LEGAL_REPRESENTATIVE.
    """
    if person == principal:
        return ActingBasis.SELF
    if legal_representative and person == legal_representative:
        return ActingBasis.LEGAL_REPRESENTATIVE
    raise reasons.not_legal_representative(
        "the person neither is the principal nor represents it", organization=principal
    )


def check_agent(mandate: Mandate, person: str) -> None:
    """Raises PermissionDenied MANDATE_WRONG_AGENT where the mandate is another person's."""
    if mandate.agent != person:
        raise reasons.mandate_wrong_agent("the mandate was given to another person", mandate=mandate.name)
