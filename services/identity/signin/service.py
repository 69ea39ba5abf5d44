"""Signing in by password, and keeping sessions: what the pages and tokens stand on.

Nothing that one signs in with is ever part of a record's digest, a log or an event.
"""

from dataclasses import dataclass
from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import InvalidArgument, NotFound
from services.identity.core.accounts import Person, active_person, document_index, normal_number, person_by_document
from services.identity.core.parts import Parts
from services.identity.core.sessions import SessionState, SignInSession
from services.identity.signin import store
from services.identity.signin.one_time_codes import step_of
from services.identity.signin.opening import (
    NOBODY,
    REFUSED,
    OpenedSession,
    SessionOpening,
    Shown,
    SignInRefused,
    SignInTooSoon,
    digest,
    page_command,
)
from services.identity.signin.passwords import Passwords
from services.identity.signin.rules import (
    ONE_TIME_CODE,
    PASSWORD,
    Authenticator,
    AuthenticatorKind,
    end,
    normal_password,
)
from services.identity.signin.throttling import OF_ACCOUNT, OF_ADDRESS, OF_CODE, Throttling
from tongban.identity.v1 import events_pb2 as events

_CITIZEN = "111"
_OTHER_DOCUMENTS = ("112", "114", "115", "118", "119", "120", "122", "411", "412", "413", "414", "511", "516", "553")


@dataclass(frozen=True, slots=True)
class PasswordAttempt:
    """What somebody typed, and where: ``login`` is the number of a document; ``agent`` what the browser says of itself."""

    login: str
    password: str
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class ProvenPassword:
    """Whose password was right, and who still has to show a one-time code."""

    person: str


class SignIns:
    """Signs people in and out."""

    def __init__(self, parts: Parts, passwords: Passwords) -> None:
        self._parts = parts
        self._throttling = Throttling(parts)
        self._passwords = passwords
        self._opening = SessionOpening(parts)

    async def by_password(
        self, attempt: PasswordAttempt, current: SignInSession | None
    ) -> OpenedSession | ProvenPassword:
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
        command = page_command("password", person.name if person else "")
        if not same or person is None or held is None or stored is None:
            await self._parts.audit.write(command, person.name if person else NOBODY, result=REFUSED)
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
            return await self._opening.opened(tx, person, Shown((held,), (PASSWORD,), attempt.agent), current)

        return await self._parts.uow.step(command, work)

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
        command = page_command("oneTimeCode", person)

        async def work(tx: Transaction) -> OpenedSession | None:
            row = await active_person(tx.connection, person, lock=True)
            assert held is not None
            assert step is not None
            if password is None or not await store.take_code(tx.connection, held.id, step, self._now()):
                return None
            await store.forgive(tx.connection, key)
            shown = Shown((password, held), (PASSWORD, ONE_TIME_CODE), agent)
            return await self._opening.opened(tx, row, shown, current)

        opened = await self._parts.uow.step(command, work) if step is not None else None
        if opened is None:
            await self._parts.audit.write(command, person, result=REFUSED)
            raise SignInRefused
        return opened

    async def _found(self, login: str) -> tuple[Person | None, Authenticator | None]:
        """Looks an account up by the number of a document, and its password; nobody's is looked up where there is none."""
        async with self._parts.database.read() as connection:
            person = await self._by_number(connection, login)
            held = await store.in_use(connection, person.name if person else NOBODY, AuthenticatorKind.PASSWORD)
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

        await self._parts.uow.step(page_command("signOut", session.person), work)

    async def end(self, tx: Transaction, locked: SignInSession) -> SignInSession:
        """Ends a session and what rests on it; raises FailedPrecondition STATE_CONFLICT where it has ended."""
        now = self._now()
        state = end(locked, now)
        ended = await store.UPDATE_SESSION.one(tx.connection, locked.id, state=state, finish_time=now, update_time=now)
        await self._parts.withdrawals.withdraw(tx, locked.name)
        tx.emit(locked.name, events.SessionEnded(session=locked.name, person=locked.person))
        return ended

    def _now(self) -> datetime:
        return self._parts.wall.now()
