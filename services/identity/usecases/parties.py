"""The parties behind a token, looked at again at every exchange: a right that has ended begets no further one."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.errors import reasons
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.convert.clients import client_of
from services.identity.domain import clients
from services.identity.domain.claims import Authority, Claims
from services.identity.domain.duties import Duty
from services.identity.domain.mandates import Basis
from services.identity.store import clients as client_store
from services.identity.store import staff as staff_store
from services.identity.store.reading import one
from services.identity.tables import staff
from services.identity.usecases import acting
from services.identity.usecases.staff import facts_of


class Now(Protocol):
    """Tells the time by one of the two clocks."""

    def now(self) -> datetime:
        """The time."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Asks the store for all who stand behind a token of this region.

    Attributes:
        business: the clock of posts and mandates.
        wall: the clock of tokens.
    """

    business: Now
    wall: Now

    async def standing(self, connection: AsyncConnection, claims: Claims) -> Claims:
        """Checks that every party still stands: person, staff, channels, and whom they act for, by which mandate.

        Returns:
            The claims, with the right to act as it is now. A guest's are left to its home region, which vouches for them.

        Raises:
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_MAY_NOT_ASSERT, NOT_LEGAL_REPRESENTATIVE, MANDATE_….
            FailedPrecondition: PERSON_NOT_ACTIVE, STAFF_NOT_ACTIVE, ORGANIZATION_NOT_ACTIVE.
            NotFound: where one of them is gone.
        """
        if claims.region:
            return claims
        await _channels(connection, claims)
        for actor in claims.actors():
            if actor.kind == "STAFF":
                await self.duties(connection, actor.sub)
        subject = parse_subject(claims.sub)
        if subject.kind is SubjectKind.STAFF:
            await self.duties(connection, claims.sub)
        if subject.kind is not SubjectKind.PERSON:
            return claims
        if claims.authority is None:
            await acting.active_person(connection, claims.sub)
            return claims
        authority = claims.authority
        now = await self.authority(connection, claims.sub, authority.principal, authority.mandate)
        return replace(claims, authority=now)

    async def duties(self, connection: AsyncConnection, name: str) -> frozenset[Duty]:
        """Returns the duties that a member of staff has now; raises FailedPrecondition STAFF_NOT_ACTIVE, NotFound."""
        now = self.business.now()
        row = await one(connection, staff, name)
        held, duties = facts_of(await staff_store.held(connection, [row.id], now), now)
        if row.state != "ACTIVE" or not held:
            raise reasons.staff_not_active("the member of staff holds no post now", staff=name)
        return duties

    async def authority(self, connection: AsyncConnection, person: str, principal: str, mandate: str) -> Authority:
        """Returns the right to act as it holds now, for a token; its end is told by the clock of tokens."""
        found = await acting.right(connection, person, principal, mandate, self.business.now())
        if found.basis is Basis.SELF:
            raise reasons.exchange_not_supported("nobody needs a token to act for themselves", rule="self")
        if found.mandate is None:
            return Authority(principal, found.uscc)
        scope = found.mandate.scope
        items = ("*",) if scope.all_items else tuple(sorted(scope.item_codes))
        end = on_wall(found.mandate.expire, self.business.now(), self.wall.now())
        powers = tuple(sorted(scope.powers))
        return Authority(principal, found.uscc, mandate, items, powers, int(end.timestamp()))


async def _channels(connection: AsyncConnection, claims: Claims) -> None:
    """Checks that the clients on whose word a token of people rests may still give it."""
    if parse_subject(claims.sub).kind is SubjectKind.SERVICE:
        return
    for name in {claims.client_id, *claims.via}:
        clients.check_active(client_of(await client_store.client(connection, f"clients/{name}")))


def on_wall(moment: datetime, business: datetime, wall: datetime) -> datetime:
    """Returns when the machine's clock will show what the business clock calls ``moment``.

    Mandates go by the business clock, tokens by the machine's; a replay puts them years apart.
    """
    longest = timedelta(days=36_500)
    return wall + min(moment - business, longest)
