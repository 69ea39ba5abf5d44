"""What is decided of webhooks without I/O: where they may be sent, when they are sent again, and what they may become."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import Violation, reasons, state_conflict
from services.identity.core.reached import IpRange, check_called

MOST_WEBHOOKS = 20
"""So many that have not ended a client may have."""
ATTEMPTS_KEPT = 20
DELAYS = tuple(timedelta(seconds=each) for each in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""How long after a failed attempt the next one is made; Standard Webhooks 1.0.0, "Deliverability and reliability"."""
LONGEST_WAIT = timedelta(days=1)
"""So far a receiver may put the next attempt off by `Retry-After`."""
GONE = 410
_TAKEN = range(200, 300)


class WebhookState(StrEnum):
    """Where a webhook stands (WebhookState of the contract)."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"


class DeliveryState(StrEnum):
    """Where a delivery stands (WebhookDeliveryState of the contract)."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
    WITHHELD = "WITHHELD"


class SignatureScheme(StrEnum):
    """How deliveries are signed (WebhookSignatureScheme of the contract)."""

    HMAC_SHA256 = "HMAC_SHA256"
    ED25519 = "ED25519"


class WebhookFailure(StrEnum):
    """Why an attempt failed (WebhookFailure of the contract)."""

    NONE = ""
    STATUS = "STATUS"
    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    CERTIFICATE = "CERTIFICATE"
    ADDRESS = "ADDRESS"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a client has events sent.

    Attributes:
        client: `clients/<id>`.
        secret, old_secret: encrypted; the old one signs too until ``overlap_expire_time``.
        suspender: who suspended it; empty where nobody did.
        gap_time: when changes were last found gone that it had not been told of.
    """

    id: str
    client: str
    display_name: str
    url: str
    types: tuple[str, ...]
    signature_scheme: SignatureScheme
    secret: bytes
    create_time: datetime
    update_time: datetime
    old_secret: bytes | None = None
    overlap_expire_time: datetime | None = None
    state: WebhookState = WebhookState.ACTIVE
    suspend_reason: str = ""
    suspender: str = ""
    gap_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"webhooks/{self.id}"

    @property
    def services(self) -> list[str]:
        """The services that tell of what it is told of."""
        return sorted({service_of(each) for each in self.types})


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to deliver: when, how it was answered, why it failed, how long it took in milliseconds."""

    time: str
    status: int
    failure: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way.

    Attributes:
        webhook: an id.
        client: `clients/<id>`.
        message: the header `webhook-id`.
        place: its place among those of its webhook; those of one subject go by it.
        cursor: before which place of its service's log it stood, for a second look at whether it may be seen.
        body: what is sent, encrypted.
        failures: how often it failed since it was put in line.
        once: whether it is tried a single time.
    """

    id: str
    webhook: str
    client: str
    message: str
    type: str
    subject: str
    place: int
    cursor: str
    body: bytes
    event_time: datetime
    create_time: datetime
    update_time: datetime
    next_attempt_time: datetime | None
    state: DeliveryState = DeliveryState.WAITING
    attempts: tuple[Attempt, ...] = ()
    failures: int = 0
    once: bool = False
    deliver_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"webhookDeliveries/{self.id}"


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """How a receiver answered: the status, or why none came; for how long it asks not to be sent anything."""

    status: int = 0
    failure: WebhookFailure = WebhookFailure.NONE
    wait: timedelta = timedelta()
    milliseconds: int = 0

    @property
    def taken(self) -> bool:
        """Whether the event was taken."""
        return self.status in _TAKEN


@dataclass(frozen=True, slots=True)
class DeliveryStep:
    """What becomes of a delivery after an attempt; ``attempt_time`` is when it is sent again."""

    state: DeliveryState
    failures: int
    attempt_time: datetime | None = None


def service_of(kind: str) -> str:
    """The service that tells of a type of event: `cases` of `cn.tongban.cases.case.decided.v1`."""
    return kind.split(".")[2]


def after(delivery: Delivery, answer: SendAnswer, now: datetime) -> DeliveryStep:
    """Returns what becomes of a delivery that was answered so at ``now``."""
    if answer.taken:
        return DeliveryStep(DeliveryState.DELIVERED, delivery.failures)
    failures = delivery.failures + 1
    if delivery.once or failures > len(DELAYS):
        return DeliveryStep(DeliveryState.DEAD, failures)
    wait = max(DELAYS[failures - 1], min(answer.wait, LONGEST_WAIT))
    return DeliveryStep(DeliveryState.WAITING, failures, now + wait)


def kept(attempts: tuple[Attempt, ...], made: Attempt) -> tuple[Attempt, ...]:
    """Returns the attempts that are kept: the last ones."""
    return (*attempts, made)[-ATTEMPTS_KEPT:]


def retry_after(text: str) -> timedelta:
    """Reads a `Retry-After` in seconds (RFC 9110, 10.2.3); what is none, or a date, puts nothing off."""
    return timedelta(seconds=int(text)) if text.isascii() and text.isdecimal() and len(text) < 8 else timedelta()


def check_target(url: str, *, allow_http: bool, allowed: Collection[IpRange]) -> None:
    """Raises InvalidArgument FIELD_INVALID of `webhook.url` with the rule where nothing may be sent there."""
    check_called(url, "webhook.url", "webhook", allow_http=allow_http, allowed=allowed)


def check_types(types: Iterable[str], public: Collection[str]) -> None:
    """Raises InvalidArgument FIELD_INVALID of the types that are no public event."""
    faults = tuple(
        Violation(f"webhook.types[{place}]", "public", "is a public event of docs/events.md")
        for place, each in enumerate(types)
        if each not in public
    )
    if faults:
        raise reasons.field_invalid("clients are told of public events alone", violations=faults)


def check_not_ended(webhook: Webhook) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where the webhook has ended."""
    if webhook.state is WebhookState.ENDED:
        raise state_conflict(webhook.name, webhook.state, WebhookState.ACTIVE, WebhookState.SUSPENDED)


def check_is(webhook: Webhook, state: WebhookState) -> None:
    """Raises FailedPrecondition STATE_CONFLICT unless the webhook stands so."""
    if webhook.state is not state:
        raise state_conflict(webhook.name, webhook.state, state)


def check_dead(delivery: Delivery) -> None:
    """Raises FailedPrecondition STATE_CONFLICT unless no attempt is left."""
    if delivery.state is not DeliveryState.DEAD:
        raise state_conflict(delivery.name, delivery.state, DeliveryState.DEAD)


def check_resumer(webhook: Webhook, who: str) -> None:
    """Raises PermissionDenied NOT_OWNER where a client resumes what staff, or another client, suspended."""
    if who == webhook.client and webhook.suspender.partition("/")[0] != "services" and webhook.suspender != who:
        raise reasons.not_owner("somebody else suspended it")


def check_number(count: int, client: str) -> None:
    """Raises FailedPrecondition TOO_MANY_WEBHOOKS where a client has as many as it may have."""
    if count >= MOST_WEBHOOKS:
        raise reasons.too_many_webhooks("end one first", client=client, limit=str(MOST_WEBHOOKS))
