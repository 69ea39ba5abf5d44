"""Who calls: what an access token, or the mTLS name of a service of ours, says of the caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tongban.options.v1 import options_pb2

_KINDS: dict[str, options_pb2.ActorKind.ValueType] = {
    "PERSON": options_pb2.ACTOR_KIND_PERSON,
    "STAFF": options_pb2.ACTOR_KIND_STAFF,
    "CLIENT": options_pb2.ACTOR_KIND_CLIENT,
    "SERVICE": options_pb2.ACTOR_KIND_SERVICE,
    "REGION": options_pb2.ACTOR_KIND_REGION,
}


@dataclass(frozen=True)
class Principal:
    """The caller of one RPC.

    Attributes:
        subject: ``persons/…``, ``staff/…``, ``clients/…``, ``services/…``, ``regions/…``, with ``//<region>/`` in front
            where it belongs to another region.
        kind: the kind of actor: PERSON, STAFF, CLIENT, SERVICE or REGION.
        scopes: the permissions, exact or ending in ``.*``.
        assurance: how well the person is known, 0 to 4.
        actor: who acts in the subject's place (claim ``act``), or an empty string.
        organization: the firm that the subject acts for, or an empty string.
        mandate: the mandate under which the subject acts for it, or an empty string.
        department: the department of the staff member, or an empty string.
        posts: the posts of the staff member.
        region: the region whose token it was before it was exchanged, or an empty string for our own.
        client: the client that holds the token.
        human: the human being who acts, `persons/…`: the person, or whom the member of staff in office or at the window
            is; empty for a machine.
        near: whose affairs are also theirs: firms that they represent by law, those they act for, those who act for them.
        claims: all claims as they stood in the token.
        token: the token itself, to be passed on in calls made for the caller; empty for a service of ours.
    """

    subject: str
    kind: str
    scopes: frozenset[str]
    assurance: int = 0
    actor: str = ""
    organization: str = ""
    mandate: str = ""
    department: str = ""
    posts: tuple[str, ...] = ()
    region: str = ""
    client: str = ""
    human: str = ""
    near: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)

    @cached_property
    def kind_value(self) -> options_pb2.ActorKind.ValueType:
        """The kind as the contract's enum value."""
        return _KINDS[self.kind]

    @cached_property
    def humans(self) -> frozenset[str]:
        """All human beings behind the token: who acts, about whom it is, and for whom is acted."""
        named = (self.human, self.subject, self.organization)
        return frozenset(name for name in named if is_person(name))

    @cached_property
    def affairs(self) -> frozenset[str]:
        """Persons and organisations whose affairs are also those of the human being who acts."""
        own = {self.human} if self.actor else {self.human, self.organization}
        return frozenset(own | self.near) - {""}

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(scope[:-1] for scope in self.scopes if scope == "*" or scope.endswith(".*"))

    def may(self, permission: str) -> bool:
        """Tells whether one of the scopes covers ``permission``: exactly, or as ``cases.*`` or ``*``."""
        return permission in self.scopes or permission.startswith(self._prefixes or ("\0",))


def is_person(name: str) -> bool:
    """Tells whether a resource name is that of a human being, of this or of another region."""
    return name.startswith("persons/") or (name.startswith("//") and name.split("/", 3)[-1].startswith("persons/"))


def from_claims(claims: Mapping[str, Any], token: str) -> Principal:
    """Builds the principal that verified token claims describe (RFC 9068 and ours)."""
    act = claims.get("act") or {}
    subject, kind = str(claims["sub"]), str(claims.get("actor_kind", "CLIENT"))
    return Principal(
        subject=subject,
        kind=kind,
        scopes=frozenset(str(claims.get("scope", "")).split()),
        assurance=int(claims.get("acr", 0)),
        actor=str(act.get("sub", "")),
        organization=str(claims.get("org", "")),
        mandate=str(claims.get("mandate", "")),
        department=str(claims.get("dept", "")),
        posts=tuple(claims.get("posts", ())),
        region=str(claims.get("region", "")),
        client=str(claims.get("client_id", "")),
        human=str(claims.get("human", subject if kind == "PERSON" else "")),
        near=frozenset(claims.get("near", ())),
        claims=claims,
        token=token,
    )


def service_principal(name: str) -> Principal:
    """Builds the principal of one of the region's own services, known by its mTLS name alone."""
    return Principal(subject=f"services/{name}", kind="SERVICE", scopes=frozenset({"*"}), assurance=4)


ANONYMOUS = Principal(subject="anonymous", kind="CLIENT", scopes=frozenset())
"""The caller of a public RPC who brought no token."""
