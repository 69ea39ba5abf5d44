"""Machines that call the API: which credentials go with which kind, and whom a channel may speak for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.errors import invalid_field, reasons, state_conflict


class ClientKind(StrEnum):
    """What a client is (ClientKind of the contract)."""

    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"
    CHANNEL = "CHANNEL"


class ClientAuthMethod(StrEnum):
    """How it proves who it is (ClientAuthMethod of the contract)."""

    PRIVATE_KEY_JWT = "PRIVATE_KEY_JWT"
    CLIENT_SECRET = "CLIENT_SECRET"  # noqa: S105 - the name of a method, no secret


class ClientState(StrEnum):
    """The life of a client (ClientState of the contract)."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REQUESTED = "REQUESTED"


FIRST_CLIENT = "administrator"
"""The client that the first start makes, which sets the region up."""
Keys = list[dict[str, str]]
"""Public keys as they are stored (RFC 7517)."""


@dataclass(frozen=True, slots=True)
class PendingKeys:
    """New keys of a channel that wait for two people, and for how many seconds the old ones are still taken then."""

    jwks: Keys
    overlap: float


@dataclass(frozen=True, slots=True)
class Client:
    """A machine that calls the API.

    Attributes:
        id: the OAuth client_id.
        owner: the department or organisation that answers for it, or an empty string.
        scopes: the permissions that its own tokens may hold.
        assertable: the actor kinds that it may speak for, of PERSON and STAFF.
        max_assurance: the highest assurance believed from it.
        jwks, secret_mac: its credentials; ``old_…`` those before the last rotation, until ``overlap_expire_time``.
        backers: who stands behind what waits for two people.
        redirect_uris: where browsers of those who sign in to it are sent back to; empty where nobody does.
        post_logout_redirect_uris: where they may be sent after signing out.
    """

    id: str
    display_name: str
    kind: ClientKind
    owner: str
    auth_method: ClientAuthMethod
    scopes: tuple[str, ...]
    assertable: tuple[str, ...]
    max_assurance: int
    quota_per_second: int
    quota_per_day: int
    state: ClientState
    create_time: datetime
    update_time: datetime
    jwks: Keys | None = None
    old_jwks: Keys | None = None
    secret_mac: bytes | None = None
    old_secret_mac: bytes | None = None
    overlap_expire_time: datetime | None = None
    suspend_reason: str = ""
    backers: tuple[str, ...] = ()
    pending: PendingKeys | None = None
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"clients/{self.id}"

    def overlaps(self, now: datetime) -> bool:
        """Says whether the keys or the secret before the last rotation are still taken at ``now``."""
        return self.overlap_expire_time is not None and now < self.overlap_expire_time

    def keys_at(self, now: datetime) -> Keys:
        """Returns the keys that are taken at ``now``."""
        return [*(self.jwks or ()), *((self.old_jwks or ()) if self.overlaps(now) else ())]


def plain_id(client_id: str) -> str:
    """Returns the OAuth client_id; the resource's name `clients/<id>` is taken for it as well."""
    return client_id.removeprefix("clients/")


def check_credentials(kind: ClientKind, auth: ClientAuthMethod, *, has_keys: bool, has_assertion_right: bool) -> None:
    """Raises InvalidArgument FIELD_INVALID where kind, authentication method, keys and assertion right don't match."""
    if has_keys != (auth is ClientAuthMethod.PRIVATE_KEY_JWT):
        raise invalid_field("client.jwks", "client.keys", "is needed for private_key_jwt and for nothing else")
    if kind is ClientKind.CHANNEL and auth is not ClientAuthMethod.PRIVATE_KEY_JWT:
        raise invalid_field("client.auth_method", "client.channel_auth", "a channel signs with its own key")
    if has_assertion_right != (kind is ClientKind.CHANNEL):
        raise invalid_field("client.assertion_right", "client.assertion", "is needed for channels and for nothing else")


def check_active(client: Client) -> None:
    """Raises PermissionDenied CLIENT_NOT_ACTIVE where the client is suspended or not approved yet."""
    if client.state is not ClientState.ACTIVE:
        raise reasons.client_not_active("the client is suspended, or not approved", client=client.name)


def check_assertion(client: Client, actor_kind: str) -> None:
    """Checks that the client may say that somebody of ``actor_kind`` sits before it (RFC 7523).

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_MAY_NOT_ASSERT.
    """
    check_active(client)
    if actor_kind not in client.assertable:
        raise reasons.client_may_not_assert(
            "the client may not speak for them", client=client.name, actor_kind=actor_kind
        )


def suspend(client: Client) -> ClientState:
    """Returns the state after a suspension; raises FailedPrecondition STATE_CONFLICT where it is SUSPENDED.

    What waits for approval is refused so.
    """
    if client.state is ClientState.SUSPENDED:
        raise state_conflict(client.name, client.state, ClientState.ACTIVE, ClientState.REQUESTED)
    return ClientState.SUSPENDED


def resume(client: Client) -> ClientState:
    """Returns the state after a resumption; raises FailedPrecondition STATE_CONFLICT unless it is SUSPENDED.

    A channel speaks for people again only when two stand behind it.
    """
    if client.state is not ClientState.SUSPENDED:
        raise state_conflict(client.name, client.state, ClientState.SUSPENDED)
    return ClientState.REQUESTED if client.kind is ClientKind.CHANNEL else ClientState.ACTIVE


def first_state(kind: ClientKind, *, founding: bool) -> ClientState:
    """Returns the state of a new client: what can speak for people waits for two, but for a region's very first."""
    return ClientState.REQUESTED if kind is ClientKind.CHANNEL and not founding else ClientState.ACTIVE
