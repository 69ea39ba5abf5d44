"""Exchanging tokens (RFC 8693): what the store must tell before the domain decides, and what is kept afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from libs.access import addresses, roles, signing
from libs.access.actor import from_claims
from libs.errors import InvalidArgument, reasons
from services.identity.core import accounts, assurance, clients, scopes
from services.identity.core.claims import Claims, TokenType
from services.identity.core.client_rules import check_bound
from services.identity.core.issue import TokenIssue
from services.identity.core.parts import Parts
from services.identity.core.regions import require_trust
from services.identity.core.token_records import TokenRequest, token_name
from services.identity.core.trust import TrustDirection, TrustTerms, require_changes, require_covered
from services.identity.tokens import rules
from services.identity.tokens.acceptance import GuestAcceptance
from services.identity.tokens.mandate_uses import MandateUses
from services.identity.tokens.parties import Parties
from services.identity.tokens.routes import (
    ACCESS_URN,
    ASSERTION_URN,
    DELEGATION_URN,
    AskedExchange,
    ExchangeKind,
    route,
)
from tongban.identity.v1 import token_service_pb2 as pb

_URNS = {TokenType.ACCESS: ACCESS_URN, TokenType.ASSERTION: ASSERTION_URN, TokenType.DELEGATION: DELEGATION_URN}
_SEND = "cases.caseTransfers.send"
"""Whoever may not send an application to another region gets no delegation to do so."""
_AT_WINDOW_ONLY = tuple(sorted(set(roles.ASSISTED_PERSON) - set(roles.PERSON)))
Make = Callable[[pb.ExchangeTokenRequest, TokenIssue, TokenRequest], Awaitable[Claims]]


class TokenExchange:
    """Serves TokenService.ExchangeToken and the HTTP grant beside it."""

    def __init__(self, parts: Parts, *, certified_windows: bool = False) -> None:
        self._parts = parts
        self._certified = certified_windows
        self._parties = Parties(parts.clock, parts.wall)
        self._uses = MandateUses(parts)
        self._ways: dict[ExchangeKind, Make] = {
            ExchangeKind.ASSERT: self._assert,
            ExchangeKind.ACCEPT: GuestAcceptance(parts).accept,
            ExchangeKind.ACT_FOR: self._act_for,
            ExchangeKind.AT_WINDOW: self._at_window,
            ExchangeKind.DELEGATE: self._delegate,
            ExchangeKind.USE_DELEGATION: self._use_delegation,
        }

    async def exchange(self, request: pb.ExchangeTokenRequest, asked: TokenRequest) -> pb.ExchangeTokenResponse:
        """Exchanges a token; the record of it is written before the new one leaves.

        Args:
            request: what is asked.
            asked: the same for the record, which notes its receipt there.
        """
        kind, codec = self._kind(request), self._parts.codec
        made = await self._ways[kind](request, codec.issue(asked.key), asked)
        await self._require_bound(made, asked)
        for shown in asked.shown:
            # What does not stand now was told above; what stands again since bears no token of before.
            await self._parts.withdrawals.check(from_claims(shown.payload(), ""))
        if kind is ExchangeKind.ACT_FOR and request.mandate:
            await self._uses.count(request.mandate, asked.shown[0], made, asked)
        if kind is not ExchangeKind.ACCEPT:
            await self._parts.records.write(asked, made, token=token_name(made), transaction=made.txn)
        urn, token_type = _URNS[made.type], made.token_type if made.type is TokenType.ACCESS else "N_A"
        return pb.ExchangeTokenResponse(
            access_token=codec.encode(made),
            issued_token_type=urn,
            token_type=token_type,
            expires_in=made.lifetime,
            scope=" ".join(made.scope),
        )

    def _kind(self, request: pb.ExchangeTokenRequest) -> ExchangeKind:
        if bool(request.actor_token) != bool(request.actor_token_type):
            raise _unsupported("actor_token_type", "actor_token and actor_token_type come together")
        if request.mandate and not request.on_behalf_of:
            raise _unsupported("mandate", "a mandate is named with for whom it is")
        return route(
            AskedExchange(
                subject_type=request.subject_token_type,
                requested_type=request.requested_token_type,
                abroad=request.audience not in ("", f"//{self._parts.codec.region}"),
                actor=bool(request.actor_token),
                on_behalf_of=bool(request.on_behalf_of),
                transfer=bool(request.transfer),
            )
        )

    async def _access(self, token: str, asked: TokenRequest) -> Claims:
        """Reads an access token that was shown; it holds where its client calls from, and with its key, also to be exchanged.

        A service of the region, which was handed it, has no key, and what it gets is bound to none.
        """
        claims = await self._parts.codec.own(token, TokenType.ACCESS)
        asked.shown.append(claims)
        if asked.address is not None:
            addresses.require(claims.ip_ranges, claims.client_id, asked.address)
            rules.require_key(claims, asked.key)
            signing.require(claims.client_id, asked.signer, signs=claims.signs)
        return claims

    async def _require_bound(self, made: Claims, asked: TokenRequest) -> None:
        """Refuses a token through a client that has come to get others alone, by what they are bound to, made of one from before."""
        if made.type is not TokenType.ACCESS or made.region or asked.address is None:
            return
        async with self._parts.database.read() as connection:
            check_bound(await clients.client(connection, f"clients/{made.client_id}"), made.bound_key)

    async def _assert(self, request: pb.ExchangeTokenRequest, issue: TokenIssue, asked: TokenRequest) -> Claims:
        subject = await self._access(request.subject_token, asked)
        service = await self._access(request.actor_token, asked) if request.actor_token else None
        subject, terms = await self._outbound(request, subject)
        held = (service or subject).scope
        granted = scopes.narrow(scopes.to_read(held) if terms.reads_only else held, request.scope)
        made = rules.assertion(issue, subject, request.audience, granted, service)
        await self._parts.given.note(made, subject)
        return await self._parts.vouching.vouch_for(made, subject)

    async def _delegate(self, request: pb.ExchangeTokenRequest, issue: TokenIssue, asked: TokenRequest) -> Claims:
        subject = await self._access(request.subject_token, asked)
        scopes.check_covered(subject.scope, (_SEND,))
        subject, terms = await self._outbound(request, subject)
        # What it is good for, to send an application, changes something there.
        require_changes(request.audience.removeprefix("//"), terms)
        return rules.delegation(issue, subject, request.audience, request.transfer)

    async def _use_delegation(self, request: pb.ExchangeTokenRequest, issue: TokenIssue, asked: TokenRequest) -> Claims:
        kept = await self._parts.codec.own(request.subject_token, TokenType.DELEGATION)
        service = await self._access(request.actor_token, asked)
        kept, terms = await self._outbound(request, await self._followed(kept))
        require_changes(request.audience.removeprefix("//"), terms)
        granted = scopes.narrow(service.scope, request.scope)
        made = rules.use_delegation(issue, kept, service, request.audience, request.transfer, granted)
        await self._parts.given.note_of_delegation(made, kept)
        return await self._parts.vouching.vouch_for(made, kept)

    async def _followed(self, kept: Claims) -> Claims:
        """Returns a delegation of somebody whose account was merged into another since as one of that other's."""
        authority = kept.authority
        async with self._parts.database.read() as connection:
            sub = await accounts.current_name(connection, kept.sub)
            if authority is not None:
                principal = await accounts.current_name(connection, authority.principal)
                authority = replace(authority, principal=principal)
            former = kept.former if sub == kept.sub else (await accounts.active_person(connection, sub)).former_names
        return replace(kept, sub=sub, former=former, authority=authority)

    async def _outbound(self, request: pb.ExchangeTokenRequest, subject: Claims) -> tuple[Claims, TrustTerms]:
        """Checks that the trust and what the token says still hold; returns it with the authority as it is now, and what passes."""
        async with self._parts.database.read() as connection:
            region = await require_trust(connection, request.audience.removeprefix("//"), TrustDirection.OUTBOUND)
            terms = region.outbound
            known = await self._parties.standing(connection, subject, region.id)
            require_covered(region.id, terms, known.actor_kind, known.acr)
            return replace(known, acr=assurance.believed(known.acr, terms.max_assurance)), terms

    async def _act_for(self, request: pb.ExchangeTokenRequest, issue: TokenIssue, asked: TokenRequest) -> Claims:
        subject = await self._access(request.subject_token, asked)
        granted = scopes.narrow(subject.scope, request.scope)
        rules.check_may_act(subject)
        async with self._parts.database.read() as connection:
            await self._parties.standing(connection, subject)
            authority = await self._parties.authority(connection, subject.sub, request.on_behalf_of, request.mandate)
        return rules.act_for(issue, subject, authority, granted)

    async def _at_window(self, request: pb.ExchangeTokenRequest, issue: TokenIssue, asked: TokenRequest) -> Claims:
        person, member = (
            await self._access(request.subject_token, asked),
            await self._access(request.actor_token, asked),
        )
        rules.check_window(person, member)
        async with self._parts.database.read() as connection:
            person = await self._parties.standing(connection, person)
            member = await self._parties.standing(connection, member)
            duties = await self._parties.duties(connection, member.sub, member.substitution)
            # The own certificate of who sits there, also where they stand in for somebody.
            await self._parties.check_window(connection, member.sub, needed=self._certified)
        # The window alone adds what only it may do; beyond that both must hold it, the person and the clerk.
        mine = (*scopes.within(roles.PERSON, person.scope), *_AT_WINDOW_ONLY)
        granted = scopes.within(mine, member.scope)
        return rules.at_window(issue, person, rules.WindowClerk(member, duties), scopes.narrow(granted, request.scope))


def _unsupported(rule: str, message: str) -> InvalidArgument:
    return reasons.exchange_not_supported(message, rule=rule)
