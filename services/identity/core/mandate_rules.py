"""Mandates: the right of one person to act for a firm or another person, within a scope and between two dates."""

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


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate.

    Attributes:
        principal: for whom is acted, `organizations/…` or `persons/…`.
        agent: who acts, `persons/…`, of another region with `//<region>/`.
        begin_time: from when on, inclusive.
        expire_time: until when, exclusive.
        granter: who gave it.
        state: what is stored; EXPIRED is never stored, it follows from the time.
        accept_time: when it became ACTIVE.
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

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"mandates/{self.id}"

    @property
    def scope(self) -> MandateScope:
        """What it covers."""
        return MandateScope(frozenset(self.powers), frozenset(self.item_codes), self.all_items)

    def state_at(self, now: datetime) -> MandateState:
        """Returns the state at ``now``."""
        over = self.state in (MandateState.PROPOSED, MandateState.ACTIVE) and self.expire_time <= now
        return MandateState.EXPIRED if over else self.state


def grant(draft: Mandate, now: datetime) -> Mandate:
    """Checks a new mandate and gives it its first state.

    Raises:
        InvalidArgument: FIELD_INVALID where principal and agent are the same, the term is over, reversed or too long,
            or the scope says both "all items" and some, or none.
    """
    if draft.agent == draft.principal:
        raise invalid_field("mandate.agent", "mandate.self", "must be another than the principal")
    _check_term(draft, now)
    if draft.all_items == bool(draft.item_codes):
        raise invalid_field("mandate.scope", "mandate.items", "needs either all_items or item_codes")
    if draft.acceptance_required:
        return replace(draft, state=MandateState.PROPOSED, accept_time=None)
    return replace(draft, state=MandateState.ACTIVE, accept_time=now)


def _check_term(draft: Mandate, now: datetime) -> None:
    if draft.expire_time <= max(draft.begin_time, now):
        raise invalid_field("mandate.end_time", "term.order", "must be later than start_time and than now")
    if draft.expire_time - draft.begin_time > LONGEST_TERM:
        raise invalid_field("mandate.end_time", "term.length", "must be at most five years after start_time")


def accept(mandate: Mandate, person: str, now: datetime) -> Mandate:
    """Lets the agent accept; raises MANDATE_WRONG_AGENT, or STATE_CONFLICT unless it is PROPOSED."""
    _check_agent(mandate, person)
    state = mandate.state_at(now)
    if state is not MandateState.PROPOSED:
        raise state_conflict(mandate.name, state, MandateState.PROPOSED)
    return replace(mandate, state=MandateState.ACTIVE, accept_time=now)


def revoke(mandate: Mandate, reason: str, now: datetime) -> Mandate:
    """Ends the mandate now; raises FailedPrecondition STATE_CONFLICT where it has ended. Who may is checked before."""
    state = mandate.state_at(now)
    if state not in (MandateState.PROPOSED, MandateState.ACTIVE):
        raise state_conflict(mandate.name, state, MandateState.PROPOSED, MandateState.ACTIVE)
    return replace(mandate, state=MandateState.REVOKED, revoke_time=now, revoke_reason=reason)


def check_acting(mandate: Mandate, *, person: str, principal: str, now: datetime) -> None:
    """Checks that ``person`` may act for ``principal`` under the mandate, on whatever item.

    Raises:
        PermissionDenied: MANDATE_WRONG_AGENT, MANDATE_WRONG_PRINCIPAL, MANDATE_NOT_ACTIVE.
    """
    _check_agent(mandate, person)
    if mandate.principal != principal:
        raise reasons.mandate_wrong_principal("the mandate is another principal's", mandate=mandate.name)
    state = mandate.state_at(now)
    if state is not MandateState.ACTIVE or now < mandate.begin_time:
        raise reasons.mandate_not_active("the mandate does not hold now", mandate=mandate.name, state=state)


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


def _check_agent(mandate: Mandate, person: str) -> None:
    if mandate.agent != person:
        raise reasons.mandate_wrong_agent("the mandate was given to another person", mandate=mandate.name)
