"""What a token for somebody would say now, made by the rules that make tokens."""

from dataclasses import dataclass, replace

from libs.access import roles
from libs.access.bound_keys import of_certificate
from libs.db.connection import DatabaseConnection
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.core import assurance, clients, issue
from services.identity.core.accounts import active_person
from services.identity.core.claims import ActorKind, Claims
from services.identity.core.client_rules import BY_CERTIFICATE, Client
from services.identity.core.issue import SignIn, TokenIssue, guest_kind
from services.identity.core.parts import Parts
from services.identity.core.regions import ListedRegion
from services.identity.core.staff_standing import staff_standing
from services.identity.core.trust import require_covered

_ANY_KEY, _ANY_CERTIFICATE = "whichever", of_certificate("A" * 43)


def proven_at(client: Client | None = None) -> str:
    """Returns what stands for the key that they prove, or the certificate with which they come, as their client demands.

    What it demands is told of, and is no refusal of everything else.
    """
    certified = client is not None and client.sender_constraint == BY_CERTIFICATE
    return _ANY_CERTIFICATE if certified else _ANY_KEY


@dataclass(frozen=True, slots=True)
class KnownCaller:
    """What a token would say of somebody.

    Attributes:
        claims: at whichever client, as far as the account goes.
        level: how well the account is known.
        sources: what gives them their permissions: posts with their roles, or the client.
        staff: what a token says of a member of staff; None for all others.
        client: through which their token comes; None where it may be any.
    """

    claims: Claims
    level: int
    sources: tuple[str, ...] = ()
    staff: issue.StaffFacts | None = None
    client: Client | None = None

    def at(self, made: TokenIssue, channel: Client) -> "KnownCaller":
        """Returns what a token says that is asked for at ``channel``, which speaks for them as well as it ever may.

        Raises:
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_MAY_NOT_ASSERT.
        """
        session, scope = SignIn(self.level, assurance.HIGHEST), self.claims.scope
        if self.staff is not None:
            return replace(self, client=channel, claims=issue.for_staff(made, channel, self.staff, scope, session))
        claims = issue.for_person(made, channel, self.claims.sub, session, scope, self.claims.former)
        return replace(self, client=channel, claims=claims)


async def standing(parts: Parts, connection: DatabaseConnection, name: str, substitution: str = "") -> KnownCaller:
    """Returns what a token would say of somebody of this region; of staff by a ``substitution``, where one is named.

    Raises:
        NotFound: there is nobody of this name, or the substitution is not theirs.
        FailedPrecondition: PERSON_NOT_ACTIVE, STAFF_NOT_ACTIVE.
        PermissionDenied: CLIENT_NOT_ACTIVE, SUBSTITUTION_NOT_ACTIVE.
    """
    kind = parse_subject(name).kind
    if kind is SubjectKind.CLIENT:
        client = await clients.client(connection, name)
        made = parts.codec.issue(proven_at(client))
        return KnownCaller(issue.for_client(made, client, client.scopes), 0, (client.name,), client=client)
    if kind is SubjectKind.STAFF:
        return await _staff(parts, connection, name, substitution)
    person = await active_person(connection, name)
    claims = issue.access(parts.codec.issue(proven_at()), person.name, ActorKind.PERSON, roles.PERSON)
    return KnownCaller(replace(claims, acr=person.assurance, former=person.former_names), person.assurance)


def guest(parts: Parts, name: str, region: ListedRegion) -> KnownCaller:
    """Returns what a token would say of somebody of another region who is as well known there as one can be.

    Raises:
        PermissionDenied: REGION_TRUST_NOT_COVERING.
    """
    kind = ActorKind.PERSON if parse_subject(name).kind is SubjectKind.PERSON else ActorKind.STAFF
    terms = region.inbound
    require_covered(region.id, terms, kind, assurance.HIGHEST)
    there = guest_kind(kind)
    scope = roles.of_guest(there, reads_only=terms.reads_only)
    level = assurance.believed(assurance.HIGHEST, terms.max_assurance)
    claims = issue.access(parts.codec.issue(proven_at()), name, there, scope)
    # Who they are as a human being their own region knows.
    human = "" if kind is ActorKind.PERSON else name.replace("/staff/", "/persons/")
    return KnownCaller(replace(claims, acr=level, region=region.id, human=human), level, (region.name,))


async def _staff(parts: Parts, connection: DatabaseConnection, name: str, substitution: str) -> KnownCaller:
    facts, rights = await staff_standing(connection, name, parts.clock.now(), parts.wall.now(), substitution)
    claims = issue.in_office(parts.codec.issue(), facts, rights.scope)
    sources = (*rights.sources, *filter(None, (substitution,)))
    return KnownCaller(replace(claims, acr=assurance.HIGHEST), assurance.HIGHEST, sources, facts)
