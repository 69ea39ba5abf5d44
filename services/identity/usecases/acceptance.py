"""Accepting another region's assertion: a local token for a guest (一地认证、全网通办)."""

from datetime import timedelta

from libs.clock import Clock
from libs.db.command import digest_of
from libs.db.engine import Database, Row
from libs.errors import PermissionDenied, TongbanError, Unauthenticated, reasons
from services.identity.domain import exchange, roles, scopes
from services.identity.domain import regions as trust
from services.identity.domain.claims import LEEWAY_SECONDS, Claims, TokenType, from_payload
from services.identity.domain.issue import Issue
from services.identity.store.mandates import remember_right
from services.identity.store.regions import by_issuer
from services.identity.tokens.codec import TokenCodec, check_header, peek, verified_by_stored
from services.identity.tokens.replay import UsedOnce
from services.identity.usecases.caller import region_of
from services.identity.usecases.token_records import TokenRecords, token_name
from services.identity.usecases.vouching import Vouching
from tongban.identity.v1 import token_service_pb2 as pb

_METHOD = "tongban.identity.v1.TokenService.ExchangeToken"


class Acceptance:
    """Checks assertions against the keys that are pinned for their region."""

    def __init__(
        self,
        codec: TokenCodec,
        database: Database,
        clock: Clock,
        once: UsedOnce,
        records: TokenRecords,
        vouching: Vouching,
    ) -> None:
        self._vouching = vouching
        self._codec = codec
        self._database = database
        self._clock = clock
        self._once = once
        self._records = records

    async def accept(self, request: pb.ExchangeTokenRequest, issue: Issue) -> Claims:
        """Turns an assertion into the claims of a guest's token; a refusal of a signed one is recorded too."""
        claims, region = await self._read(request.subject_token)
        try:
            made = await self._judge(issue, claims, region, request.scope)
        except (Unauthenticated, PermissionDenied) as refusal:
            await self._records.write(
                _METHOD,
                digest_of(request),
                claims,
                token=f"//{region.id}/tokens/{claims.jti}",
                transaction=claims.txn,
                result=refusal.reason,
            )
            raise
        await self._remember(made)
        await self._vouching.believe(claims, region.id)
        await self._records.write(_METHOD, digest_of(request), made, token=token_name(made), transaction=claims.txn)
        return made

    async def _read(self, token: str) -> tuple[Claims, Row]:
        """Reads an assertion whose signature holds under a key of the region that its issuer is pinned for."""
        header, unverified = peek(token)
        check_header(header, TokenType.ASSERTION)
        async with self._database.read() as connection:
            region = await by_issuer(connection, str(unverified.get("iss", "")))
        if region is None:
            home = region_of(str(unverified.get("sub", "")))
            raise reasons.region_not_trusted("the issuer is not on the trust list", region=home)
        return from_payload(TokenType.ASSERTION, verified_by_stored(token, header, region.jwks)), region

    async def _judge(self, issue: Issue, claims: Claims, region: Row, scope: str) -> Claims:
        trust.require(region.id, trust.State(region.state), trust.Direction.INBOUND)
        home = exchange.Home(region.id, region.issuer, region.max_assurance)
        exchange.check_assertion(issue, claims, home)
        role = roles.of_guest(exchange.guest_kind(claims.actor_kind))
        # What the guest could do at home and what guests may do here: a border gives nobody a right.
        made = exchange.accept(issue, claims, home, scopes.narrow(scopes.both(role, claims.scope), scope))
        # Last, so that a mistake in the request does not use the assertion up.
        seconds = claims.exp + LEEWAY_SECONDS - issue.iat
        if not await self._once.take("assertion", claims.iss, claims.jti, seconds):
            raise reasons.assertion_replayed("the assertion was used before", region=region.id)
        return made

    async def _remember(self, made: Claims) -> None:
        """Keeps what the other region says of the right to act, for CheckMandate to answer by."""
        if made.authority is None:
            return
        authority, now = made.authority, self._clock.now()
        left = timedelta(seconds=authority.expire) - timedelta(seconds=self._codec.now().timestamp())
        try:
            async with self._database.transaction() as connection:
                await remember_right(
                    connection,
                    {
                        "person": made.sub,
                        "principal": authority.principal,
                        "mandate": authority.mandate,
                        "region": made.region,
                        "item_codes": list(authority.items),
                        "powers": list(authority.powers),
                        "expire_time": now + left if authority.expire else None,
                        "assert_time": now,
                    },
                )
        except OverflowError as error:
            raise _too_far() from error


def _too_far() -> TongbanError:
    return reasons.token_invalid("the authority ends after the end of calendars", rule="mandate_exp")
