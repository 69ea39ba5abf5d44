"""How far a person's real name is proven (实名等级), 0 to 4, and what raises it."""

from collections.abc import Collection
from enum import StrEnum
from types import MappingProxyType

from libs.errors import reasons
from libs.separation import require_uninvolved

HIGHEST = 4


class VerificationMethod(StrEnum):
    """How a real name was checked (VerificationMethod of the contract)."""

    PHONE = "PHONE"
    DOCUMENT_MATCH = "DOCUMENT_MATCH"
    FACE = "FACE"
    BANK_CARD = "BANK_CARD"
    IN_PERSON = "IN_PERSON"
    CERTIFICATE = "CERTIFICATE"


LEVELS = MappingProxyType(
    {
        VerificationMethod.PHONE: 1,
        VerificationMethod.DOCUMENT_MATCH: 2,
        VerificationMethod.FACE: 3,
        VerificationMethod.BANK_CARD: 3,
        VerificationMethod.IN_PERSON: 4,
        VerificationMethod.CERTIFICATE: 4,
    }
)
"""The level that each method proves."""


STAFF = 3
"""Whoever serves in office was seen or recognised: a name and a number that agree prove nobody's presence."""


def after(current: int, method: VerificationMethod, *, passed: bool) -> int:
    """Returns the level of a person at ``current`` after a check: it may rise, and never falls."""
    return max(current, LEVELS[method]) if passed else current


def believed(level: int, ceiling: int) -> int:
    """Returns the level that counts where a channel or another region vouches for it, believed up to ``ceiling``."""
    return max(0, min(level, ceiling, HIGHEST))


def require(actual: int, needed: int) -> None:
    """Raises PermissionDenied ASSURANCE_TOO_LOW unless ``actual`` reaches ``needed``."""
    if actual < needed:
        raise reasons.assurance_too_low(f"this needs assurance {needed}", required=str(needed), actual=str(actual))


def check_verifier(
    method: VerificationMethod, actor_kind: str, affairs: Collection[str], person: str, *, founding: bool
) -> None:
    """Refuses a verifier who may not vouch for ``person``.

    Args:
        method: how the name is checked.
        actor_kind: the kind of caller, as in the token.
        affairs: who the verifier is as a human being, and who is near to them; empty for a machine.
        person: whose name is checked.
        founding: whether the region has no staff yet: then whoever sets it up vouches for the first.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED where another than staff vouches in person; ACTING_ON_SELF.
    """
    if method is VerificationMethod.IN_PERSON and actor_kind != "STAFF" and not founding:
        raise reasons.actor_not_allowed("only staff vouch for a person in person", actor_kind=actor_kind)
    require_uninvolved(affairs, person)
