"""Accepting another region's assertion: a local token for a guest (一地认证、全网通办)."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta

from libs.access import roles
from libs.errors import PermissionDenied, TongbanError, Unauthenticated, reasons
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.core import scopes, trust
from services.identity.core.claims import LEEWAY_SECONDS, Claims, TokenType, from_payload
from services.identity.core.codec import check_header, read_unverified, verified_by_stored
from services.identity.core.guest_homes import note_guest
from services.identity.core.issue import TokenIssue, guest_kind
from services.identity.core.mandates import AssertedRight
from services.identity.core.names import region_of
from services.identity.core.parts import Parts
from services.identity.core.regions import ListedRegion
from services.identity.core.token_records import TokenRequest, token_name
from services.identity.tokens import rules, store
from tongban.identity.v1 import token_service_pb2 as pb

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GuestAcceptance:
    """Checks assertions against the keys that are pinned for their region."""

    parts: Parts

    async def accept(self, request: pb.ExchangeTokenRequest, issue: TokenIssue, asked: TokenRequest) -> Claims:
        """Turns an assertion into the claims of a guest's token; a refusal of a signed one is recorded too."""
        claims, region = await self._read(request.subject_token)
        try:
            made = await self._judge(issue, claims, region, request.scope)
        except (Unauthenticated, PermissionDenied) as refusal:
            token = f"//{region.id}/tokens/{claims.jti}"
            await self.parts.records.write(asked, claims, token=token, transaction=claims.txn, result=refusal.reason)
            raise
        await self._note(made)
        await self._remember(made)
        await self.parts.vouching.believe(claims, region.id)
        await self.parts.records.write(asked, made, token=token_name(made), transaction=claims.txn)
        return made

    async def _read(self, token: str) -> tuple[Claims, ListedRegion]:
        """Reads an assertion whose signature holds under a key of the region that its issuer is pinned for."""
        header, unverified = read_unverified(token)
        check_header(header, TokenType.ASSERTION)
        async with self.parts.database.read() as connection:
            region = await store.by_issuer(connection, str(unverified.get("iss", "")))
        if region is None:
            home = region_of(str(unverified.get("sub", "")))
            raise reasons.region_not_trusted("the issuer is not on the trust list", region=home)
        return from_payload(TokenType.ASSERTION, verified_by_stored(token, header, region.jwks)), region

    async def _judge(self, issue: TokenIssue, claims: Claims, region: ListedRegion, scope: str) -> Claims:
        trust.require(region.id, region.trust, trust.TrustDirection.INBOUND)
        home = rules.HomeRegion(region.id, region.issuer, region.inbound.max_assurance)
        rules.check_assertion(issue, claims, home)
        # Who proved a key at home proves it here too: an assertion that was copied is of no use.
        rules.require_key(claims, issue.key)
        trust.require_covered(region.id, region.inbound, claims.actor_kind, claims.acr)
        role = roles.of_guest(guest_kind(claims.actor_kind), reads_only=region.inbound.reads_only)
        # What the guest could do at home and what guests may do here: a border gives nobody a right.
        made = rules.accept(issue, claims, home, scopes.narrow(scopes.both(role, claims.scope), scope))
        made = replace(made, txn=_followed(claims))
        if made.txn:
            await self.parts.withdrawals.check_assertion(region.id, made.txn)
        # Last, so that a mistake in the request does not use the assertion up.
        seconds = claims.exp + LEEWAY_SECONDS - issue.iat
        if not await self.parts.once.take("assertion", claims.iss, claims.jti, seconds):
            raise reasons.assertion_replayed("the assertion was used before", region=region.id)
        return made

    async def _note(self, made: Claims) -> None:
        """Has the guest's home asked what it withdraws, for as long as the token lives."""
        if made.txn:
            async with self.parts.database.read() as connection:
                await note_guest(connection, made.region, made.exp, self.parts.wall.now())

    async def _remember(self, made: Claims) -> None:
        """Keeps what the other region says of the right to act, for CheckMandate to answer by."""
        if made.authority is None:
            return
        authority, now = made.authority, self.parts.clock.now()
        left = timedelta(seconds=authority.expire) - timedelta(seconds=self.parts.wall.now().timestamp())
        try:
            expire = now + left if authority.expire else None
        except OverflowError as error:
            raise _too_far() from error
        right = AssertedRight(
            made.sub,
            authority.principal,
            authority.mandate,
            made.region,
            authority.items,
            authority.powers,
            expire,
            now,
            made.txn,
        )
        await store.remember(self.parts.database, right)


def _followed(claims: Claims) -> str:
    """Returns the id by which home tells that an assertion no longer stands; a service alone rests on nothing but its region."""
    alone = parse_subject(claims.sub).kind is SubjectKind.SERVICE
    return claims.txn if _UUID.fullmatch(claims.txn) and not alone else ""


def _too_far() -> TongbanError:
    return reasons.token_invalid("the authority ends after the end of calendars", rule="mandate_exp")
