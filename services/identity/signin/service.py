"""Signing in by password, keeping sessions, and setting a password at a page of ours: what the pages and tokens stand on.

Nothing that one signs in with is ever part of a record's digest, a log or an event.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from libs.crypto.sm3 import sm3
from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, NotFound
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import Person, active_person, document_index, normal_number, person_by_document
from services.identity.core.parts import Parts
from services.identity.core.session_ends import end_session
from services.identity.core.sessions import SESSION_LASTS, SessionState, SignInSession
from services.identity.signin import store
from services.identity.signin.one_time_codes import setup_uri, step_of
from services.identity.signin.passwords import BreachedPasswords, Passwords
from services.identity.signin.rules import (
    LONGEST_PASSWORD,
    ONE_TIME_CODE,
    PASSWORD,
    SHORTEST_PASSWORD,
    Authenticator,
    AuthenticatorKind,
    AuthenticatorState,
    EnrollmentRow,
    PasswordFault,
    check_open,
    normal_password,
    password_fault,
    session_level,
    short_agent,
)
from services.identity.signin.throttling import OF_ACCOUNT, OF_ADDRESS, OF_CODE, OF_DEVICES, Throttling
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb

_METHOD = "signin."
_CITIZEN = "111"
_OTHER_DOCUMENTS = ("112", "114", "115", "118", "119", "120", "122", "411", "412", "413", "414", "511", "516", "553")
_NOBODY = "persons/-"
_REFUSED = "SIGN_IN_REFUSED"


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


@dataclass(frozen=True, slots=True)
class CodeSetup:
    """What an application takes up: the secret for who types it, and the address that a QR code holds."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class ProvenPassword:
    """Whose password was right, and who still has to show a one-time code."""

    person: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """What somebody signed in with, how that is called, and what their browser says of itself."""

    held: tuple[Authenticator, ...]
    methods: tuple[str, ...]
    agent: str


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
        self._throttling = Throttling(parts)
        self._passwords = passwords
        self._breached = breached

    async def by_password(
        self, attempt: PasswordAttempt, current: SignInSession | None
    ) -> "OpenedSession | ProvenPassword":
        """Signs somebody in; in their session ``current``, where they have one and it is theirs.

        Where they have set one-time codes they are not signed in yet: :meth:`by_code` does it.

        Raises:
            SignInRefused, SignInTooSoon.
            ResourceExhausted: RATE_LIMITED, too many passwords wait to be checked.
        """
        account = self._throttling.key("account", attempt.login.strip().upper())
        address = self._throttling.key("address", attempt.address)
        for key, throttle in ((account, OF_ACCOUNT), (address, OF_ADDRESS)):
            if not await self._throttling.counted(key, throttle):
                raise SignInTooSoon
        person, held = await self._found(attempt.login.strip())
        stored = self._parts.cipher.decrypt_text(store.VERIFIER, held.id, held.verifier) if held else None
        password = normal_password(attempt.password)
        same = await self._passwords.holds(password, stored)
        command = _command("password", person.name if person else "")
        if not same or person is None or held is None or stored is None:
            await self._parts.audit.write(command, person.name if person else _NOBODY, result=_REFUSED)
            raise SignInRefused
        fresh = await self._passwords.hashed(password) if self._passwords.outdated(stored) else ""

        async def work(tx: Transaction) -> OpenedSession | ProvenPassword:
            await active_person(tx.connection, person.name, lock=True)
            await store.forgive(tx.connection, account)
            await store.give_back(tx.connection, address)
            again = {"verifier": self._parts.cipher.encrypt_text(store.VERIFIER, held.id, fresh)} if fresh else {}
            await store.UPDATE_AUTHENTICATOR.first(tx.connection, held.id, last_use_time=self._now(), **again)
            if await store.in_use(tx.connection, person.name, AuthenticatorKind.ONE_TIME_CODE) is not None:
                tx.record(person.name)
                return ProvenPassword(person.name)
            return await self._opened(tx, person, _Shown((held,), (PASSWORD,), attempt.agent), current)

        return await self._parts.uow.step(command, work)

    async def may_guess(self, address: str) -> bool:
        """Counts what somebody at an address types off a device's screen, before it is judged; says whether it may be."""
        return await self._throttling.counted(self._throttling.key("device", address), OF_DEVICES)

    async def guessed_right(self, address: str) -> None:
        """Counts it no more: it was no guess."""
        async with self._parts.database.read() as connection:
            await store.give_back(connection, self._throttling.key("device", address))

    async def by_code(self, person: str, typed: str, agent: str, current: SignInSession | None) -> OpenedSession:
        """Signs somebody in whose password was right, by the code that their application shows; each is good once.

        Raises:
            SignInRefused, SignInTooSoon.
        """
        key = self._throttling.key("code", person)
        if not await self._throttling.counted(key, OF_CODE):
            raise SignInTooSoon
        async with self._parts.database.read() as connection:
            held = await store.in_use(connection, person, AuthenticatorKind.ONE_TIME_CODE)
            password = await store.in_use(connection, person, AuthenticatorKind.PASSWORD)
        secret = self._parts.cipher.decrypt_text(store.VERIFIER, held.id, held.verifier) if held else ""
        step = step_of(secret, typed, self._now()) if secret else None
        command = _command("oneTimeCode", person)

        async def work(tx: Transaction) -> OpenedSession | None:
            row = await active_person(tx.connection, person, lock=True)
            assert held is not None
            assert step is not None
            if password is None or not await store.take_code(tx.connection, held.id, step, self._now()):
                return None
            await store.forgive(tx.connection, key)
            shown = _Shown((password, held), (PASSWORD, ONE_TIME_CODE), agent)
            return await self._opened(tx, row, shown, current)

        opened = await self._parts.uow.step(command, work) if step is not None else None
        if opened is None:
            await self._parts.audit.write(command, person, result=_REFUSED)
            raise SignInRefused
        return opened

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
        self, tx: Transaction, person: Person, shown: "_Shown", current: SignInSession | None
    ) -> OpenedSession:
        """Opens a session, or goes on in ``current``; the browser shows it by another secret from now on."""
        now, cookie = self._now(), secrets.token_urlsafe(32)
        level = session_level(person.assurance, shown.methods, [each.assurance for each in shown.held])
        session = await self._gone_on(tx, person, shown, current, cookie, level)
        if session is None:
            identifier = uuid7()
            said = self._parts.cipher.encrypt_text(store.USER_AGENT, identifier, short_agent(shown.agent))
            times = (now, now + SESSION_LASTS, now, now)
            made = SignInSession(identifier, person.name, digest(cookie), shown.methods, level, said, *times)
            session = await store.ADD_SESSION.add(tx.connection, made)
        tx.emit(session.name, events.SessionStarted(session=session.name, person=person.name))
        tx.record(session.name)
        return OpenedSession(session, cookie)

    async def _gone_on(
        self,
        tx: Transaction,
        person: Person,
        shown: "_Shown",
        current: SignInSession | None,
        cookie: str,
        level: int,
    ) -> SignInSession | None:
        if current is None or current.person != person.name:
            return None
        now, locked = self._now(), await store.session(tx.connection, current.name, lock=True)
        if locked.state_at(now) is not SessionState.ACTIVE:
            return None
        change = {"methods": shown.methods, "assurance": level, "auth_time": now, "update_time": now}
        return await store.UPDATE_SESSION.one(tx.connection, locked.id, cookie=digest(cookie), **change)

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
        check_open(locked, self._now())
        return await end_session(tx, self._parts, locked)

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
        if opened.kind is not AuthenticatorKind.PASSWORD:
            raise EnrollmentOver
        password = normal_password(typed)
        fault = await self._fault(opened.person, password)
        if password != normal_password(again):
            fault = PasswordFault.DIFFERENT
        if fault is None:
            await self._keep(opened, ticket, await self._passwords.hashed(password))
        return fault

    def code_setup(self, opened: EnrollmentRow, region: str) -> CodeSetup | None:
        """Returns what a page shows by which an application takes up the secret of one-time codes; None where it sets a password."""
        if opened.kind is not AuthenticatorKind.ONE_TIME_CODE:
            return None
        secret = self._parts.cipher.decrypt_text(store.SECRET, opened.id, opened.secret)
        return CodeSetup(secret, setup_uri(secret, region, opened.person.partition("/")[2][-8:]))

    async def set_code(self, ticket: str, typed: str) -> bool:
        """Sets one-time codes at an opened page, where the first code is right, and uses the page up; raises EnrollmentOver."""
        opened = await self.enrollment(ticket)
        if opened.kind is not AuthenticatorKind.ONE_TIME_CODE:
            raise EnrollmentOver
        secret = self._parts.cipher.decrypt_text(store.SECRET, opened.id, opened.secret)
        step = step_of(secret, typed, self._now())
        if step is None:
            return False
        await self._keep(opened, ticket, secret, step)
        return True

    async def _fault(self, person: str, password: str) -> PasswordFault | None:
        async with self._parts.database.read() as connection:
            row = await active_person(connection, person)
        cipher = self._parts.cipher
        known = (row.clear_name(cipher), row.clear_number(cipher), row.clear_phone(cipher))
        fault = password_fault(password, known)
        if fault is None and await self._breached.hold(password):
            return PasswordFault.BREACHED
        return fault

    async def _keep(self, opened: EnrollmentRow, ticket: str, checked_by: str, step: int = 0) -> None:
        identifier, now = uuid7(), self._now()
        verifier = self._parts.cipher.encrypt_text(store.VERIFIER, identifier, checked_by)
        made = Authenticator(
            identifier, opened.person, opened.kind, verifier, opened.assurance, now, now, used_step=step
        )

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
            kind = pb.AuthenticatorKind.Value(f"AUTHENTICATOR_KIND_{made.kind}")
            tx.emit(made.name, events.AuthenticatorAdded(authenticator=made.name, person=made.person, kind=kind))
            tx.record(made.name)

        await self._parts.uow.step(_command("setAuthenticator", opened.person), work)

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
