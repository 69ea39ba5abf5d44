"""Tokens for a person who signed in here: by the code, once, and by refresh tokens, each once (RFC 6749, 4.1.3 and 6).

A code or a refresh token that comes a second time was copied by somebody: then nothing more is given, to nobody.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from libs.access import roles
from libs.access.bound_keys import is_certificate, not_presented, not_proven
from libs.crypto.sm3 import sm3
from libs.db.command import Command
from libs.db.uow import Transaction
from libs.errors import TongbanError
from services.identity.core import sign_in_grants
from services.identity.core.accounts import Person, active_person
from services.identity.core.claims import ActorKind, Claims
from services.identity.core.client_rules import Client, ClientKind
from services.identity.core.issue import access, through
from services.identity.core.oauth_errors import OAuthRefusal
from services.identity.core.parts import Parts
from services.identity.core.scopes import both
from services.identity.core.sign_in_grants import GrantEnd, SignInGrant
from services.identity.core.token_form import TokenForm
from services.identity.core.token_records import TokenRequest
from services.identity.openid.held import MadeTokens, OAuthReply
from services.identity.openid.provider import OFFLINE, OPENID_SCOPES, Exchange, permissions_of
from services.identity.openid.refresh_tokens import RefreshTokens
from services.identity.signin.service import SignIns
from tongban.identity.v1 import token_service_pb2 as pb

REPEATED_WITHIN = timedelta(seconds=30)
"""So long after a refresh its client may repeat it, having lost the answer: it gets the same again."""
UNUSED = timedelta(days=30)
"""Who does not come for so long must sign in again."""
LONGEST = timedelta(days=90)
"""So long after they signed in, everybody must."""
_ACCESS_LASTS = timedelta(minutes=10)
"""No access token lives longer."""
_CODE, _REFRESH = "oauth.authorization-code", "oauth.refresh-token"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExchangeOutcome:
    """What an exchange ended with: the answer, or why there is none, which was kept all the same."""

    reply: OAuthReply | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GivenTo:
    """To whom tokens are given: a person, and the key that was proven, or the certificate of the connection; empty where there was neither."""

    person: Person
    key: str


class CodeGrants:
    """Serves the grants `authorization_code` and `refresh_token`."""

    def __init__(self, parts: Parts, sessions: SignIns, refresh_tokens: RefreshTokens) -> None:
        self._parts = parts
        self._sessions = sessions
        self._refresh_tokens = refresh_tokens

    async def by_code(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        """Gives tokens for a code; raises OAuthRefusal."""
        party, code = proven(client), form.required("code")

        async def work(tx: Transaction) -> ExchangeOutcome:
            grant = await sign_in_grants.by_code(tx.connection, sm3(code.encode()))
            if grant is None or grant.client != party.id:
                return ExchangeOutcome(reason="there is no such code")
            now = self._parts.wall.now()
            if grant.code_use_time is not None:
                await self.revoke_grant(tx, grant, GrantEnd.COPIED, now)
                return ExchangeOutcome(reason="the code was used before; nothing that it gave is good any more")
            person = await self.stands(tx, party, grant)
            if grant.revoke_time is not None or grant.code_expire_time <= now or person is None:
                return ExchangeOutcome(reason="the code is over")
            if grant.bound_key not in ("", asked.key):
                raise not_proven("dpop_jkt", "the code was asked for with another key")
            generation = 1 if OFFLINE in grant.scope.split() else 0
            reply = self._reply(party, grant, form.fields, generation, GivenTo(person, asked.key))
            if reply.status == 200:
                await self.begin(tx, grant, generation, now, asked.key)
                asked.receipts.append(tx.record(grant.name))
            return ExchangeOutcome(reply)

        return await self.answered(_CODE, asked, party, work)

    async def by_refresh_token(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        """Gives tokens for a refresh token, and the next one; raises OAuthRefusal."""
        party, shown = proven(client), self._refresh_tokens.read(form.required("refresh_token"))
        if shown is None:
            raise OAuthRefusal("invalid_grant", "this is no refresh token of this region")
        identifier, generation = shown

        async def work(tx: Transaction) -> ExchangeOutcome:
            grant = await sign_in_grants.grant(tx.connection, identifier, lock=True)
            if grant is None or grant.client != party.id:
                return ExchangeOutcome(reason="there is no such refresh token")
            now = self._parts.wall.now()
            person = await self.stands(tx, party, grant)
            if grant.revoke_time is not None or _over(grant, now) or person is None:
                return ExchangeOutcome(reason="the refresh token is over")
            next_one = _following(grant, generation, now)
            if next_one is None:
                await self.revoke_grant(tx, grant, GrantEnd.COPIED, now)
                return ExchangeOutcome(
                    reason="the refresh token was used before; nothing that it gave is good any more"
                )
            if grant.bound_key and not asked.key:
                raise _unbound(grant)
            reply = self._reply(party, grant, form.fields, next_one, GivenTo(person, asked.key))
            if reply.status == 200:
                if next_one != grant.generation:
                    change = {"generation": next_one, "rotate_time": now, "update_time": now}
                    until = until_at_most(grant, next_one, now)
                    await sign_in_grants.UPDATE.one(tx.connection, grant.id, **change, expire_time=until)
                asked.receipts.append(tx.record(grant.name))
            return ExchangeOutcome(reply)

        return await self.answered(_REFRESH, asked, party, work)

    async def begin(self, tx: Transaction, grant: SignInGrant, generation: int, now: datetime, key: str) -> None:
        """Notes that a sign-in's first tokens are given, with so many refresh tokens, bound to ``key`` where it is not empty."""
        change = {"code_use_time": now, "generation": generation, "rotate_time": now, "update_time": now}
        until = until_at_most(grant, generation, now)
        await sign_in_grants.UPDATE.one(tx.connection, grant.id, **change, expire_time=until, bound_key=key)

    async def answered(self, method: str, asked: TokenRequest, client: Client, work: Any) -> Json:
        """Runs one exchange, and returns its answer; raises OAuthRefusal, also where what is kept of it stands."""
        command = Command(
            caller=client.name,
            method=method,
            request_id=str(uuid.uuid4()),
            digest=asked.digest,
            response_type=pb.ExchangeTokenResponse,
            actor=client.name,
        )
        outcome: ExchangeOutcome = await self._parts.uow.step(command, work)
        if outcome.reply is None:
            raise OAuthRefusal("invalid_grant", outcome.reason)
        if outcome.reply.status != 200:
            told = dict(outcome.reply.body)
            raise OAuthRefusal(told["error"], told.get("error_description", ""), status=outcome.reply.status)
        return dict(outcome.reply.body)

    async def stands(self, tx: Transaction, client: Client, grant: SignInGrant) -> Person | None:
        """Returns the person where they can still act, did not end the session, and the client was not suspended since; else None."""
        if grant.client_suspensions != client.suspensions:
            return None
        try:
            person = await active_person(tx.connection, grant.person)
        except TongbanError:
            return None
        return None if await self._sessions.ended(tx.connection, grant.session) else person

    def _reply(
        self, client: Client, grant: SignInGrant, form: Mapping[str, str], generation: int, to: GivenTo
    ) -> OAuthReply:
        made = self.tokens(client, grant, generation, to, form.get("scope", ""))
        return Exchange(self._parts.codec, client, held=grant, tokens=made).answered(form)

    def tokens(
        self, client: Client, grant: SignInGrant, generation: int, to: GivenTo, narrowed: str = ""
    ) -> MadeTokens:
        """Makes what is given for a sign-in, with a refresh token of that number where it is not 0.

        Raises:
            Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED where the client gets tokens alone that are bound otherwise.
        """
        claims = replace(self._claims(client, grant, to.key, narrowed), former=to.person.former_names)
        refresh = self._refresh_tokens.make(grant, generation) if generation else ""
        return MadeTokens(self._parts.codec.encode(claims), claims.token_type, claims.lifetime, refresh)

    def _claims(self, client: Client, grant: SignInGrant, key: str, narrowed: str) -> Claims:
        """Builds what the access token says: what was granted, of what the client may have now."""
        asked = narrowed.split() or grant.scope.split()
        scope = (*sorted(OPENID_SCOPES.intersection(asked, grant.scope.split())), *_permitted(client, grant, asked))
        issue = self._parts.codec.issue(key)
        made = access(issue, grant.person, ActorKind.PERSON, scope, client.end)
        return replace(
            through(issue, client, made),
            acr=grant.assurance,
            auth_time=int(grant.auth_time.timestamp()),
            sid=grant.session,
            grant=grant.id,
        )

    async def revoke_grant(self, tx: Transaction, grant: SignInGrant, why: GrantEnd, now: datetime) -> None:
        """Ends a sign-in that stands, and notes why."""
        if grant.revoke_time is None:
            await sign_in_grants.UPDATE.one(
                tx.connection, grant.id, revoke_time=now, revoke_reason=why, update_time=now
            )
            await self._parts.withdrawals.withdraw(tx, grant.name)
        tx.record(grant.name, result="OK" if why is GrantEnd.RETURNED else "TOKEN_COPIED")

    async def revoke(self, token: str, client: Client, asked: TokenRequest) -> None:
        """Ends what a refresh token of the client stands for; of any other token nothing is told (RFC 7009, 2.2)."""
        shown = self._refresh_tokens.read(token)
        if shown is None:
            return

        async def work(tx: Transaction) -> None:
            grant = await sign_in_grants.grant(tx.connection, shown[0], lock=True)
            if grant is not None and grant.client == client.id:
                await self.revoke_grant(tx, grant, GrantEnd.RETURNED, self._parts.wall.now())

        command = Command(client.name, "oauth.revoke", str(uuid.uuid4()), asked.digest, pb.ExchangeTokenResponse)
        await self._parts.uow.step(command, work)

    async def recorded_user(self, person: str, client: str, asked: TokenRequest) -> None:
        """Records that a client was told who somebody is; raises Unavailable AUDIT_UNAVAILABLE, then nothing may be told."""
        command = Command(
            client,
            "oauth.userinfo",
            str(uuid.uuid4()),
            asked.digest,
            pb.ExchangeTokenResponse,
            actor=f"clients/{client}",
        )
        asked.receipts.append(await self._parts.audit.write(command, person, fields=("full_name",)))

    async def alive(self, token: str, client: Client) -> SignInGrant | None:
        """Returns what a refresh token of the client stands for, where it still does; else None."""
        shown = self._refresh_tokens.read(token)
        if shown is None:
            return None
        async with self._parts.database.read() as connection:
            grant = await sign_in_grants.grant(connection, shown[0])
            if grant is None or grant.client != client.id or grant.generation != shown[1]:
                return None
            if grant.client_suspensions != client.suspensions:
                return None
            ended = await self._sessions.ended(connection, grant.session)
        return None if ended or grant.revoke_time or _over(grant, self._parts.wall.now()) else grant


def _unbound(grant: SignInGrant) -> TongbanError:
    if is_certificate(grant.bound_key):
        return not_presented("missing", "the sign-in gives bound tokens alone: come with your certificate")
    return not_proven("bound", "the sign-in gives bound tokens alone")


def proven(client: Client | None) -> Client:
    """Returns the client that authenticated, to which people sign in; raises OAuthRefusal."""
    if client is None:
        raise OAuthRefusal("invalid_client", "the client must authenticate", status=401)
    if not client.signs_people_in:
        raise OAuthRefusal("unauthorized_client", "people don't sign in to this client")
    return client


def _permitted(client: Client, grant: SignInGrant, asked: list[str]) -> tuple[str, ...]:
    """Returns the permissions: what was asked, of the person's and, unless it is a channel, of the client's own.

    A channel that asked for none gets all of a person's, as by the word of its own (RFC 7523).
    """
    channel = client.kind is ClientKind.CHANNEL
    wanted = permissions_of(" ".join(asked))
    if not wanted and not permissions_of(grant.scope):
        return roles.PERSON if channel else ()
    granted = both(wanted, permissions_of(grant.scope) or roles.PERSON)
    held = both(granted, roles.PERSON)
    return held if channel else both(held, client.scopes)


def until_at_most(grant: SignInGrant, generation: int, now: datetime) -> datetime:
    """Returns until when a client can go on at most where it got tokens ``now`` and gets no others."""
    if not generation:
        return now + _ACCESS_LASTS
    return min(now + UNUSED, grant.auth_time + LONGEST) + _ACCESS_LASTS


def _over(grant: SignInGrant, now: datetime) -> bool:
    used = grant.rotate_time or grant.create_time
    return grant.auth_time + LONGEST <= now or used + UNUSED <= now


def _following(grant: SignInGrant, shown: int, now: datetime) -> int | None:
    """Returns the number of the refresh token that follows the one that was shown, or None where that was used long ago."""
    if shown == grant.generation:
        return shown + 1
    lately = grant.rotate_time is not None and now < grant.rotate_time + REPEATED_WITHIN
    return grant.generation if shown == grant.generation - 1 and lately else None
