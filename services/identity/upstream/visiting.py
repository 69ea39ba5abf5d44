"""Signing in at an identity provider: there with the browser, and back with a code."""

import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import AlreadyExists, FailedPrecondition, NotFound, not_found
from libs.ids.uuid7 import uuid7
from libs.observability.logs import logger
from services.identity.core.accounts import Person, active_person
from services.identity.core.parts import Parts
from services.identity.core.sessions import SignInSession
from services.identity.signin.service import (
    ELSEWHERE,
    NOBODY,
    REFUSED,
    OpenedSession,
    SessionOpening,
    Shown,
    SignInRefused,
    digest,
    page_command,
)
from services.identity.upstream import links, rules, store
from services.identity.upstream.id_tokens import LEEWAY_SECONDS, Identified, TokenRefused
from services.identity.upstream.links import AWAY_LASTS, UpstreamVisit
from services.identity.upstream.owners import Owners, ProvenThere, is_another
from services.identity.upstream.remote import BroughtCode, Providers
from services.identity.upstream.rules import Upstream, UpstreamState

_log = logger(__name__)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class AskedSignIn:
    """What a client asks of the sign-in: the least level, and how old it may be in seconds (None: as old as a session)."""

    level: int = 0
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Back:
    """What a browser brought back: the parameters, its cookie, and what it says of itself."""

    upstream: str
    parameters: Mapping[str, str]
    browser: str
    agent: str


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Somebody came back whose account belongs to nobody here: it is theirs who sign in and say so, by this secret."""

    upstream: Upstream
    secret: str


class Visits:
    """Sends people to identity providers, and takes them in again."""

    def __init__(self, parts: Parts, providers: Providers) -> None:
        self._parts = parts
        self._providers = providers
        self._opening = SessionOpening(parts)
        self._owners = Owners(parts)

    async def offered(self) -> list[Upstream]:
        """Returns the identity providers that people may be sent to."""
        async with self._parts.database.read() as connection:
            return await store.active(connection)

    async def there(self, name: str, ticket: str, browser: str, wish: AskedSignIn) -> str:
        """Returns where a browser is sent; raises NotFound, UpstreamAway."""
        upstream = await self._active(name)
        found = await self._providers.metadata(upstream)
        state, nonce, verifier, now = *(secrets.token_urlsafe(32) for _ in range(3)), self._parts.wall.now()
        key = uuid7()
        kept = self._parts.cipher.encrypt_text(links.SECRETS, key, json.dumps([ticket, verifier, nonce, wish.max_age]))
        made = UpstreamVisit(
            key, digest(state), upstream.id, digest(browser), digest(ticket), kept, now + AWAY_LASTS, now
        )
        async with self._parts.database.transaction() as connection:
            await links.FORGET_VISITS.all(connection, now=now)
            await links.ADD_VISIT.add(connection, made)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": upstream.client_id,
            "redirect_uri": self.redirect_uri(upstream),
            "scope": " ".join(("openid", *upstream.scopes)),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            # Always: only then an ID token has to tell when somebody signed in (OpenID Connect Core, 3.1.2.1).
            "max_age": str(_oldest(wish.max_age)),
        }
        if wish.level and (words := rules.asked_words(upstream, wish.level)):
            asked["acr_values"] = " ".join(words)
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{joint}{urlencode(asked)}"

    def redirect_uri(self, upstream: Upstream) -> str:
        """Where it sends browsers back to: an address of its own, so that none answers for another (RFC 9700, 4.4.2)."""
        return f"{self._parts.base_url}/oauth/upstream/{upstream.id}/callback"

    async def visit(self, back: Back) -> tuple[UpstreamVisit, str] | None:
        """Returns what a browser came back from, once, and the ticket of its sign-in; None where it did not come from here."""
        state = digest(back.parameters.get("state", ""))
        async with self._parts.database.read() as connection:
            found = await links.take_visit(connection, state, digest(back.browser), self._parts.wall.now(), known=False)
        if found is None or found.upstream != back.upstream:
            return None
        return found, str(self._kept(found)[0])

    async def taken(self, visit: UpstreamVisit, back: Back, current: SignInSession | None) -> OpenedSession | Unlinked:
        """Signs somebody in by what they brought back.

        Raises:
            SignInRefused: the provider refuses, or what it says is not taken.
            UpstreamAway.
            NotFound: the provider has ended meanwhile.
        """
        upstream = await self._active(f"upstreams/{visit.upstream}")
        try:
            who = await self._identified(upstream, visit, back)
        except TokenRefused as refusal:
            _log.warning("sign-in at an identity provider refused", upstream=upstream.name, rule=refusal.rule)
            await self._refused("")
            raise SignInRefused from refusal
        level = rules.believed(upstream, who.acr)
        account, proven = self._owners.account(upstream, who.subject), await self._owners.proven(upstream, who, level)
        expected = await self._owners.known(account) or proven.person

        async def work(tx: Transaction) -> OpenedSession | None:
            await self._active_in(tx.connection, upstream.name)
            link = await self._owners.living(tx, account)
            if link is None and not proven.person:
                return None
            person = await self._owner(tx.connection, link.person if link else proven.person, proven)
            if link is None:
                link = await self._owners.linked(tx, person, upstream, account, level)
            await links.UPDATE.one(tx.connection, link.id, last_use_time=self._parts.wall.now())
            # Name and number prove anew who it is; a link alone is worth no more than the sign-in that made it.
            worth = level if proven.person == person.name else min(level, link.assurance)
            shown = Shown((worth,), (ELSEWHERE,), back.agent, self._auth_time(who, visit))
            return await self._opening.opened(tx, person, shown, current)

        try:
            opened = await self._step(page_command("upstream", expected), work)
        except SignInRefused:
            await self._refused(expected)
            raise
        return opened or await self._unlinked(upstream, visit, account, proven)

    async def link(self, secret: str, request: bytes, browser: str, session: SignInSession) -> None:
        """Links the account that somebody came back by with whose ``session`` began in the same browser, and who said so.

        Nothing is linked where they were proven there to be somebody else. Raises NotFound: the provider has ended meanwhile.
        """
        async with self._parts.database.read() as connection:
            now = self._parts.wall.now()
            found = await links.take_visit(connection, digest(secret), digest(browser), now, known=True)
        if found is None or found.request != request:
            return
        document = bytes.fromhex(self._kept(found)[0])

        async def work(tx: Transaction) -> None:
            upstream = await self._active_in(tx.connection, f"upstreams/{found.upstream}")
            # In the order in which signing in locks them: two at a time wait, and don't block one another.
            link = await self._owners.living(tx, found.account)
            holder = await active_person(tx.connection, session.person, lock=True)
            if await is_another(tx.connection, document, holder.name):
                tx.record(holder.name, result=REFUSED)
            elif link is None:
                await self._owners.linked(tx, holder, upstream, found.account, session.assurance)

        await self._step(page_command("link", session.person), work)

    async def _step(self, command: Command, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs a step; once more where the same account was linked at the same time, which is seen then."""
        try:
            return await self._parts.uow.step(command, work)
        except AlreadyExists:
            return await self._parts.uow.step(command, work)

    async def _owner(self, connection: DatabaseConnection, name: str, proven: ProvenThere) -> Person:
        """Reads and locks whose account it is; raises SignInRefused where that is closed, or who came was proven to be another."""
        try:
            person = await active_person(connection, name, lock=True)
        except (FailedPrecondition, NotFound) as error:
            raise SignInRefused from error
        if await is_another(connection, proven.document, person.name):
            raise SignInRefused
        return person

    async def _identified(self, upstream: Upstream, visit: UpstreamVisit, back: Back) -> Identified:
        said = back.parameters.get("iss")
        names_itself = (await self._providers.metadata(upstream)).names_itself
        if (said is not None or names_itself) and said != upstream.issuer:
            raise TokenRefused("iss")
        if "error" in back.parameters or not back.parameters.get("code"):
            raise TokenRefused("refused")
        _, verifier, nonce, max_age = self._kept(visit)
        brought = BroughtCode(back.parameters["code"], self.redirect_uri(upstream), verifier, nonce)
        who = await self._providers.identified(upstream, brought)
        if who.auth_time + _oldest(max_age) + LEEWAY_SECONDS < visit.create_time.timestamp():
            raise TokenRefused("auth_time")
        return who

    async def _unlinked(
        self, upstream: Upstream, visit: UpstreamVisit, account: bytes, proven: ProvenThere
    ) -> Unlinked:
        secret, now, key = secrets.token_urlsafe(32), self._parts.wall.now(), uuid7()
        kept = self._parts.cipher.encrypt_text(links.SECRETS, key, json.dumps([proven.document.hex()]))
        made = UpstreamVisit(
            key, digest(secret), upstream.id, visit.browser, visit.request, kept, now + AWAY_LASTS, now, account
        )
        async with self._parts.database.transaction() as connection:
            await links.ADD_VISIT.add(connection, made)
        return Unlinked(upstream, secret)

    async def _active(self, name: str) -> Upstream:
        async with self._parts.database.read() as connection:
            return await self._active_in(connection, name)

    async def _active_in(self, connection: DatabaseConnection, name: str) -> Upstream:
        found = await store.upstream(connection, name)
        if found.state is not UpstreamState.ACTIVE:
            raise not_found(name)
        return found

    def _kept(self, visit: UpstreamVisit) -> list[Any]:
        found: list[Any] = json.loads(self._parts.cipher.decrypt_text(links.SECRETS, visit.id, visit.secrets))
        return found

    def _auth_time(self, who: Identified, visit: UpstreamVisit) -> datetime:
        """When they signed in: not before they were sent there, where they did so on this visit; clocks differ by some seconds."""
        said = datetime.fromtimestamp(who.auth_time, UTC)
        if said < visit.create_time - timedelta(seconds=LEEWAY_SECONDS):
            return said
        return min(max(said, visit.create_time), self._parts.wall.now())

    async def _refused(self, person: str) -> None:
        await self._parts.audit.write(page_command("upstream", person), person or NOBODY, result=REFUSED)


def _oldest(max_age: int | None) -> int:
    return rules.OLDEST_SECONDS if max_age is None else min(max_age, rules.OLDEST_SECONDS)
