"""Who calls: what an access token, or the mTLS name of a service of ours, says of the caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property, lru_cache
from typing import Any

from libs import separation
from libs.access.addresses import parsed
from libs.access.bound_keys import bound_key
from libs.ids.subjects import Subject, SubjectKind, check_named, parse_subject
from tongban.options.v1 import options_pb2

_IN_OFFICE = frozenset({"STAFF", "REGION"})


class Standing(Enum):
    """For whom a caller stands here.

    Every rule of who may see and do what asks for this, never for the token's kind: staff at a window carry the kind
    STAFF, and yet speak for the one person who stands before them.
    """

    NOBODY = auto()
    """The token is of no known shape, or there is none: such a caller gets nothing."""
    PERSON = auto()
    """A person, of this region or a guest, by themselves or with staff at a window."""
    OFFICE = auto()
    """Staff of this region, in office."""
    CLIENT = auto()
    """A client of this region, a machine."""
    SERVICE = auto()
    """A service of this region."""
    REGION = auto()
    """The services and the staff of another region."""


@dataclass(frozen=True)
class Actor:
    """The caller of one RPC.

    Attributes:
        subject: ``persons/…``, ``staff/…``, ``clients/…``, ``services/…``, with ``//<region>/`` in front
            where it belongs to another region.
        kind: the kind in the token: PERSON, STAFF, CLIENT, SERVICE or REGION. Contracts tell more apart (`access_kind`).
        scopes: the permissions, exact or ending in ``.*``.
        assurance: how well the person is known, 0 to 4.
        delegate: who acts in the subject's place (claim ``act``), or an empty string.
        organization: the firm that the subject acts for, or an empty string.
        mandate: the mandate under which the subject acts for it, or an empty string.
        powers: what that mandate lets them do, as the contracts' `MandatePower` has it, without its prefix.
        department: the department of the staff member, or an empty string.
        posts: the posts of the staff member.
        region: the region whose token it was before it was exchanged, or an empty string for our own.
        client: the client that holds the token.
        human: the human being who acts, `persons/…`: the person, or whom the member of staff in office or at the window
            is; empty for a machine.
        near: whose affairs are also theirs: firms that they represent by law, those they act for, those who act for them.
        ip_ranges: where the client calls from that holds the token; none means anywhere.
        signs: whether that client signs each of its requests.
        quota: how many calls the client may make in all, a second and a day, 0 for any number; empty where it has no quota.
        auth_time: when the person, or the member of staff, signed in, in seconds since the epoch; 0 where it is not told.
        bound_key: what the token is bound to, a key or a certificate (`libs.access.bound_keys`); empty where it is a bearer's.
        represented: for whom the member of staff stands in, `staff/…`, whose posts they are then; empty where they act in posts
            of their own.
        former: names that the person had before accounts were merged; what is kept under them is theirs.
        former_organization: likewise of the person for whom is acted.
        claims: all claims as they stood in the token.
        token: the token itself, to be passed on in calls made for the caller; empty for a service of ours.
    """

    subject: str
    kind: str
    scopes: frozenset[str]
    assurance: int = 0
    delegate: str = ""
    organization: str = ""
    mandate: str = ""
    department: str = ""
    posts: tuple[str, ...] = ()
    region: str = ""
    client: str = ""
    human: str = ""
    near: frozenset[str] = frozenset()
    powers: frozenset[str] = frozenset()
    auth_time: int = 0
    ip_ranges: tuple[str, ...] = ()
    signs: bool = False
    quota: tuple[int, ...] = ()
    bound_key: str = ""
    represented: str = ""
    former: frozenset[str] = frozenset()
    former_organization: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)

    @cached_property
    def access_kind(self) -> options_pb2.ActorKind.ValueType:
        """Who stands there and with whom, as the contracts' `actors` tell callers apart."""
        if self.standing is Standing.PERSON and self.clerk:
            return options_pb2.ACTOR_KIND_ASSISTED
        if self.standing is Standing.REGION:
            there = {parse_subject(name).kind for name in (self.subject, self.delegate) if name}
            return _OF_REGIONS[SubjectKind.STAFF in there]
        return _AT_HOME[self.standing]

    @cached_property
    def humans(self) -> frozenset[str]:
        """All human beings behind the token: who acts, about whom it is, and for whom is acted."""
        named = (self.human, self.subject, self.organization)
        return frozenset(name for name in named if is_person(name))

    @cached_property
    def affairs(self) -> frozenset[str]:
        """Persons and organisations whose affairs are also those of the human being who acts."""
        own = {self.human} if self.delegate else {self.human, self.organization}
        return frozenset(own | self.near) - {""}

    @property
    def issued(self) -> int:
        """When the token was made, in seconds since the epoch."""
        return int(self.claims.get("iat", 0))

    @cached_property
    def parties(self) -> frozenset[str]:
        """All that the token rests on and that can be withdrawn.

        That is another region's word and its assertion; or people (about whom it is, who acts, and who passed the mandate on), clients, posts (those of
        the represented where staff stand in, and the substitution), for whom is acted, the mandate, who represents the firm; the
        session, and the sign-in to the client in it.
        """
        if self.region:
            word = {f"//{self.region}", f"//{self.region}/assertions"}
            said = self.claims.get("txn")
            return frozenset(word | {f"//{self.region}/assertions/{said}"} if said else word)
        clients = {f"clients/{name}" for name in (self.client, *self.claims.get("via", ())) if name}
        staff = self.clerk
        posts = {f"{self.represented or staff} {post}" for post in self.posts} if staff else set()
        people = {self.person, self.human}
        signed_in = {
            f"{collection}/{self.claims[claim]}"
            for claim, collection in (("sid", "sessions"), ("grant_id", "signInGrants"))
            if self.claims.get(claim)
        }
        substitution = {str(self.claims.get("substitution", ""))}
        return frozenset(clients | posts | people | self.right_parties | signed_in | substitution) - {""}

    @cached_property
    def right_parties(self) -> frozenset[str]:
        """What the right to act for somebody rests on and that can be withdrawn: that one, the mandate and who passed it on, or who represents by law."""
        if not self.organization:
            return frozenset()
        right = self.mandate or f"{self.subject} {self.organization}"
        return frozenset({self.organization, right, str(self.claims.get("mandate_by", ""))}) - {""}

    def require_human(self) -> str:
        """Returns the human being who acts; raises PermissionDenied ACTOR_NOT_ALLOWED for a machine."""
        return separation.require_human(self.human, self.kind)

    def require_impartial(self, *parties: str) -> None:
        """Raises PermissionDenied ACTING_ON_SELF where staff, in office or at a window, handle an affair of their own.

        Args:
            parties: whose affair it is: persons and organisations, named as this region names them.
        """
        if self.kind in _IN_OFFICE:
            separation.require_uninvolved(self.affairs, *parties)

    @cached_property
    def standing(self) -> Standing:
        """For whom the caller stands here."""
        try:
            return _standing(self)
        except ValueError:
            return Standing.NOBODY

    @property
    def person(self) -> str:
        """The person whom the token speaks for; empty where it speaks for none, who then sees no person's things."""
        return self.subject if self.standing is Standing.PERSON else ""

    @property
    def speaks_for(self) -> frozenset[str]:
        """For whom the token speaks: the person and whom the person acts for, under all of their names; nobody for all other callers."""
        return self.known_as(self.person) | self.known_as(self.organization) if self.person else frozenset()

    def known_as(self, name: str) -> frozenset[str]:
        """Returns all names under which things are kept of whom the token calls ``name``; none for an empty name."""
        former = self.former if name == self.subject else self.former_organization if name == self.organization else ()
        return frozenset((name, *former)) if name else frozenset()

    @property
    def office(self) -> str:
        """The department of staff in office; empty for everybody else, at a window too."""
        return self.department if self.standing is Standing.OFFICE else ""

    @property
    def clerk(self) -> str:
        """The staff of this region at the keyboard, in office or at a window; empty where there is none."""
        if self.standing is Standing.OFFICE:
            return self.subject
        return self.delegate if self.standing is Standing.PERSON and not self.region else ""

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(scope[:-1] for scope in self.scopes if scope == "*" or scope.endswith(".*"))

    def may(self, permission: str) -> bool:
        """Tells whether one of the scopes covers ``permission``: exactly, or as ``cases.*`` or ``*``."""
        return permission in self.scopes or permission.startswith(self._prefixes)


def is_person(name: str) -> bool:
    """Tells whether a resource name is that of a human being, of this or of another region."""
    try:
        return parse_subject(name).kind is SubjectKind.PERSON
    except ValueError:
        return False


_AT_HOME: dict[Standing, options_pb2.ActorKind.ValueType] = {
    Standing.NOBODY: options_pb2.ACTOR_KIND_UNSPECIFIED,
    Standing.PERSON: options_pb2.ACTOR_KIND_PERSON,
    Standing.OFFICE: options_pb2.ACTOR_KIND_STAFF,
    Standing.CLIENT: options_pb2.ACTOR_KIND_CLIENT,
    Standing.SERVICE: options_pb2.ACTOR_KIND_SERVICE,
}
_OF_REGIONS: dict[bool, options_pb2.ActorKind.ValueType] = {
    False: options_pb2.ACTOR_KIND_REGION_SERVICE,
    True: options_pb2.ACTOR_KIND_REGION_STAFF,
}
_SELF = {SubjectKind.STAFF: "STAFF", SubjectKind.CLIENT: "CLIENT", SubjectKind.SERVICE: "SERVICE"}
_STANDINGS = {"STAFF": Standing.OFFICE, "CLIENT": Standing.CLIENT, "SERVICE": Standing.SERVICE}


def _standing(actor: Actor) -> Standing:
    """Tells for whom a caller stands; raises ValueError where the parts of the token are of no shape, or don't agree."""
    region = actor.region
    subject = parse_subject(actor.subject)
    delegate = parse_subject(actor.delegate) if actor.delegate else None
    if subject.region != region or (delegate and delegate.region != region):
        raise ValueError("the token's names are of another region")
    _check_names(actor, region)
    if region and actor.kind == "REGION":
        return Standing.REGION
    return _at_home(actor.kind, subject, delegate, guest=bool(region))


def _at_home(kind: str, subject: Subject, delegate: Subject | None, *, guest: bool) -> Standing:
    if subject.kind is SubjectKind.PERSON:
        at_window = delegate is not None and delegate.kind is SubjectKind.STAFF and not guest
        if kind == ("STAFF" if at_window else "PERSON") and (at_window or delegate is None):
            return Standing.PERSON
    elif not guest and delegate is None and _SELF[subject.kind] == kind:
        return _STANDINGS[kind]
    raise ValueError("the kind is not the subject's")


def _check_names(actor: Actor, region: str) -> None:
    if actor.organization:
        check_named(actor.organization, region, "organizations", "persons")
    if actor.mandate:
        check_named(actor.mandate, region, "mandates")
    if actor.department or actor.kind == "STAFF":
        check_named(actor.department, region, "departments")
    if actor.human:
        check_named(actor.human, region, "persons")
    if actor.represented:
        check_named(actor.represented, region, "staff")
    for name in actor.former | actor.former_organization:
        check_named(name, region, "persons")


def from_claims(claims: Mapping[str, Any], token: str) -> Actor:
    """Builds the actor that verified token claims describe (RFC 9068 and ours).

    Raises:
        ValueError: the token speaks of nobody: a part of it is of no known shape, or its parts don't agree.
    """
    act = claims.get("act") or {}
    subject, kind = str(claims["sub"]), str(claims.get("actor_kind", ""))
    actor = Actor(
        subject=subject,
        kind=kind,
        scopes=frozenset(str(claims.get("scope", "")).split()),
        assurance=int(claims.get("acr", 0)),
        delegate=str(act.get("sub", "")),
        organization=str(claims.get("org", "")),
        mandate=str(claims.get("mandate", "")),
        department=str(claims.get("dept", "")),
        posts=tuple(claims.get("posts", ())),
        region=str(claims.get("region", "")),
        client=str(claims.get("client_id", "")),
        human=str(claims.get("human", subject if kind == "PERSON" else "")),
        near=frozenset(claims.get("near", ())),
        powers=frozenset(claims.get("mandate_powers", ())),
        auth_time=int(claims.get("auth_time", 0)),
        ip_ranges=_ranges(claims.get("cip", [])),
        signs=claims.get("signs", False) is not False,
        quota=_quota(claims.get("quota", [])),
        bound_key=bound_key(claims.get("cnf")),
        represented=str(claims.get("stands_in_for", "")),
        former=frozenset(claims.get("former", ())),
        former_organization=frozenset(claims.get("org_former", ())),
        claims=claims,
        token=token,
    )
    _standing(actor)  # raises where it is nobody's
    return actor


def _ranges(said: object) -> tuple[str, ...]:
    """Reads the ranges of addresses of a token; raises ValueError, TypeError where one is none: that is never taken for anywhere."""
    if not isinstance(said, list):
        raise TypeError("cip is no list")
    ranges = tuple(map(str, said))
    parsed(ranges)
    return ranges


def _quota(said: object) -> tuple[int, ...]:
    """Reads the quota of a token; raises TypeError, ValueError where it is none: that is never taken for none."""
    if not isinstance(said, list) or not all(type(each) is int for each in said):
        raise TypeError("quota is no list of numbers")
    if len(said) not in (0, 2) or any(each < 0 for each in said):
        raise ValueError("quota is no pair")
    return tuple(said)


@lru_cache(maxsize=256)
def service_actor(name: str, *permissions: str) -> Actor:
    """Builds the actor of one of the region's own services, known by its mTLS name alone.

    It holds what the contract of the RPC that it calls lets it, and nothing for any other.
    """
    return Actor(subject=f"services/{name}", kind="SERVICE", scopes=frozenset(permissions), assurance=4)


ANONYMOUS = Actor(subject="anonymous", kind="", scopes=frozenset())
"""The caller of a public RPC who brought no token: of no standing."""
