"""Machines that call the API: which credentials go with which kind, and whom a channel may speak for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.access.bound_keys import is_certificate, not_presented, not_proven
from libs.errors import invalid_field, reasons, state_conflict
from services.identity.core.approval import PEOPLE
from services.identity.core.assurance_names import AssuranceNames, of_texts
from services.identity.core.client_certificates import ClientCertificate
from services.identity.core.client_terms import ClientTerms


class ClientKind(StrEnum):
    """What a client is (ClientKind of the contract)."""

    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"
    CHANNEL = "CHANNEL"


class ClientAuthMethod(StrEnum):
    """How it proves who it is (ClientAuthMethod of the contract)."""

    PRIVATE_KEY_JWT = "PRIVATE_KEY_JWT"
    CLIENT_SECRET = "CLIENT_SECRET"  # noqa: S105 - the name of a method, no secret
    TLS_CLIENT_AUTH = "TLS_CLIENT_AUTH"


class ClientState(StrEnum):
    """The life of a client (ClientState of the contract)."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REQUESTED = "REQUESTED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


class ClientEnvironment(StrEnum):
    """What a client, or a region, is for (ClientEnvironment of the contract)."""

    PRODUCTION = "PRODUCTION"
    SANDBOX = "SANDBOX"


FIRST_CLIENT = "administrator"
"""The client that the first start makes, which sets the region up."""
OWN_PAGES = "my-pages"
"""The region's own pages (我的), at which people see what is held on them. It is made by the first start, too."""
OWN_PAGES_CALLBACK = "/my/callback"
OF_OWN_PAGES = (
    "owndata.uses.list",
    "owndata.holdings.count",
    "owndata.data.download",
    "identity.persons.get",
    "identity.persons.reveal",
    "identity.departments.get",
    "identity.organizations.get",
    "identity.organizations.lookup",
    "identity.consents.list",
    "identity.consents.withdraw",
    "identity.mandates.list",
    "identity.mandates.revoke",
    "identity.sessions.list",
    "identity.sessions.end",
    "identity.signInGrants.list",
    "identity.signInGrants.revoke",
    "license.licenses.list",
    "cases.cases.list",
)
"""What they may do for who signed in to them: nothing beyond showing, taking back and ending."""
BY_KEY, BY_CERTIFICATE = "DPOP", "MTLS"
"""How a client's tokens must be bound (SenderConstraint of the contract)."""
NOTICE_DAYS = (30, 7, 1)
"""So many days before a client's end, or that of one of its certificates, it is told of."""
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
        jwks, secret_mac, certificates: its credentials; ``old_…`` those before the last rotation, until ``overlap_expire_time``.
        backers: who stands behind what waits for people.
        ip_ranges: where it calls from; none means anywhere.
        expire_time: until when it gets tokens, by the machine's clock; None means for ever.
        expiry_notice: so many days before that it was last told of; None where it was not yet.
        rotate_time: when its credentials were last replaced.
        pending_terms: wider terms of a channel that wait for two people.
        applicant: who asked for it from outside; empty where administrators made it.
        request_note: what they want it for, in their words.
        state: what is stored; EXPIRED is never stored, it follows from the time.
        redirect_uris: where browsers of those who sign in to it are sent back to; empty where nobody does.
        post_logout_redirect_uris: where they may be sent after signing out.
        backchannel_logout_uri: where it is told that a session ended; empty where it is not.
        backchannel_logout_session_required: whether it must be told which session.
        device_sign_in: whether people sign in to it at devices without a keyboard.
        assurance_names: what its owner calls the levels of assurance.
        sender_constraint: how its tokens must be bound; empty where they need not be.
        signs: whether each of its requests must be signed.
        suspensions: how often it was suspended; what somebody agreed to before the last time is over (decision 0084).
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
    environment: ClientEnvironment = ClientEnvironment.PRODUCTION
    ip_ranges: tuple[str, ...] = ()
    expire_time: datetime | None = None
    expiry_notice: int | None = None
    rotate_time: datetime | None = None
    pending_terms: ClientTerms | None = None
    request_note: str = ""
    applicant: str = ""
    refuse_reason: str = ""
    backchannel_logout_uri: str = ""
    backchannel_logout_session_required: bool = False
    device_sign_in: bool = False
    assurance_names: tuple[str, ...] = ()
    sender_constraint: str = ""
    signs: bool = False
    suspensions: int = 0
    certificates: tuple[ClientCertificate, ...] = ()
    old_certificates: tuple[ClientCertificate, ...] = ()
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"clients/{self.id}"

    @property
    def assurance(self) -> AssuranceNames:
        """What its owner calls the levels of assurance."""
        return of_texts(self.assurance_names)

    @property
    def quota(self) -> tuple[int, ...]:
        """How many calls it may make, a second and a day, 0 for any number; empty where its contract names no quota."""
        pair = (self.quota_per_second, self.quota_per_day)
        return pair if any(pair) else ()

    def quota_or(self, default: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the quota that is counted: the region's default where its contract names none; what is the region's own has none then."""
        return self.quota or (default if self.owner else ())

    def is_the_regions(self, base_url: str) -> bool:
        """Whether it is the region's own, so that who signs in to it need not agree: a channel, or the region's own pages.

        The pages are so only as they were made: whoever can change a client by themselves can't have people signed in to another
        place without being asked, nor for more.
        """
        as_made = self.redirect_uris == (f"{base_url}{OWN_PAGES_CALLBACK}",) and set(self.scopes) <= set(OF_OWN_PAGES)
        return self.kind is ClientKind.CHANNEL or (self.id == OWN_PAGES and as_made)

    @property
    def signs_people_in(self) -> bool:
        """Whether people sign in to it, in a browser or at a device."""
        return bool(self.redirect_uris) or self.device_sign_in

    @property
    def terms(self) -> ClientTerms:
        """What it may do, where from and until when."""
        return ClientTerms(
            scopes=self.scopes,
            assertable=self.assertable,
            max_assurance=self.max_assurance,
            ip_ranges=self.ip_ranges,
            expire_time=self.expire_time,
            sender_constraint=self.sender_constraint,
            signs=self.signs,
            redirect_uris=self.redirect_uris,
            post_logout_redirect_uris=self.post_logout_redirect_uris,
        )

    @property
    def end(self) -> int:
        """When its tokens end at the latest, in seconds since the epoch; 0 where nothing limits them."""
        return int(self.expire_time.timestamp()) if self.expire_time else 0

    def state_at(self, now: datetime) -> ClientState:
        """Returns the state at ``now``, by the machine's clock."""
        over = self.expire_time is not None and self.expire_time <= now
        return ClientState.EXPIRED if over and self.state is ClientState.ACTIVE else self.state

    def overlaps(self, now: datetime) -> bool:
        """Says whether the keys or the secret before the last rotation are still taken at ``now``."""
        return self.overlap_expire_time is not None and now < self.overlap_expire_time

    def keys_at(self, now: datetime) -> Keys:
        """Returns the keys that are taken at ``now``."""
        return [*(self.jwks or ()), *((self.old_jwks or ()) if self.overlaps(now) else ())]

    def shows(self, presented: str, now: datetime) -> bool:
        """Says whether what somebody came with at ``now`` is one of its certificates (as tokens say that are bound to it)."""
        held = (*self.certificates, *(self.old_certificates if self.overlaps(now) else ()))
        return any(each.bound == presented and each.holds(now) for each in held)


def plain_id(client_id: str) -> str:
    """Returns the OAuth client_id; the resource's name `clients/<id>` is taken for it as well."""
    return client_id.removeprefix("clients/")


def check_credentials(
    kind: ClientKind,
    auth: ClientAuthMethod,
    *,
    has_keys: bool,
    has_assertion_right: bool,
    has_certificates: bool = False,
) -> None:
    """Raises InvalidArgument FIELD_INVALID where kind, authentication method, credentials and assertion right don't match."""
    if has_keys != (auth is ClientAuthMethod.PRIVATE_KEY_JWT):
        raise invalid_field("client.jwks", "client.keys", "is needed for private_key_jwt and for nothing else")
    if has_certificates != (auth is ClientAuthMethod.TLS_CLIENT_AUTH):
        raise invalid_field(
            "client.certificates", "client.certificates", "is needed for tls_client_auth and for nothing else"
        )
    if kind is ClientKind.CHANNEL and auth is not ClientAuthMethod.PRIVATE_KEY_JWT:
        raise invalid_field("client.auth_method", "client.channel_auth", "a channel signs with its own key")
    if has_assertion_right != (kind is ClientKind.CHANNEL):
        raise invalid_field("client.assertion_right", "client.assertion", "is needed for channels and for nothing else")


def check_signing(auth: ClientAuthMethod, *, signs: bool) -> None:
    """Raises InvalidArgument FIELD_INVALID where requests are to be signed by what has no key."""
    if signs and auth is not ClientAuthMethod.PRIVATE_KEY_JWT:
        raise invalid_field("client.signed_requests", "client.signs", "only who has a key of its own can sign")


def check_active(client: Client) -> None:
    """Raises PermissionDenied CLIENT_NOT_ACTIVE where the client is suspended, refused, or not approved yet."""
    if client.state is not ClientState.ACTIVE:
        raise reasons.client_not_active("the client is suspended, or not approved", client=client.name)


def check_standing(client: Client, now: datetime) -> None:
    """Raises PermissionDenied CLIENT_NOT_ACTIVE, CLIENT_EXPIRED where no token may come through the client at ``now``."""
    check_active(client)
    if client.expire_time is not None and client.expire_time <= now:
        raise reasons.client_expired(
            "the time for which the client was let in is over",
            client=client.name,
            expire_time=client.expire_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


def check_environment(client: Client, region: ClientEnvironment) -> None:
    """Raises PermissionDenied CLIENT_WRONG_ENVIRONMENT where the client is for another environment than the region."""
    if client.environment is not region:
        raise reasons.client_wrong_environment(
            "the client is for another environment", client=client.name, environment=client.environment
        )


def check_bound(client: Client, key: str) -> None:
    """Checks that a token through the client, bound to ``key``, is bound as the client's must be.

    Raises:
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
    """
    if client.sender_constraint == BY_CERTIFICATE and not is_certificate(key):
        raise not_presented("demanded", "the client gets tokens only that are bound to its certificate")
    if client.sender_constraint == BY_KEY and (not key or is_certificate(key)):
        raise not_proven("demanded", "the client gets tokens only with a proof of its key")


def check_assertion(client: Client, actor_kind: str, now: datetime) -> None:
    """Checks that the client may say that somebody of ``actor_kind`` sits before it (RFC 7523).

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_MAY_NOT_ASSERT.
    """
    check_standing(client, now)
    if actor_kind not in client.assertable:
        raise reasons.client_may_not_assert(
            "the client may not speak for them", client=client.name, actor_kind=actor_kind
        )


def suspend(client: Client) -> ClientState:
    """Returns the state after a suspension; raises FailedPrecondition STATE_CONFLICT where it is SUSPENDED or REFUSED.

    What waits for approval can be put off so, and comes back by a resumption; what was refused doesn't.
    """
    if client.state not in (ClientState.ACTIVE, ClientState.REQUESTED):
        raise state_conflict(client.name, client.state, ClientState.ACTIVE, ClientState.REQUESTED)
    return ClientState.SUSPENDED


def resume(client: Client) -> ClientState:
    """Returns the state after a resumption; raises FailedPrecondition STATE_CONFLICT unless it is SUSPENDED.

    A channel speaks for people again only when two stand behind it. What somebody asked for from outside was perhaps never
    approved, and is approved again.
    """
    if client.state is not ClientState.SUSPENDED:
        raise state_conflict(client.name, client.state, ClientState.SUSPENDED)
    waits = client.kind is ClientKind.CHANNEL or client.applicant
    return ClientState.REQUESTED if waits else ClientState.ACTIVE


def check_not_refused(client: Client) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where the client was refused: nothing is changed of it any more."""
    if client.state is ClientState.REFUSED:
        raise state_conflict(
            client.name, client.state, ClientState.ACTIVE, ClientState.SUSPENDED, ClientState.REQUESTED
        )


def refuse(client: Client) -> ClientState:
    """Returns the state after a refusal; raises FailedPrecondition STATE_CONFLICT unless it is REQUESTED."""
    if client.state is not ClientState.REQUESTED:
        raise state_conflict(client.name, client.state, ClientState.REQUESTED)
    return ClientState.REFUSED


def approvers_needed(kind: ClientKind) -> int:
    """Returns how many people must stand behind a client that waits: two where it can speak for people."""
    return PEOPLE if kind is ClientKind.CHANNEL else 1


def notice_due(client: Client, now: datetime) -> int:
    """Returns which of ``NOTICE_DAYS`` is to be told of now: the last one that is due, 0 where it was told, or none is."""
    if client.expire_time is None or client.state_at(now) is not ClientState.ACTIVE:
        return 0
    return _due(client.expire_time, client.expiry_notice, now)


def certificates_due(client: Client, now: datetime) -> dict[str, int]:
    """Returns which of ``NOTICE_DAYS`` is to be told of now, of each of a client's certificates of which one is, by thumbprint.

    Of what is over nothing is told any more, nor of those before a rotation.
    """
    if client.state_at(now) is not ClientState.ACTIVE:
        return {}
    due = {
        each.thumbprint: _due(each.not_after, each.told or None, now)
        for each in client.certificates
        if now < each.not_after
    }
    return {thumbprint: days for thumbprint, days in due.items() if days}


def _due(end: datetime, told: int | None, now: datetime) -> int:
    due = [days for days in NOTICE_DAYS if end - now <= timedelta(days=days)]
    return due[-1] if due and (told is None or due[-1] < told) else 0


def first_state(kind: ClientKind, *, founding: bool) -> ClientState:
    """Returns the state of a new client: what can speak for people waits for two, but for a region's very first."""
    return ClientState.REQUESTED if kind is ClientKind.CHANNEL and not founding else ClientState.ACTIVE
