"""Machines that call the API: which credentials go with which kind, and whom a channel may speak for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.errors import invalid_field, reasons, state_conflict


class Kind(StrEnum):
    """What a client is (ClientKind of the contract)."""

    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"
    CHANNEL = "CHANNEL"


class AuthMethod(StrEnum):
    """How it proves who it is (ClientAuthMethod of the contract)."""

    PRIVATE_KEY_JWT = "PRIVATE_KEY_JWT"
    CLIENT_SECRET = "CLIENT_SECRET"  # noqa: S105 - the name of a method, no secret


class State(StrEnum):
    """The life of a client (ClientState of the contract)."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REQUESTED = "REQUESTED"


@dataclass(frozen=True, slots=True)
class Client:
    """What the rules need to know of a client.

    Attributes:
        name: `clients/<id>`.
        kind: what it is.
        state: where it stands.
        scopes: the permissions that its own tokens may hold.
        assertable: the actor kinds that it may speak for, of PERSON and STAFF.
        max_assurance: the highest assurance believed from it.
    """

    name: str
    kind: Kind
    state: State
    scopes: tuple[str, ...] = ()
    assertable: frozenset[str] = frozenset()
    max_assurance: int = 0

    @property
    def id(self) -> str:
        """The OAuth client_id."""
        return self.name.removeprefix("clients/")


def plain_id(client_id: str) -> str:
    """Returns the OAuth client_id; the resource's name `clients/<id>` is taken for it as well."""
    return client_id.removeprefix("clients/")


def check_credentials(kind: Kind, auth: AuthMethod, *, has_keys: bool, has_assertion_right: bool) -> None:
    """Raises InvalidArgument FIELD_INVALID where kind, authentication method, keys and assertion right don't match."""
    if has_keys != (auth is AuthMethod.PRIVATE_KEY_JWT):
        raise invalid_field("client.jwks", "client.keys", "is needed for private_key_jwt and for nothing else")
    if kind is Kind.CHANNEL and auth is not AuthMethod.PRIVATE_KEY_JWT:
        raise invalid_field("client.auth_method", "client.channel_auth", "a channel signs with its own key")
    if has_assertion_right != (kind is Kind.CHANNEL):
        raise invalid_field("client.assertion_right", "client.assertion", "is needed for channels and for nothing else")


def check_active(client: Client) -> None:
    """Raises PermissionDenied CLIENT_NOT_ACTIVE where the client is suspended or not approved yet."""
    if client.state is not State.ACTIVE:
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


def suspend(client: Client) -> State:
    """Returns the state after a suspension; raises FailedPrecondition STATE_CONFLICT where it is SUSPENDED.

    What waits for approval is refused so.
    """
    if client.state is State.SUSPENDED:
        raise state_conflict(client.name, client.state, State.ACTIVE, State.REQUESTED)
    return State.SUSPENDED


def resume(client: Client) -> State:
    """Returns the state after a resumption; raises FailedPrecondition STATE_CONFLICT unless it is SUSPENDED.

    A channel speaks for people again only when two stand behind it.
    """
    if client.state is not State.SUSPENDED:
        raise state_conflict(client.name, client.state, State.SUSPENDED)
    return State.REQUESTED if client.kind is Kind.CHANNEL else State.ACTIVE


def first_state(kind: Kind, *, founding: bool) -> State:
    """Returns the state of a new client: what can speak for people waits for two, but for a region's very first."""
    return State.REQUESTED if kind is Kind.CHANNEL and not founding else State.ACTIVE


def old_credentials_hold(overlap_expire: datetime | None, now: datetime) -> bool:
    """Says whether the keys or the secret before the last rotation are still taken at ``now``."""
    return overlap_expire is not None and now < overlap_expire
