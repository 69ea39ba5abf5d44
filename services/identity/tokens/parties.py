"""The parties behind a token, looked at again at every exchange: a right that has ended begets no further one."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.connection import DatabaseConnection
from libs.errors import reasons
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.core import acting, assurance, clients, staff
from services.identity.core.accounts import active_person
from services.identity.core.claims import ActingRight, ActorKind, Claims
from services.identity.core.client_rules import ClientKind, check_assertion, check_standing
from services.identity.core.duties import Duty
from services.identity.core.mandate_rules import ActingBasis
from services.identity.core.staff_standing import posts_now


@dataclass(frozen=True, slots=True)
class Parties:
    """Asks the store for all who stand behind a token of this region.

    Attributes:
        business: the clock of posts and mandates.
        wall: the clock of tokens.
    """

    business: Clock
    wall: Clock

    async def standing(self, connection: DatabaseConnection, claims: Claims, abroad: str = "") -> Claims:
        """Checks that every party still stands: person, staff, channels, and whom they act for, by which mandate.

        Args:
            connection: where from.
            claims: what the token says.
            abroad: the id of another region, where it is for that one: a mandate must be good there too.

        Returns:
            The claims, with the right to act and the assurance as they are now. A guest's are left to its home region, which
            vouches for them.

        Raises:
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_MAY_NOT_ASSERT, NOT_LEGAL_REPRESENTATIVE, MANDATE_…,
                SUBSTITUTION_NOT_ACTIVE.
            FailedPrecondition: PERSON_NOT_ACTIVE, STAFF_NOT_ACTIVE, ORGANIZATION_NOT_ACTIVE.
            NotFound: where one of them is gone.
        """
        if claims.region:
            return claims
        claims = await _believed(connection, claims, self.wall.now())
        for actor in claims.actors():
            if actor.kind == "STAFF":
                await self.duties(connection, actor.sub, claims.substitution)
        subject = parse_subject(claims.sub)
        if subject.kind is SubjectKind.STAFF:
            await self.duties(connection, claims.sub, claims.substitution)
        if subject.kind is not SubjectKind.PERSON:
            return claims
        if claims.authority is None:
            return replace(claims, former=(await active_person(connection, claims.sub)).former_names)
        authority = claims.authority
        now = await self.authority(connection, claims.sub, authority.principal, authority.mandate, abroad)
        return replace(claims, authority=now)

    async def duties(self, connection: DatabaseConnection, name: str, substitution: str = "") -> frozenset[Duty]:
        """Returns the duties that a member of staff has now, in their own posts or in those that they stand in for.

        Raises:
            FailedPrecondition: STAFF_NOT_ACTIVE.
            PermissionDenied: SUBSTITUTION_NOT_ACTIVE.
            NotFound.
        """
        now = self.business.now()
        found = await posts_now(connection, await staff.member(connection, name), now, substitution)
        held, duties = staff.facts_of(found.given, now)
        if not held:
            raise reasons.staff_not_active("the member of staff holds no post now", staff=name)
        return duties

    async def check_window(self, connection: DatabaseConnection, clerk: str, *, needed: bool) -> None:
        """Raises PermissionDenied STAFF_NOT_CERTIFIED where a member of staff may not serve at a window for want of a certificate."""
        row = await staff.member(connection, clerk)
        row.check_certified(local_day(self.business.now()), needed=needed)

    async def authority(
        self, connection: DatabaseConnection, person: str, principal: str, mandate: str, abroad: str = ""
    ) -> ActingRight:
        """Returns the right to act as it holds now, for a token; its end is told by the clock of tokens."""
        now = self.business.now()
        found = await acting.right(connection, person, principal, mandate, now)
        if found.basis is ActingBasis.SELF:
            raise reasons.exchange_not_supported("nobody needs a token to act for themselves", rule="self")
        if abroad and found.mandate is not None:
            found.mandate.check_region(abroad)
        return found.in_a_token(principal, now, self.wall.now())


async def _believed(connection: DatabaseConnection, claims: Claims, now: datetime) -> Claims:
    """Checks that the clients on whose word a token of people rests may still give it; returns it as they are believed today.

    A delegation lives long: a channel whose terms were narrowed since says no more by it than it may say now.
    """
    kind, level = parse_subject(claims.sub).kind, claims.acr
    if kind is SubjectKind.SERVICE:
        return claims
    subject = ActorKind.PERSON if kind is SubjectKind.PERSON else ActorKind.STAFF
    for name in {claims.client_id, *claims.via}:
        client = await clients.client(connection, f"clients/{name}")
        check_standing(client, now)
        told = _told_by(name, claims) if client.kind is ClientKind.CHANNEL else frozenset()
        for each in sorted(told):
            check_assertion(client, each, now)
        # Of two who are there the level is the person's, whom the clerk's own channel says nothing of.
        if subject in told:
            level = assurance.believed(level, client.max_assurance)
    return replace(claims, acr=level)


def _told_by(client: str, claims: Claims) -> frozenset[ActorKind]:
    """Of whom a channel said that they sit before it: of the clerk, of the person, or of both; not of who signed in at our pages."""
    staffed = claims.actor_kind is ActorKind.STAFF
    if parse_subject(claims.sub).kind is not SubjectKind.PERSON:
        return frozenset({ActorKind.STAFF}) if staffed else frozenset()
    persons = client in claims.via if claims.via else client == claims.client_id
    told = {ActorKind.STAFF} if staffed and client == claims.client_id else set()
    return frozenset(told | ({ActorKind.PERSON} if persons and not claims.sid else set()))
