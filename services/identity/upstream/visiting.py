"""Signing in at an identity provider: there with the browser, back with a code, and whose account here it is.

Nobody is found by an e-mail address or a phone: those are typed in, and change hands.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from libs import names
from libs.crypto.envelope import Column
from libs.db.uow import Transaction
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, not_found
from libs.ids.uuid7 import uuid7
from libs.observability.logs import logger
from services.identity.core.accounts import (
    IN_USE,
    Person,
    active_person,
    current_name,
    document_index,
    find_person,
    normal_number,
    person_by_document,
)
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
from services.identity.upstream.links import AWAY_LASTS, AccountLink, AccountLinkState, UpstreamVisit
from services.identity.upstream.remote import BroughtCode, Providers
from services.identity.upstream.rules import Upstream, UpstreamState
from tongban.identity.v1 import events_pb2 as events

_log = logger(__name__)
_ACCOUNT = Column("account_links", "account")
_CITIZEN = "111"
_LONGEST_TEXT = 200


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
        account = self._parts.cipher.blind_index(_ACCOUNT, f"{upstream.issuer}\0{who.subject}")
        level, times = rules.believed(upstream, who.acr), self._auth_time(who, visit)
        shown = Shown((level,), (ELSEWHERE,), back.agent, times)
        proven = await self._proven(upstream, who, level)

        async def work(tx: Transaction) -> OpenedSession | None:
            link = await self._living_link(tx, account)
            owner = link.person if link else proven
            if not owner:
                return None
            person = await active_person(tx.connection, owner, lock=True)
            if link is None:
                link = await self._linked(tx, person, upstream, account)
            await links.UPDATE.one(tx.connection, link.id, last_use_time=self._parts.wall.now())
            return await self._opening.opened(tx, person, shown, current)

        try:
            opened = await self._parts.uow.step(page_command("upstream", proven), work)
        except (FailedPrecondition, NotFound) as error:  # the account is closed
            await self._refused(proven)
            raise SignInRefused from error
        return opened or await self._unlinked(upstream, visit, account)

    async def link(self, secret: str, request: bytes, browser: str, person: str) -> None:
        """Links the account that somebody came back by with ``person``, who signed in in the same browser and said so."""
        async with self._parts.database.read() as connection:
            now = self._parts.wall.now()
            found = await links.take_visit(connection, digest(secret), digest(browser), now, known=True)
        if found is None or found.request != request:
            return
        upstream = await self._active(f"upstreams/{found.upstream}")

        async def work(tx: Transaction) -> None:
            holder = await active_person(tx.connection, person, lock=True)
            if await self._living_link(tx, found.account) is None:
                await self._linked(tx, holder, upstream, found.account)

        await self._parts.uow.step(page_command("link", person), work)

    async def _living_link(self, tx: Transaction, account: bytes) -> AccountLink | None:
        """Reads the link of an account there: under the name that leads on where two accounts became one; what an account had that is closed ends."""
        link = await links.link_of(tx.connection, account)
        if link is None:
            return None
        owner, now = await current_name(tx.connection, link.person), self._parts.wall.now()
        found = await find_person(tx.connection, owner)
        if found is not None and found.state == IN_USE:
            if owner == link.person:
                return link
            return await links.UPDATE.one(tx.connection, link.id, person=owner, update_time=now)
        await links.UPDATE.one(tx.connection, link.id, state=AccountLinkState.REMOVED, update_time=now)
        tx.emit(link.name, events.AccountLinkRemoved(account_link=link.name, person=link.person))
        tx.record(link.name)
        return None

    async def _linked(self, tx: Transaction, person: Person, upstream: Upstream, account: bytes) -> AccountLink:
        now = self._parts.wall.now()
        made = await links.ADD.add(tx.connection, AccountLink(uuid7(), person.name, upstream.id, account, now, now))
        tx.emit(made.name, events.AccountLinkAdded(account_link=made.name, person=person.name, upstream=upstream.name))
        tx.record(made.name)
        return made

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

    async def _proven(self, upstream: Upstream, who: Identified, level: int) -> str:
        """Returns who here has the number and the name that are told, both proven there and here; an empty string where nobody has."""
        number, full_name = (_text(who.claims, each) for each in (upstream.number_claim, upstream.full_name_claim))
        if not (upstream.number_claim and number and full_name) or level < rules.PROVEN:
            return ""
        try:
            normal = normal_number(_CITIZEN, number, "number", self._parts.clock.now().date())
            index = document_index(self._parts.cipher, _CITIZEN, normal)
            async with self._parts.database.read() as connection:
                person = await person_by_document(connection, index)
        except (InvalidArgument, NotFound):
            return ""
        same = names.same(person.clear_name(self._parts.cipher), full_name)
        return person.name if same and person.assurance >= rules.PROVEN else ""

    async def _unlinked(self, upstream: Upstream, visit: UpstreamVisit, account: bytes) -> Unlinked:
        secret, now, key = secrets.token_urlsafe(32), self._parts.wall.now(), uuid7()
        kept = self._parts.cipher.encrypt_text(links.SECRETS, key, "[]")
        made = UpstreamVisit(
            key, digest(secret), upstream.id, visit.browser, visit.request, kept, now + AWAY_LASTS, now, account
        )
        async with self._parts.database.transaction() as connection:
            await links.ADD_VISIT.add(connection, made)
        return Unlinked(upstream, secret)

    async def _active(self, name: str) -> Upstream:
        async with self._parts.database.read() as connection:
            found = await store.upstream(connection, name)
        if found.state is not UpstreamState.ACTIVE:
            raise not_found(name)
        return found

    def _kept(self, visit: UpstreamVisit) -> list[Any]:
        found: list[Any] = json.loads(self._parts.cipher.decrypt_text(links.SECRETS, visit.id, visit.secrets))
        return found

    def _auth_time(self, who: Identified, visit: UpstreamVisit) -> datetime:
        """When they signed in: now, where they did so on this visit; clocks differ by some seconds."""
        said = datetime.fromtimestamp(who.auth_time, UTC)
        fresh = said >= visit.create_time - timedelta(seconds=LEEWAY_SECONDS)
        return self._parts.wall.now() if fresh else said

    async def _refused(self, person: str) -> None:
        await self._parts.audit.write(page_command("upstream", person), person or NOBODY, result=REFUSED)


def _oldest(max_age: int | None) -> int:
    return rules.OLDEST_SECONDS if max_age is None else min(max_age, rules.OLDEST_SECONDS)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST_TEXT else ""
