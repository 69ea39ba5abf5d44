"""Exchanging tokens (RFC 8693): what the store must tell before the domain decides, and what is kept afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.command import digest_of
from libs.db.engine import Database
from libs.errors import FailedPrecondition, InvalidArgument
from services.identity.domain import exchange, roles, scopes
from services.identity.domain.claims import Authority, Claims, TokenType
from services.identity.domain.duties import Duty
from services.identity.domain.exchange import ACCESS_URN, ASSERTION_URN, DELEGATION_URN, Route
from services.identity.domain.issue import Issue
from services.identity.domain.mandates import Basis
from services.identity.domain.regions import Direction
from services.identity.store import staff as staff_store
from services.identity.store.reading import one
from services.identity.tables import staff
from services.identity.tokens.codec import TokenCodec
from services.identity.usecases import acting
from services.identity.usecases.acceptance import Acceptance
from services.identity.usecases.staff import facts_of
from services.identity.usecases.token_records import TokenRecords, token_name
from tongban.identity.v1 import token_service_pb2 as pb

_METHOD = "tongban.identity.v1.TokenService.ExchangeToken"
_URNS = {
    TokenType.ACCESS: (ACCESS_URN, "Bearer"),
    TokenType.ASSERTION: (ASSERTION_URN, "N_A"),
    TokenType.DELEGATION: (DELEGATION_URN, "N_A"),
}
_AT_WINDOW_ONLY = tuple(sorted(set(roles.ASSISTED_PERSON) - set(roles.PERSON)))


class Exchange:
    """The use case of TokenService.ExchangeToken and of the HTTP grant beside it."""

    def __init__(
        self, codec: TokenCodec, database: Database, clock: Clock, acceptance: Acceptance, records: TokenRecords
    ) -> None:
        self._codec = codec
        self._database = database
        self._clock = clock
        self._records = records
        self._routes: dict[Route, Callable[[pb.ExchangeTokenRequest, Issue], Awaitable[Claims]]] = {
            Route.ASSERT: self._assert, Route.ACCEPT: acceptance.accept, Route.ACT_FOR: self._act_for,
            Route.AT_WINDOW: self._at_window, Route.DELEGATE: self._delegate,
            Route.USE_DELEGATION: self._use_delegation,
        }  # fmt: skip

    async def exchange(self, request: pb.ExchangeTokenRequest) -> pb.ExchangeTokenResponse:
        """Exchanges a token; the record of it is written before the new one leaves."""
        route = self._route(request)
        made = await self._routes[route](request, self._codec.issue())
        if route is not Route.ACCEPT:
            transaction = made.jti if made.type is TokenType.ASSERTION else ""
            await self._records.write(
                _METHOD, digest_of(request), made, token=token_name(made), transaction=transaction
            )
        urn, kind = _URNS[made.type]
        return pb.ExchangeTokenResponse(
            access_token=self._codec.encode(made), issued_token_type=urn, token_type=kind, expires_in=made.lifetime,
            scope=" ".join(made.scope),
        )  # fmt: skip

    def _route(self, request: pb.ExchangeTokenRequest) -> Route:
        if bool(request.actor_token) != bool(request.actor_token_type):
            raise _unsupported("actor_token_type", "actor_token and actor_token_type come together")
        if request.mandate and not request.on_behalf_of:
            raise _unsupported("mandate", "a mandate is named with for whom it is")
        return exchange.route(exchange.Asked(
            subject_type=request.subject_token_type, requested_type=request.requested_token_type,
            abroad=request.audience not in ("", f"//{self._codec.region}"), actor=bool(request.actor_token),
            on_behalf_of=bool(request.on_behalf_of), transfer=bool(request.transfer),
        ))  # fmt: skip

    async def _access(self, token: str) -> Claims:
        return await self._codec.own(token, TokenType.ACCESS)

    async def _assert(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        subject = await self._access(request.subject_token)
        service = await self._access(request.actor_token) if request.actor_token else None
        return exchange.assertion(issue, await self._outbound(request, subject), request.audience, service)

    async def _delegate(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        subject = await self._outbound(request, await self._access(request.subject_token))
        return exchange.delegation(issue, subject, request.audience, request.transfer)

    async def _use_delegation(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        kept = await self._codec.own(request.subject_token, TokenType.DELEGATION)
        service = await self._access(request.actor_token)
        kept = await self._outbound(request, kept)
        return exchange.use_delegation(issue, kept, service, request.audience, request.transfer)

    async def _outbound(self, request: pb.ExchangeTokenRequest, subject: Claims) -> Claims:
        """Checks that the trust and what the token says still hold; returns it with the authority as it is now."""
        async with self._database.read() as connection:
            await acting.require_trust(connection, request.audience.removeprefix("//"), Direction.OUTBOUND)
            return await self._still_holds(connection, subject)

    async def _still_holds(self, connection: AsyncConnection, subject: Claims) -> Claims:
        if subject.region:
            return subject  # a guest's home judges that; the domain refuses to speak for them anyway
        if subject.sub.startswith("staff/"):
            await self._posts(connection, subject.sub)
        if not subject.sub.startswith("persons/"):
            return subject
        if subject.authority is None:
            await acting.active_person(connection, subject.sub)
            return subject
        authority = subject.authority
        return replace(subject, authority=await self._authority(
            connection, subject.sub, authority.principal, authority.mandate
        ))  # fmt: skip

    async def _authority(self, connection: AsyncConnection, person: str, principal: str, mandate: str) -> Authority:
        """Returns the right to act as it holds now, for a token; its end is told by the clock of tokens."""
        found = await acting.right(connection, person, principal, mandate, self._clock.now())
        if found.basis is Basis.SELF:
            raise _unsupported("self", "nobody needs a token to act for themselves")
        if found.mandate is None:
            return Authority(principal, found.uscc)
        scope = found.mandate.scope
        items = ("*",) if scope.all_items else tuple(sorted(scope.item_codes))
        return Authority(
            principal, found.uscc, mandate, items, tuple(sorted(scope.powers)),
            int(on_wall(found.mandate.expire, self._clock.now(), self._codec.now()).timestamp()),
        )  # fmt: skip

    async def _act_for(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        subject = await self._access(request.subject_token)
        granted = scopes.narrow(subject.scope, request.scope)
        exchange.check_may_act(subject)
        async with self._database.read() as connection:
            authority = await self._authority(connection, subject.sub, request.on_behalf_of, request.mandate)
        return exchange.act_for(issue, subject, authority, granted)

    async def _at_window(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        person, member = await self._access(request.subject_token), await self._access(request.actor_token)
        exchange.check_window(person, member)
        async with self._database.read() as connection:
            await self._still_holds(connection, person)
            _, duties = await self._posts(connection, member.sub)
        mine = scopes.within(roles.PERSON, person.scope)
        theirs = scopes.within(_AT_WINDOW_ONLY, member.scope)
        clerk = exchange.Clerk(member, duties)
        return exchange.at_window(issue, person, clerk, scopes.narrow((*mine, *theirs), request.scope))

    async def _posts(self, connection: AsyncConnection, name: str) -> tuple[tuple[str, ...], frozenset[Duty]]:
        now = self._clock.now()
        row = await one(connection, staff, name)
        held, duties = facts_of(await staff_store.held(connection, [row.id], now), now)
        if row.state != "ACTIVE" or not held:
            raise FailedPrecondition("STAFF_NOT_ACTIVE", "the member of staff holds no post now", staff=name)
        return held, duties


def on_wall(moment: datetime, business: datetime, wall: datetime) -> datetime:
    """Returns when the machine's clock will show what the business clock calls ``moment``.

    Mandates go by the business clock, tokens by the machine's; a replay puts them years apart.
    """
    longest = timedelta(days=36_500)
    return wall + min(moment - business, longest)


def _unsupported(rule: str, message: str) -> InvalidArgument:
    return InvalidArgument("EXCHANGE_NOT_SUPPORTED", message, rule=rule)
