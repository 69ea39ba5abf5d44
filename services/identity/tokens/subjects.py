"""Of whom another region's assertion speaks: somebody of known shape, of that region, of the kind that it says."""

from itertools import pairwise

from libs.ids.subjects import SubjectKind, check_named, parse_subject
from services.identity.core.claims import ActingParty, ActingRight, ActorKind, Claims, invalid

_KINDS = {
    SubjectKind.PERSON: ActorKind.PERSON,
    SubjectKind.STAFF: ActorKind.STAFF,
    SubjectKind.SERVICE: ActorKind.SERVICE,
}
_MAY_ACT_FOR = {ActorKind.STAFF: (ActorKind.PERSON,), ActorKind.SERVICE: (ActorKind.PERSON, ActorKind.STAFF)}


def check_subject(claims: Claims, region: str) -> None:
    """Checks every name in an assertion of ``region``, and that its kind is that of who acts.

    Raises:
        Unauthenticated: TOKEN_INVALID with rule `sub`. An empty or unknown name is nobody, never everybody.
    """
    try:
        _check(claims, region)
    except ValueError as error:
        raise invalid("sub", "the assertion speaks of nobody who is known to be somebody") from error


def _check(claims: Claims, region: str) -> None:
    kinds = [_kind(claims.sub, region), *_actors(claims.act, region)]
    if claims.actor_kind is not kinds[-1]:
        raise ValueError("the kind is not that of who acts")
    for before, kind in pairwise(kinds):
        if before not in _MAY_ACT_FOR[kind]:
            raise ValueError("these don't act for one another")
    if claims.dept or ActorKind.STAFF in kinds:
        check_named(claims.dept, region, "departments")
    if claims.human:
        check_named(claims.human, region, "persons")
    if claims.transfer:
        check_named(claims.transfer, region, "caseTransfers")
    _check_authority(claims.authority, kinds[0], region)


def _kind(name: str, region: str) -> ActorKind:
    """Returns the kind of somebody of ``region``; clients are none, they have no standing outside their own."""
    subject = parse_subject(name)
    if subject.region != region:
        raise ValueError("somebody of another region")
    return _KINDS[subject.kind]


def _actors(act: ActingParty | None, region: str) -> list[ActorKind]:
    """Returns the kinds of those who act, the first who did so first: staff, then a service, and no more."""
    if act is None:
        return []
    kind = _kind(act.sub, region)
    if kind not in _MAY_ACT_FOR or act.kind is not kind:
        raise ValueError("who acts is of another kind")
    if act.dept:
        check_named(act.dept, region, "departments")
    return [*_actors(act.act, region), kind]


def _check_authority(authority: ActingRight | None, subject: ActorKind, region: str) -> None:
    if authority is None:
        return
    if subject is not ActorKind.PERSON:
        raise ValueError("only people act for others")
    check_named(authority.principal, region, "organizations", "persons")
    if authority.mandate:
        check_named(authority.mandate, region, "mandates")
