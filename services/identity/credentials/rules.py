"""Cards that are bound to a person's code (三卡合一)."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.errors import state_conflict


class CredentialKind(StrEnum):
    """A card that can be bound (CredentialKind of the contract)."""

    HEALTH_CARD = "HEALTH_CARD"
    SOCIAL_SECURITY_CARD = "SOCIAL_SECURITY_CARD"
    MEDICAL_INSURANCE_VOUCHER = "MEDICAL_INSURANCE_VOUCHER"


class BindingState(StrEnum):
    """Where a binding stands (CredentialBindingState of the contract)."""

    ACTIVE = "ACTIVE"
    UNBOUND = "UNBOUND"


@dataclass(frozen=True, slots=True)
class CredentialBinding:
    """A card bound to the personal code of a person.

    Attributes:
        person: the person's id.
        number, number_index: the card's number, encrypted, and its blind index.
        binder: who bound it.
    """

    id: str
    person: str
    kind: CredentialKind
    number: bytes
    number_index: bytes
    binder: str
    create_time: datetime
    update_time: datetime
    state: BindingState = BindingState.ACTIVE
    unbind_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"credentialBindings/{self.id}"


def unbound(binding: CredentialBinding, now: datetime) -> CredentialBinding:
    """Ends a binding; raises FailedPrecondition STATE_CONFLICT unless it is ACTIVE."""
    if binding.state is not BindingState.ACTIVE:
        raise state_conflict(binding.name, binding.state, BindingState.ACTIVE)
    return replace(binding, state=BindingState.UNBOUND, unbind_time=now)


def mask_card(number: str) -> str:
    """Keeps the last four characters of a card's number, of a short one the last two."""
    shown = 4 if len(number) > 8 else 2
    return "*" * (len(number) - shown) + number[-shown:]
