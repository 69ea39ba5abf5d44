"""Exchanging one token for another (RFC 8693). Rights never grow, and chains of people acting stay visible."""

from dataclasses import dataclass, replace

from libs.access.bound_keys import require_same
from libs.errors import PermissionDenied, reasons
from libs.ids.subjects import SubjectKind, parse_subject
from libs.separation import require_uninvolved
from services.identity.core import assurance
from services.identity.core.claims import ActingParty, ActingRight, ActorKind, Claims, TokenType, check_times, invalid
from services.identity.core.duties import Duty
from services.identity.core.issue import TokenIssue, access, guest_kind
from services.identity.tokens.subjects import check_subject


@dataclass(frozen=True, slots=True)
class WindowClerk:
    """A member of staff at a window.

    Attributes:
        token: their own access token.
        duties: what duties they have now.
    """

    token: Claims
    duties: frozenset[Duty]


@dataclass(frozen=True, slots=True)
class HomeRegion:
    """The region that vouches for a guest, as the trust list has it.

    Attributes:
        region: its id.
        issuer: the pinned `iss` of its assertions.
        max_assurance: the highest assurance that is believed from it.
    """

    region: str
    issuer: str
    max_assurance: int


def require_key(shown: Claims, key: str) -> None:
    """Checks that a token that is shown is a bearer's, or bound to what was proven.

    Raises:
        Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
    """
    require_same(shown.bound_key, key)


def act_for(issue: TokenIssue, subject: Claims, authority: ActingRight, scope: tuple[str, ...]) -> Claims:
    """Lets a person act for a firm or another person; the right itself was checked before.

    Raises:
        PermissionDenied: EXCHANGE_NOT_ALLOWED with rule `person`, `guest` or `already_acting`; ACTING_ON_SELF where it is
            an affair of the staff at the window.
    """
    check_may_act(subject)
    _require_uninvolved(subject, authority.principal)
    made = access(issue, subject.sub, subject.actor_kind, scope, subject.exp, authority.expire)
    return replace(
        made,
        acr=subject.acr,
        auth_time=subject.auth_time,
        client_id=subject.client_id,
        act=subject.act,
        authority=authority,
        dept=subject.dept,
        posts=subject.posts,
        human=subject.human,
        near=subject.near,
        ip_ranges=subject.ip_ranges,
        quota=subject.quota,
        signs=subject.signs,
        via=subject.via,
        sid=subject.sid,
        grant=subject.grant,
        represented=subject.represented,
        substitution=subject.substitution,
        former=subject.former,
    )


def check_may_act(subject: Claims) -> None:
    """Checks, before anything is read, that a token may be exchanged for one that acts for another.

    Raises:
        PermissionDenied: EXCHANGE_NOT_ALLOWED with rule `person`, `guest` or `already_acting`.
    """
    _require_person(subject)
    if subject.authority is not None:
        raise _refused("already_acting", "the token acts for somebody already")


def check_window(person: Claims, staff: Claims) -> None:
    """Checks, before anything is read, that the two tokens are a person's and window staff's own.

    Raises:
        PermissionDenied: EXCHANGE_NOT_ALLOWED with rule `person`, `guest`, `already_acting` or `staff`.
    """
    _require_person(person)
    if person.act is not None:
        raise _refused("already_acting", "somebody acts for the person already")
    if staff.actor_kind is not ActorKind.STAFF or staff.act is not None or staff.region:
        raise _refused("staff", "the actor token is not staff's own")


def at_window(issue: TokenIssue, person: Claims, clerk: WindowClerk, scope: tuple[str, ...]) -> Claims:
    """Lets window staff do for a person, who stands there, what the person may do.

    Args:
        issue: region, time, id.
        person: the person's access token, made by the window's channel.
        clerk: the staff.
        scope: the permissions.

    Raises:
        PermissionDenied: EXCHANGE_NOT_ALLOWED with rule `person`, `guest`, `already_acting`, `staff` or `duty`;
            ACTING_ON_SELF.
    """
    staff = clerk.token
    check_window(person, staff)
    if Duty.RECEIVING not in clerk.duties:
        raise _refused("duty", "only receiving staff act for people at a window")
    _require_uninvolved(staff, person.sub, person.authority.principal if person.authority else "")
    made = access(issue, person.sub, ActorKind.STAFF, scope, person.exp, staff.exp)
    return replace(
        made,
        acr=person.acr,
        # Two have signed in: the token is as old as the older of both.
        auth_time=min(person.auth_time, staff.auth_time),
        client_id=staff.client_id,
        act=ActingParty(staff.sub, ActorKind.STAFF, staff.dept),
        authority=person.authority,
        dept=staff.dept,
        posts=staff.posts,
        human=staff.human,
        near=staff.near,
        # The clerk's client holds it; where the person's stands was looked at when it was shown here.
        ip_ranges=staff.ip_ranges,
        quota=staff.quota,
        signs=staff.signs,
        via=tuple(sorted({person.client_id} - {staff.client_id})),
        sid=person.sid,
        grant=person.grant,
        represented=staff.represented,
        substitution=staff.substitution,
        former=person.former,
    )


def assertion(
    issue: TokenIssue, subject: Claims, audience: str, scope: tuple[str, ...], service: Claims | None = None
) -> Claims:
    """Tells another region who somebody of this one is: at most 60 seconds, once.

    Args:
        issue: region, time, id.
        subject: the access token of the person, staff or service.
        audience: the other region, `//<code>`.
        scope: what the assertion is good for: no more than the token of who asks, subject or service, holds.
        service: the access token of the service that calls for them, or None where they call themselves.

    Raises:
        PermissionDenied: EXCHANGE_NOT_ALLOWED with rule `guest` (only the home region speaks for its people), `client`
            or `service`.
    """
    if subject.region:
        raise _refused("guest", "a guest is vouched for by the home region only")
    if subject.actor_kind is ActorKind.CLIENT:
        raise _refused("client", "clients have no standing in other regions")
    if service is not None:
        subject = _called_by(service, subject)
    return _outgoing(issue, subject, audience, scope)


def delegation(issue: TokenIssue, subject: Claims, audience: str, transfer: str) -> Claims:
    """Keeps the right to speak for somebody to one region about one transfer, for store-and-forward.

    It is worthless outside this region, and each use is checked anew: person, mandate, trust.

    Raises:
        PermissionDenied: EXCHANGE_NOT_ALLOWED with rule `guest` or `client`.
    """
    if subject.region:
        raise _refused("guest", "a guest is vouched for by the home region only")
    if subject.actor_kind not in (ActorKind.PERSON, ActorKind.STAFF):
        raise _refused("client", "machines speak for themselves and need no delegation")
    until = subject.authority.expire if subject.authority else 0
    return replace(
        subject,
        type=TokenType.DELEGATION,
        iss=issue.issuer,
        aud=issue.home,
        iat=issue.iat,
        exp=issue.end(TokenType.DELEGATION, until),
        jti=issue.jti,
        scope=(),
        # A service of the region uses it, inside.
        ip_ranges=(),
        quota=(),
        bound_key="",
        signs=False,
        target=audience,
        transfer=transfer,
    )


def use_delegation(
    issue: TokenIssue, kept: Claims, service: Claims, audience: str, transfer: str, scope: tuple[str, ...]
) -> Claims:
    """Makes a fresh assertion from a delegation; that person, mandate and trust still hold was checked before.

    Raises:
        PermissionDenied: DELEGATION_MISMATCH; EXCHANGE_NOT_ALLOWED with rule `service`.
        Unauthenticated: TOKEN_INVALID.
    """
    if kept.aud != issue.home or kept.iss != issue.issuer:
        raise invalid("aud", "the delegation was made elsewhere")
    check_times(kept, issue.now)
    if (kept.target, kept.transfer) != (audience, transfer):
        raise reasons.delegation_mismatch("the delegation is for another transfer", transfer=transfer)
    made = _outgoing(issue, _called_by(service, kept), audience, scope)
    # It may be brought over days later: whether the sign-in was new enough is judged by when it was asked for.
    return replace(made, delegated=kept.iat)


def check_assertion(issue: TokenIssue, claims: Claims, home: HomeRegion) -> None:
    """Checks an assertion of another region whose signature holds under a pinned key. Replay is the store's to check.

    Args:
        issue: this region and the time.
        claims: what it says.
        home: the region whose key signed it.

    Raises:
        Unauthenticated: TOKEN_INVALID with rule `iss`, `aud`, `exp`, `iat`, `lifetime`, `kind` or `sub`;
            ASSERTION_SUBJECT_FOREIGN where it names anybody who is not of that region.
    """
    if claims.iss != home.issuer:
        raise invalid("iss", "the assertion is from another issuer")
    if claims.aud != issue.home:
        raise invalid("aud", "the assertion is for another region")
    check_times(claims, issue.now)
    if claims.actor_kind not in (ActorKind.PERSON, ActorKind.STAFF, ActorKind.SERVICE):
        raise invalid("kind", "this kind of caller can't be asserted")
    if not all(name.startswith(f"//{home.region}/") for name in _names(claims)):
        raise reasons.assertion_subject_foreign("the assertion names somebody of another region", region=home.region)
    check_subject(claims, home.region)


def accept(issue: TokenIssue, claims: Claims, home: HomeRegion, scope: tuple[str, ...]) -> Claims:
    """Turns a checked assertion into a local access token for the guest.

    Args:
        issue: region, time, id.
        claims: the assertion.
        home: the region that made it.
        scope: the permissions that guests of this kind get here.
    """
    until = claims.authority.expire if claims.authority else 0
    return replace(
        access(issue, claims.sub, guest_kind(claims.actor_kind), scope, until),
        acr=assurance.believed(claims.acr, home.max_assurance),
        auth_time=claims.auth_time,
        delegated=claims.delegated,
        client_id=f"//{home.region}",
        act=claims.act,
        authority=claims.authority,
        dept=claims.dept,
        human=claims.human,
        region=home.region,
        transfer=claims.transfer,
        former=claims.former,
    )


def _names(claims: Claims) -> list[str]:
    """Every resource name in an assertion."""
    names, act = [claims.sub], claims.act
    while act is not None:
        names += [act.sub, act.dept]
        act = act.act
    authority = claims.authority
    names += [authority.principal, authority.mandate, *authority.former] if authority else []
    names += claims.former
    names += [each.sub for each in claims.stated]
    return [name for name in [*names, claims.dept, claims.human, claims.transfer] if name]


def _outgoing(issue: TokenIssue, subject: Claims, audience: str, scope: tuple[str, ...]) -> Claims:
    """Builds an assertion, every name in it with this region in front."""
    home = issue.home
    authority = subject.authority
    limit = authority.expire if authority else 0
    return Claims(
        type=TokenType.ASSERTION,
        iss=issue.issuer,
        sub=_global(home, subject.sub),
        aud=audience,
        iat=issue.iat,
        exp=issue.end(TokenType.ASSERTION, subject.exp, limit),
        jti=issue.jti,
        txn=issue.txn,
        actor_kind=subject.actor_kind,
        acr=subject.acr,
        auth_time=subject.auth_time,
        act=_global_act(home, subject.act),
        authority=_global_authority(home, authority),
        dept=_global(home, subject.dept),
        human=_global(home, subject.human),
        transfer=_global(home, subject.transfer),
        scope=scope,
        bound_key=issue.key,
        former=_all_global(home, subject.former),
    )


def _global(home: str, name: str) -> str:
    return f"{home}/{name}" if name else ""


def _all_global(home: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_global(home, name) for name in names)


def _global_act(home: str, act: ActingParty | None) -> ActingParty | None:
    if act is None:
        return None
    return ActingParty(_global(home, act.sub), act.kind, _global(home, act.dept), _global_act(home, act.act))


def _global_authority(home: str, authority: ActingRight | None) -> ActingRight | None:
    if authority is None:
        return None
    principal, mandate = _global(home, authority.principal), _global(home, authority.mandate)
    former = _all_global(home, authority.former)
    return replace(authority, principal=principal, mandate=mandate, passed_on_by="", former=former)


def _called_by(service: Claims, subject: Claims) -> Claims:
    """Puts a service of the region between the subject and the other region."""
    if service.actor_kind is not ActorKind.SERVICE or not _is(service.sub, SubjectKind.SERVICE):
        raise _refused("service", "the actor token is not a service's own")
    return replace(
        subject, actor_kind=ActorKind.SERVICE, act=ActingParty(service.sub, ActorKind.SERVICE, act=subject.act)
    )


def _require_uninvolved(staff: Claims, *parties: str) -> None:
    """Staff at a window serve neither themselves nor those who are near to them; a token without staff asks nothing."""
    require_uninvolved((staff.human, *staff.near), *parties)


def _require_person(subject: Claims) -> None:
    if subject.region:
        raise _refused("guest", "a guest acts for others under the home region's assertion only")
    if not _is(subject.sub, SubjectKind.PERSON):
        raise _refused("person", "the token does not speak of a person")


def _is(name: str, kind: SubjectKind) -> bool:
    """Says whether ``name`` is somebody of this region and ``kind``."""
    try:
        subject = parse_subject(name)
    except ValueError:
        return False
    return subject.kind is kind and not subject.region


def _refused(rule: str, message: str) -> PermissionDenied:
    return reasons.exchange_not_allowed(message, rule=rule)
