"""Opening a session, by whatever somebody signed in with; and what the other ways to sign in have in common."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from libs.crypto.sm3 import sm3
from libs.db.command import Command
from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import Person
from services.identity.core.parts import Parts
from services.identity.core.sessions import SESSION_LASTS, SessionState, SignInSession
from services.identity.signin import store
from services.identity.signin.rules import session_level, short_agent
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb

NOBODY = "persons/-"
REFUSED = "SIGN_IN_REFUSED"
"""The result of a record of a sign-in that did not succeed."""
_METHOD = "signin."


class SignInRefused(Exception):
    """The account is not known, or what was shown is not its own: one answer for both."""


class SignInTooSoon(Exception):
    """There were too many attempts, on the account or from the address."""


class SignInNotJudged(Exception):
    """What was shown may be right: it can't be told just now, and nobody is signed in by it."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session, and the secret by which its browser shows it from now on."""

    session: SignInSession
    cookie: str


@dataclass(frozen=True, slots=True)
class Shown:
    """How somebody signed in, and what their browser says of itself.

    Attributes:
        set_at: the levels at which what they signed in with was set, or that a provider elsewhere is believed.
        auth_time: when they signed in; None means now.
    """

    set_at: tuple[int, ...]
    methods: tuple[str, ...]
    agent: str
    auth_time: datetime | None = None


def digest(secret: str) -> bytes:
    """Returns what is stored of a random secret."""
    return sm3(secret.encode())


def page_command(method: str, person: str) -> Command:
    """What is about to be done by a page. No digest: what was sent holds a password, and a digest of it could be guessed at."""
    return Command(
        caller=person or "anonymous",
        method=_METHOD + method,
        request_id=str(uuid.uuid4()),
        digest=b"",
        response_type=pb.Session,
        actor=person,
    )


class SessionOpening:
    """Opens sessions."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def opened(
        self, tx: Transaction, person: Person, shown: Shown, current: SignInSession | None
    ) -> OpenedSession:
        """Opens a session, or goes on in ``current``; the browser shows it by another secret from now on."""
        now, cookie = self._parts.wall.now(), secrets.token_urlsafe(32)
        level = session_level(person.assurance, shown.methods, shown.set_at)
        session = await self._gone_on(tx, person, shown, current, cookie, level)
        if session is None:
            identifier = uuid7()
            said = self._parts.cipher.encrypt_text(store.USER_AGENT, identifier, short_agent(shown.agent))
            began = shown.auth_time or now
            times = (began, began + SESSION_LASTS, now, now)
            made = SignInSession(identifier, person.name, digest(cookie), shown.methods, level, said, *times)
            session = await store.ADD_SESSION.add(tx.connection, made)
        tx.emit(session.name, events.SessionStarted(session=session.name, person=person.name))
        tx.record(session.name)
        return OpenedSession(session, cookie)

    async def _gone_on(
        self,
        tx: Transaction,
        person: Person,
        shown: Shown,
        current: SignInSession | None,
        cookie: str,
        level: int,
    ) -> SignInSession | None:
        if current is None or current.person != person.name:
            return None
        now, locked = self._parts.wall.now(), await store.session(tx.connection, current.name, lock=True)
        if locked.state_at(now) is not SessionState.ACTIVE:
            return None
        signed_in = shown.auth_time or now
        change = {"methods": shown.methods, "assurance": level, "auth_time": signed_in, "update_time": now}
        return await store.UPDATE_SESSION.one(tx.connection, locked.id, cookie=digest(cookie), **change)
