"""First tokens: for machines, for the region's own services, and for people before a channel (RFC 6749, RFC 7523)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.errors import reasons
from libs.separation import EVERYBODY
from services.identity.core import assurance
from services.identity.core.claims import LONGEST_SECONDS, ActorKind, Claims, TokenType, invalid
from services.identity.core.client_rules import Client, check_assertion, check_bound, check_standing

MOST_NEAR = 50
"""So many names of those near to a member of staff fit into a token beside everything else."""


@dataclass(frozen=True, slots=True)
class TokenIssue:
    """What every token made in one step has in common.

    Attributes:
        region: the id of this region.
        issuer: the `iss` of its tokens.
        now: the time.
        jti: a fresh id, unguessable.
        txn: another one, for the records of what the token is for.
        access_seconds: how long access tokens live; more than 600 counts as 600.
        key: the key that who asks has proven, or the certificate that they came with, to which it is bound; empty where they did neither.
        quota: what a client may call whose contract names no quota, a second and a day; empty for any number.
    """

    region: str
    issuer: str
    now: datetime
    jti: str
    txn: str
    access_seconds: int = 600
    key: str = ""
    quota: tuple[int, ...] = ()

    @property
    def home(self) -> str:
        """This region as an audience and as the authority of names, `//<code>`."""
        return f"//{self.region}"

    @property
    def iat(self) -> int:
        """The time in whole seconds since the epoch."""
        return int(self.now.timestamp())

    def end(self, token_type: TokenType, *limits: int) -> int:
        """Returns when a token of ``token_type`` ends: its longest life, or the earliest of ``limits`` that is set.

        Raises:
            Unauthenticated: TOKEN_INVALID with rule `exp` where that is over.
        """
        longest = LONGEST_SECONDS[token_type]
        if token_type is TokenType.ACCESS:
            longest = min(longest, self.access_seconds)
        end = min([self.iat + longest, *(limit for limit in limits if limit)])
        if end <= self.iat:
            raise invalid("exp", "what the token would be made from has ended")
        return end


@dataclass(frozen=True, slots=True)
class StaffFacts:
    """What a token says of a member of staff: name, department, the posts held now, the human being, and who is near.

    ``until`` is when the first of the posts ends, in seconds since the epoch by the clock of tokens; 0 where none does.
    ``represented`` is for whom they stand in, `staff/<uuid>`, by which ``substitution``; then the posts are those of the
    represented. Both are empty where they act in posts of their own.
    """

    name: str
    department: str
    posts: tuple[str, ...]
    person: str
    near: tuple[str, ...] = ()
    until: int = 0
    represented: str = ""
    substitution: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How somebody signed in at their channel.

    Attributes:
        account: the assurance of the account.
        session: that which the channel claims for this session; the lower one counts.
        auth_time: when it began, in seconds since the epoch; 0 where the channel does not say.
    """

    account: int
    session: int
    auth_time: int = 0

    def on(self, made: Claims, channel: Client) -> Claims:
        """Returns the claims with what they say of it, as far as the channel is believed."""
        acr = assurance.believed(min(self.account, self.session), channel.max_assurance)
        return replace(made, acr=acr, auth_time=self.auth_time)


WELL_KNOWN = SignIn(assurance.HIGHEST, assurance.HIGHEST)
"""Staff of whom the channel says nothing: the department vouches for them."""


def named_near(near: Sequence[str]) -> tuple[str, ...]:
    """Returns who is near to a member of staff as a token says it: by name, or everybody where they are too many."""
    return tuple(near) if len(near) <= MOST_NEAR else (EVERYBODY,)


def guest_kind(kind: ActorKind) -> ActorKind:
    """Returns what somebody of another region is here: a person stays one, all else acts as the region."""
    return ActorKind.PERSON if kind is ActorKind.PERSON else ActorKind.REGION


def access(issue: TokenIssue, sub: str, kind: ActorKind, scope: tuple[str, ...], *limits: int) -> Claims:
    """Builds the least that an access token for this region says; the callers add the rest.

    Args:
        issue: region, time, id.
        sub: about whom it is.
        kind: who acts.
        scope: the permissions.
        limits: times, in seconds since the epoch, that it must not outlive; 0 counts as none.
    """
    return Claims(
        type=TokenType.ACCESS,
        iss=issue.issuer,
        sub=sub,
        aud=issue.home,
        iat=issue.iat,
        exp=issue.end(TokenType.ACCESS, *limits),
        jti=issue.jti,
        actor_kind=kind,
        scope=scope,
        bound_key=issue.key,
    )


def for_client(issue: TokenIssue, client: Client, scope: tuple[str, ...]) -> Claims:
    """Builds the claims for a machine that proved who it is (client credentials, RFC 6749, 4.4).

    Args:
        issue: region, time, id.
        client: the machine.
        scope: the permissions, narrowed already to what was asked for and is granted.

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED.
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
    """
    check_standing(client, issue.now)
    return through(issue, client, _of_itself(issue, client, scope))


def through(issue: TokenIssue, client: Client, made: Claims) -> Claims:
    """Returns the claims of a token that came through a client: it holds where that one calls from, as often as it may.

    Raises:
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED where the client gets tokens alone that are bound otherwise than this.
    """
    check_bound(client, made.bound_key)
    quota = client.quota_or(issue.quota)
    return replace(made, client_id=client.id, ip_ranges=client.ip_ranges, quota=quota, signs=client.signs)


def in_name_of(issue: TokenIssue, client: Client) -> Claims:
    """Builds the claims for what the region itself asks in a client's name: its permissions, and no more.

    Such a token never leaves the region, so none of what a client's calls must be holds of it: bound to a key, signed, from its addresses, within
    its quota.

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED.
    """
    check_standing(client, issue.now)
    return replace(_of_itself(issue, client, client.scopes), client_id=client.id)


def _of_itself(issue: TokenIssue, client: Client, scope: tuple[str, ...]) -> Claims:
    """A machine's own token: it names the department that answers for it, and is of no other."""
    department = client.owner if client.owner.startswith("departments/") else ""
    return replace(access(issue, client.name, ActorKind.CLIENT, scope, client.end), dept=department)


def for_service(issue: TokenIssue, service: str, scope: tuple[str, ...]) -> Claims:
    """Builds the claims for one of the region's own services, `services/<service>`."""
    sub = f"services/{service}"
    return replace(access(issue, sub, ActorKind.SERVICE, scope), client_id=sub)


def for_person(
    issue: TokenIssue,
    channel: Client,
    person: str,
    session: SignIn,
    scope: tuple[str, ...],
    former: tuple[str, ...] = (),
) -> Claims:
    """Builds the claims for a person of whom a channel says that they sit before it (RFC 7523, 2.1).

    Args:
        issue: region, time, id.
        channel: the client that says so.
        person: `persons/<uuid>`.
        session: how they signed in.
        scope: the permissions.
        former: names that the person had before accounts were merged.

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_MAY_NOT_ASSERT.
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
    """
    check_assertion(channel, ActorKind.PERSON, issue.now)
    made = replace(access(issue, person, ActorKind.PERSON, scope, channel.end), former=former)
    return session.on(through(issue, channel, made), channel)


def for_staff(
    issue: TokenIssue, channel: Client, staff: StaffFacts, scope: tuple[str, ...], session: SignIn = WELL_KNOWN
) -> Claims:
    """Builds the claims for a member of staff at a channel.

    The department vouches for them, so that only the channel limits `acr`: its ceiling, and the level that it claims for
    this ``session``, where it claims one.

    Raises:
        PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_MAY_NOT_ASSERT.
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
        FailedPrecondition: STAFF_NOT_ACTIVE where they hold no post now.
    """
    check_assertion(channel, ActorKind.STAFF, issue.now)
    return session.on(through(issue, channel, in_office(issue, staff, scope, channel.end)), channel)


def in_office(issue: TokenIssue, staff: StaffFacts, scope: tuple[str, ...], until: int = 0) -> Claims:
    """Builds what the claims say of a member of staff wherever they sit; `acr` is not among it.

    The token ends at ``until`` at the latest, in seconds since the epoch; 0 counts as none.

    Raises:
        FailedPrecondition: STAFF_NOT_ACTIVE where they hold no post now.
    """
    if not staff.posts:
        raise reasons.staff_not_active("the member of staff holds no post now", staff=staff.name)
    made = access(issue, staff.name, ActorKind.STAFF, scope, staff.until, until)
    return replace(
        made,
        dept=staff.department,
        posts=staff.posts,
        human=staff.person,
        near=staff.near,
        represented=staff.represented,
        substitution=staff.substitution,
    )


def on_wall(moment: datetime, business: datetime, wall: datetime) -> datetime:
    """Returns when the machine's clock will show what the business clock calls ``moment``.

    Mandates go by the business clock, tokens by the machine's; a replay puts them years apart.
    """
    longest = timedelta(days=36_500)
    return wall + min(moment - business, longest)
