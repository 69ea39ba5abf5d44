"""Consents (授权同意): that a named recipient uses named licences or data for a named purpose."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import invalid_field, reasons, state_conflict

LONGEST_TERM = timedelta(days=366)
"""A consent ends at most so long after it begins."""


class ConsentState(StrEnum):
    """The life of a consent (ConsentState of the contract)."""

    ACTIVE = "ACTIVE"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent.

    Attributes:
        subject: whose data it is.
        recipient: who may use it; `//<region>` stands for the region and its departments.
        purpose_code: what for, a code of the table of purposes; ``purpose`` are the words that the subject was shown.
        case_name: the only case that it is for, or an empty string.
        resources: what may be used; `licenses/-` stands for all of the subject's licences.
        begin_time: from when on, inclusive.
        expire_time: until when, exclusive.
        granter, mandate, witness: who gave it, by which mandate, and which staff saw to it at a window.
        state: what is stored; EXPIRED is never stored, it follows from the time.
    """

    id: str
    subject: str
    recipient: str
    purpose_code: str
    purpose: str
    case_name: str
    resources: tuple[str, ...]
    begin_time: datetime
    expire_time: datetime
    method: str
    evidence: bytes | None
    granter: str
    mandate: str
    witness: str
    create_time: datetime
    update_time: datetime
    state: ConsentState = ConsentState.ACTIVE
    withdraw_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"consents/{self.id}"

    def state_at(self, now: datetime) -> ConsentState:
        """Returns the state at ``now``."""
        over = self.state is ConsentState.ACTIVE and self.expire_time <= now
        return ConsentState.EXPIRED if over else self.state


@dataclass(frozen=True, slots=True)
class ConsentUse:
    """A use that somebody asks a consent for: whose data, by whom, which resources, what for, for which case."""

    subject: str
    recipient: str
    resources: Collection[str]
    purpose_code: str
    case_name: str = ""


def check_term(begin: datetime, expire: datetime, now: datetime) -> None:
    """Raises InvalidArgument FIELD_INVALID where the term is over, reversed or longer than a year."""
    if expire <= max(begin, now):
        raise invalid_field("consent.end_time", "term.order", "must be later than start_time and than now")
    if expire - begin > LONGEST_TERM:
        raise invalid_field("consent.end_time", "term.length", "must be at most one year after start_time")


def withdraw(consent: Consent, now: datetime) -> Consent:
    """Takes the consent back; raises FailedPrecondition STATE_CONFLICT unless it is ACTIVE."""
    state = consent.state_at(now)
    if state is not ConsentState.ACTIVE:
        raise state_conflict(consent.name, state, ConsentState.ACTIVE)
    return replace(consent, state=ConsentState.WITHDRAWN, withdraw_time=now)


def check_use(consent: Consent, use: ConsentUse, now: datetime) -> None:
    """Checks that ``consent`` covers ``use`` at ``now``.

    Raises:
        PermissionDenied: CONSENT_NOT_ACTIVE, CONSENT_OUT_OF_SCOPE.
    """
    state = consent.state_at(now)
    if state is not ConsentState.ACTIVE or now < consent.begin_time:
        raise reasons.consent_not_active("the consent does not hold now", consent=consent.name, state=state)
    if not _covers(consent, use):
        raise reasons.consent_out_of_scope("the consent does not cover this use", consent=consent.name)


def _covers(consent: Consent, use: ConsentUse) -> bool:
    return (
        consent.subject == use.subject
        and _includes(consent.recipient, use.recipient)
        and consent.purpose_code == use.purpose_code
        and consent.case_name in ("", use.case_name)
        and all(_names(consent.resources, resource) for resource in use.resources)
    )


def _includes(recipient: str, asker: str) -> bool:
    """A region includes its departments and clients; nobody else includes anybody."""
    if recipient == asker:
        return True
    whole_region = recipient.startswith("//") and "/" not in recipient[2:]
    return whole_region and asker.startswith(f"{recipient}/")


def _names(resources: Collection[str], resource: str) -> bool:
    collection = resource.partition("/")[0]
    return resource in resources or f"{collection}/-" in resources
