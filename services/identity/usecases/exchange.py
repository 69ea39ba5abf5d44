"""Exchanging tokens (RFC 8693): what the store must tell before the domain decides, and what is kept afterwards."""

from collections.abc import Awaitable, Callable

from libs.clock import Clock
from libs.db.command import digest_of
from libs.db.engine import Database
from libs.errors import InvalidArgument, reasons
from services.identity.domain import exchange, roles, scopes
from services.identity.domain.claims import Claims, TokenType
from services.identity.domain.exchange import ACCESS_URN, ASSERTION_URN, DELEGATION_URN, Route
from services.identity.domain.issue import Issue
from services.identity.domain.regions import Direction
from services.identity.tokens.codec import TokenCodec
from services.identity.usecases import acting
from services.identity.usecases.acceptance import Acceptance
from services.identity.usecases.parties import Parties
from services.identity.usecases.token_records import TokenRecords, token_name
from services.identity.usecases.vouching import Vouching
from tongban.identity.v1 import token_service_pb2 as pb

_METHOD = "tongban.identity.v1.TokenService.ExchangeToken"
_URNS = {
    TokenType.ACCESS: (ACCESS_URN, "Bearer"),
    TokenType.ASSERTION: (ASSERTION_URN, "N_A"),
    TokenType.DELEGATION: (DELEGATION_URN, "N_A"),
}
_SEND = "cases.transfers.send"
"""Whoever may not send an application to another region gets no delegation to do so."""
_AT_WINDOW_ONLY = tuple(sorted(set(roles.ASSISTED_PERSON) - set(roles.PERSON)))


class Exchange:
    """The use case of TokenService.ExchangeToken and of the HTTP grant beside it."""

    def __init__(
        self,
        codec: TokenCodec,
        database: Database,
        clock: Clock,
        acceptance: Acceptance,
        records: TokenRecords,
        vouching: Vouching,
    ) -> None:
        self._vouching = vouching
        self._codec = codec
        self._database = database
        self._parties = Parties(clock, codec)
        self._records = records
        self._routes: dict[Route, Callable[[pb.ExchangeTokenRequest, Issue], Awaitable[Claims]]] = {
            Route.ASSERT: self._assert,
            Route.ACCEPT: acceptance.accept,
            Route.ACT_FOR: self._act_for,
            Route.AT_WINDOW: self._at_window,
            Route.DELEGATE: self._delegate,
            Route.USE_DELEGATION: self._use_delegation,
        }

    async def exchange(self, request: pb.ExchangeTokenRequest) -> pb.ExchangeTokenResponse:
        """Exchanges a token; the record of it is written before the new one leaves."""
        route = self._route(request)
        made = await self._routes[route](request, self._codec.issue())
        if route is not Route.ACCEPT:
            await self._records.write(_METHOD, digest_of(request), made, token=token_name(made), transaction=made.txn)
        urn, kind = _URNS[made.type]
        return pb.ExchangeTokenResponse(
            access_token=self._codec.encode(made),
            issued_token_type=urn,
            token_type=kind,
            expires_in=made.lifetime,
            scope=" ".join(made.scope),
        )

    def _route(self, request: pb.ExchangeTokenRequest) -> Route:
        if bool(request.actor_token) != bool(request.actor_token_type):
            raise _unsupported("actor_token_type", "actor_token and actor_token_type come together")
        if request.mandate and not request.on_behalf_of:
            raise _unsupported("mandate", "a mandate is named with for whom it is")
        return exchange.route(
            exchange.Asked(
                subject_type=request.subject_token_type,
                requested_type=request.requested_token_type,
                abroad=request.audience not in ("", f"//{self._codec.region}"),
                actor=bool(request.actor_token),
                on_behalf_of=bool(request.on_behalf_of),
                transfer=bool(request.transfer),
            )
        )

    async def _access(self, token: str) -> Claims:
        return await self._codec.own(token, TokenType.ACCESS)

    async def _assert(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        subject = await self._access(request.subject_token)
        service = await self._access(request.actor_token) if request.actor_token else None
        subject = await self._outbound(request, subject)
        granted = scopes.narrow((service or subject).scope, request.scope)
        made = exchange.assertion(issue, subject, request.audience, granted, service)
        return await self._vouching.speak(made, subject)

    async def _delegate(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        subject = await self._access(request.subject_token)
        scopes.check_covered(subject.scope, (_SEND,))
        subject = await self._outbound(request, subject)
        return exchange.delegation(issue, subject, request.audience, request.transfer)

    async def _use_delegation(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        kept = await self._codec.own(request.subject_token, TokenType.DELEGATION)
        service = await self._access(request.actor_token)
        kept = await self._outbound(request, kept)
        granted = scopes.narrow(service.scope, request.scope)
        made = exchange.use_delegation(issue, kept, service, request.audience, request.transfer, granted)
        return await self._vouching.speak(made, kept)

    async def _outbound(self, request: pb.ExchangeTokenRequest, subject: Claims) -> Claims:
        """Checks that the trust and what the token says still hold; returns it with the authority as it is now."""
        async with self._database.read() as connection:
            await acting.require_trust(connection, request.audience.removeprefix("//"), Direction.OUTBOUND)
            return await self._parties.standing(connection, subject)

    async def _act_for(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        subject = await self._access(request.subject_token)
        granted = scopes.narrow(subject.scope, request.scope)
        exchange.check_may_act(subject)
        async with self._database.read() as connection:
            await self._parties.standing(connection, subject)
            authority = await self._parties.authority(connection, subject.sub, request.on_behalf_of, request.mandate)
        return exchange.act_for(issue, subject, authority, granted)

    async def _at_window(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        person, member = await self._access(request.subject_token), await self._access(request.actor_token)
        exchange.check_window(person, member)
        async with self._database.read() as connection:
            person = await self._parties.standing(connection, person)
            member = await self._parties.standing(connection, member)
            duties = await self._parties.duties(connection, member.sub)
        # The window alone adds what only it may do; beyond that both must hold it, the person and the clerk.
        mine = (*scopes.within(roles.PERSON, person.scope), *_AT_WINDOW_ONLY)
        granted = scopes.within(mine, member.scope)
        return exchange.at_window(issue, person, exchange.Clerk(member, duties), scopes.narrow(granted, request.scope))


def _unsupported(rule: str, message: str) -> InvalidArgument:
    return reasons.exchange_not_supported(message, rule=rule)
