"""Signing in by password, keeping sessions, and setting a password at a page of ours: what the pages and tokens stand on.

Nothing that one signs in with is ever part of a record's digest, a log or an event.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from libs.crypto.envelope import Column
from libs.crypto.sm3 import sm3
from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, NotFound
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import Person, active_person, document_index, normal_number, person_by_document
from services.identity.core.parts import Parts
from services.identity.core.sessions import SESSION_LASTS, SessionState, SignInSession
from services.identity.signin import store
from services.identity.signin.passwords import BreachedPasswords, Passwords
from services.identity.signin.rules import (
    LONGEST_PASSWORD,
    PASSWORD,
    SHORTEST_PASSWORD,
    Authenticator,
    AuthenticatorKind,
    AuthenticatorState,
    EnrollmentRow,
    PasswordFault,
    end,
    normal_password,
    password_fault,
    session_level,
    short_agent,
)
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb

_METHOD = "signin."
_CITIZEN = "111"
_OTHER_DOCUMENTS = ("112", "114", "115", "118", "119", "120", "122", "411", "412", "413", "414", "511", "516", "553")
_ATTEMPT = Column("sign_in_attempts", "key")
_NOBODY = "persons/-"


@dataclass(frozen=True, slots=True)
class _Throttle:
    """So many attempts are free; then each has to wait, twice as long as the one before. One is forgotten in ``decay_seconds``."""

    free: int
    first_seconds: int
    decay_seconds: int
    longest_seconds: int = 900


_OF_ACCOUNT, _OF_ADDRESS = _Throttle(5, 30, 3600), _Throttle(100, 5, 36)
"""Many people share an address: it is held back at another pace, and what succeeds from it does not count."""


class SignInRefused(Exception):
    """The account is not known, or the password is not its own: one answer for both."""


class SignInTooSoon(Exception):
    """There were too many attempts, on the account or from the address."""


class EnrollmentOver(Exception):
    """The page was used, its time is over, or there never was one."""


@dataclass(frozen=True, slots=True)
class PasswordAttempt:
    """What somebody typed, and where: ``login`` is the number of a document; ``agent`` what the browser says of itself."""

    login: str
    password: str
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session, and the secret by which its browser shows it from now on."""

    session: SignInSession
    cookie: str


def digest(secret: str) -> bytes:
    """Returns what is stored of a random secret."""
    return sm3(secret.encode())


class SignIns:
    """Signs people in and out.

    Attributes:
        password_lengths: the shortest and the longest password that is taken.
    """

    password_lengths = (SHORTEST_PASSWORD, LONGEST_PASSWORD)

    def __init__(self, parts: Parts, passwords: Passwords, breached: BreachedPasswords) -> None:
        self._parts = parts
        self._passwords = passwords
        self._breached = breached

    async def by_password(self, attempt: PasswordAttempt, current: SignInSession | None) -> OpenedSession:
        """Signs somebody in; in their session ``current``, where they have one and it is theirs.

        Raises:
            SignInRefused, SignInTooSoon.
            ResourceExhausted: RATE_LIMITED, too many passwords wait to be checked.
        """
        account = self._key("account", attempt.login.strip().upper())
        await self._count(account, _OF_ACCOUNT)
        address = self._key("address", attempt.address)
        await self._count(address, _OF_ADDRESS)
        person, held = await self._found(attempt.login.strip())
        stored = self._parts.cipher.decrypt_text(store.VERIFIER, held.id, held.verifier) if held else None
        password = normal_password(attempt.password)
        same = await self._passwords.holds(password, stored)
        command = _command("password", person.name if person else "")
        if not same or person is None or held is None or stored is None:
            await self._parts.audit.write(command, person.name if person else _NOBODY, result="SIGN_IN_REFUSED")
            raise SignInRefused
        fresh = await self._passwords.hashed(password) if self._passwords.outdated(stored) else ""
        cookie = secrets.token_urlsafe(32)

        async def work(tx: Transaction) -> SignInSession:
            await active_person(tx.connection, person.name, lock=True)
            await store.forgive(tx.connection, account)
            await store.give_back(tx.connection, address)
            session = await self._opened(tx, person, cookie, attempt.agent, current)
            again = {"verifier": self._parts.cipher.encrypt_text(store.VERIFIER, held.id, fresh)} if fresh else {}
            await store.UPDATE_AUTHENTICATOR.first(tx.connection, held.id, last_use_time=self._now(), **again)
            tx.emit(session.name, events.SessionStarted(session=session.name, person=person.name))
            tx.record(session.name)
            return session

        return OpenedSession(await self._parts.uow.step(command, work), cookie)

    async def _count(self, key: bytes, throttle: _Throttle) -> None:
        now = self._now()
        async with self._parts.database.read() as connection:
            counted = await store.counted(
                connection,
                key=key,
                now=now,
                decay=throttle.decay_seconds,
                free=throttle.free,
                first=throttle.first_seconds,
                longest=throttle.longest_seconds,
            )
        if counted is None:
            raise SignInTooSoon

    def _key(self, kind: str, of: str) -> bytes:
        return self._parts.cipher.blind_index(_ATTEMPT, f"{kind}:{of}")

    async def _found(self, login: str) -> tuple[Person | None, Authenticator | None]:
        """Looks an account up by the number of a document, and its password; nobody's is looked up where there is none."""
        async with self._parts.database.read() as connection:
            person = await self._by_number(connection, login)
            held = await store.in_use(connection, person.name if person else _NOBODY, AuthenticatorKind.PASSWORD)
        return person, held

    async def _by_number(self, connection: DatabaseConnection, login: str) -> Person | None:
        indexes = self._indexes(login)
        found: Person | None = None
        for index in indexes:  # to the end: who is there takes as long as who is not
            try:
                found = await person_by_document(connection, index)
            except NotFound:
                continue
        return found

    def _indexes(self, login: str) -> list[bytes]:
        today = self._now().date()
        for types in ((_CITIZEN,), _OTHER_DOCUMENTS):
            found = []
            for each in types:
                try:
                    found.append(document_index(self._parts.cipher, each, normal_number(each, login, "login", today)))
                except InvalidArgument:
                    continue
            if found:
                return found
        return [document_index(self._parts.cipher, _CITIZEN, "")]

    async def _opened(
        self, tx: Transaction, person: Person, cookie: str, agent: str, current: SignInSession | None
    ) -> SignInSession:
        now, methods = self._now(), (PASSWORD,)
        level = session_level(person.assurance, methods)
        if current is not None and current.person == person.name:
            locked = await store.session(tx.connection, current.name, lock=True)
            if locked.state_at(now) is SessionState.ACTIVE:
                change = {"methods": methods, "assurance": level, "auth_time": now, "update_time": now}
                return await store.UPDATE_SESSION.one(tx.connection, locked.id, cookie=digest(cookie), **change)
        identifier = uuid7()
        said = self._parts.cipher.encrypt_text(store.USER_AGENT, identifier, short_agent(agent))
        times = (now, now + SESSION_LASTS, now, now)
        made = SignInSession(identifier, person.name, digest(cookie), methods, level, said, *times)
        return await store.ADD_SESSION.add(tx.connection, made)

    async def session_of(self, cookie: str) -> SignInSession | None:
        """Returns the session that a browser shows, as long as it lasts; None where it shows none."""
        if not cookie:
            return None
        async with self._parts.database.read() as connection:
            found = await store.session_by_cookie(connection, digest(cookie))
        return found if found and found.state_at(self._now()) is SessionState.ACTIVE else None

    async def ended(self, connection: DatabaseConnection, session: str) -> bool:
        """Says whether its owner ended a session, named by its id. One whose time is over was not ended."""
        return (await store.session(connection, f"sessions/{session}")).state is SessionState.ENDED

    async def sign_out(self, session: SignInSession) -> None:
        """Ends a session from its own browser; one that has ended already is not ended again."""

        async def work(tx: Transaction) -> None:
            locked = await store.session(tx.connection, session.name, lock=True)
            if locked.state_at(self._now()) is SessionState.ACTIVE:
                await self.end(tx, locked)
                tx.record(session.name)

        await self._parts.uow.step(_command("signOut", session.person), work)

    async def end(self, tx: Transaction, locked: SignInSession) -> SignInSession:
        """Ends a session and what rests on it; raises FailedPrecondition STATE_CONFLICT where it has ended."""
        now = self._now()
        state = end(locked, now)
        ended = await store.UPDATE_SESSION.one(tx.connection, locked.id, state=state, finish_time=now, update_time=now)
        await self._parts.withdrawals.withdraw(tx, locked.name)
        tx.emit(locked.name, events.SessionEnded(session=locked.name, person=locked.person))
        return ended

    async def enrollment(self, ticket: str) -> EnrollmentRow:
        """Returns the page that an address opens; raises EnrollmentOver."""
        async with self._parts.database.read() as connection:
            found = await store.enrollment(connection, digest(ticket))
        if found is None or found.used_time is not None or found.expire_time <= self._now():
            raise EnrollmentOver
        return found

    async def set_password(self, ticket: str, typed: str, again: str) -> PasswordFault | None:
        """Sets a password at an opened page, and uses that up; returns why it is not taken, or None. Raises EnrollmentOver."""
        opened = await self.enrollment(ticket)
        password = normal_password(typed)
        fault = await self._fault(opened.person, password)
        if password != normal_password(again):
            fault = PasswordFault.DIFFERENT
        if fault is not None:
            return fault
        await self._keep(opened, ticket, await self._passwords.hashed(password))
        return None

    async def _fault(self, person: str, password: str) -> PasswordFault | None:
        async with self._parts.database.read() as connection:
            row = await active_person(connection, person)
        cipher = self._parts.cipher
        known = (row.clear_name(cipher), row.clear_number(cipher), row.clear_phone(cipher))
        fault = password_fault(password, known)
        if fault is None and await self._breached.hold(password):
            return PasswordFault.BREACHED
        return fault

    async def _keep(self, opened: EnrollmentRow, ticket: str, hashed: str) -> None:
        identifier, now = uuid7(), self._now()
        verifier = self._parts.cipher.encrypt_text(store.VERIFIER, identifier, hashed)
        made = Authenticator(identifier, opened.person, AuthenticatorKind.PASSWORD, verifier, now, now)

        async def work(tx: Transaction) -> None:
            await active_person(tx.connection, opened.person, lock=True)
            if await store.use_enrollment(tx.connection, digest(ticket), now) is None:
                raise EnrollmentOver
            before = await store.in_use(tx.connection, opened.person, made.kind)
            if before is not None:
                await store.UPDATE_AUTHENTICATOR.one(
                    tx.connection, before.id, state=AuthenticatorState.SUPERSEDED, update_time=now
                )
            await store.ADD_AUTHENTICATOR.add(tx.connection, made)
            kind = pb.AUTHENTICATOR_KIND_PASSWORD
            tx.emit(made.name, events.AuthenticatorAdded(authenticator=made.name, person=made.person, kind=kind))
            tx.record(made.name)

        await self._parts.uow.step(_command("setPassword", opened.person), work)

    def _now(self) -> datetime:
        return self._parts.wall.now()


def _command(method: str, person: str) -> Command:
    """What is about to be done by a page. No digest: what was sent holds a password, and a digest of it could be guessed at."""
    return Command(
        caller=person or "anonymous",
        method=_METHOD + method,
        request_id=str(uuid.uuid4()),
        digest=b"",
        response_type=pb.Session,
        actor=person,
    )
