"""Signing in by password, and keeping sessions: what the pages and tokens stand on.

Nothing that one signs in with is ever part of a record's digest, a log or an event.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import InvalidArgument
from services.identity.core.accounts import active_person, document_index, normal_number
from services.identity.core.parts import Parts
from services.identity.core.session_ends import end_session
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
    AuthenticatorKind,
    check_open,
    normal_password,
)
from services.identity.signin.store import Login
from services.identity.signin.throttling import OF_ADDRESS, OF_CODE, OF_DEVICES, Throttling

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
        if not await self._throttling.both_counted(account, address):
            raise SignInTooSoon
        async with self._parts.database.read() as connection:
            found = await store.login(connection, self._indexes(attempt.login.strip()))
        stored, password = self._stored(found), normal_password(attempt.password)
        same = await self._passwords.holds(password, stored)
        if not same or found is None or stored is None:
            await self._refused(found)
        fresh = await self._passwords.hashed(password) if self._passwords.outdated(stored) else ""
        proof = {"account": account, "address": address, "id": found.authenticator, "person": found.person}

        async def work(tx: Transaction) -> OpenedSession | ProvenPassword:
            person = await active_person(tx.connection, found.person, lock=True)
            again = self._parts.cipher.encrypt_text(store.VERIFIER, str(found.authenticator), fresh) if fresh else None
            proved = await store.proved(tx.connection, now=self._now(), fresh=again, **proof)
            if not proved.used:
                raise SignInRefused
            if proved.codes:
                tx.record(person.name)
                return ProvenPassword(person.name)
            shown = Shown((found.assurance or 0,), (PASSWORD,), attempt.agent)
            return await self._opening.opened(tx, person, shown, current)

        try:
            return await self._parts.uow.step(page_command("password", found.person), work)
        except SignInRefused:  # it was taken away while it was checked
            await self._refused(found)

    def _stored(self, found: Login | None) -> str | None:
        if found is None or found.authenticator is None or found.verifier is None:
            return None
        return self._parts.cipher.decrypt_text(store.VERIFIER, found.authenticator, found.verifier)

    async def _refused(self, found: Login | None) -> NoReturn:
        person = found.person if found else ""
        await self._parts.audit.write(page_command("password", person), person or NOBODY, result=REFUSED)
        raise SignInRefused

    async def may_guess(self, address: str) -> bool:
        """Counts what somebody at an address types off a device's screen, before it is judged; says whether it may be."""
        return await self._throttling.counted(self._throttling.key("device", address), OF_DEVICES)

    async def may_go_elsewhere(self, address: str) -> bool:
        """Counts that somebody at an address goes to an identity provider, which is called for it; says whether they may."""
        return await self._throttling.counted(self._throttling.key("elsewhere", address), OF_ADDRESS)

    async def came_in(self, address: str) -> None:
        """Counts it no more: they came back and are signed in."""
        async with self._parts.database.read() as connection:
            await store.give_back(connection, self._throttling.key("elsewhere", address))

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
        command = page_command("oneTimeCode", person)

        async def work(tx: Transaction) -> OpenedSession | None:
            row = await active_person(tx.connection, person, lock=True)
            assert held is not None
            assert step is not None
            if password is None or not await store.take_code(tx.connection, held.id, step, self._now()):
                return None
            await store.forgive(tx.connection, key)
            shown = Shown((password.assurance, held.assurance), (PASSWORD, ONE_TIME_CODE), agent)
            return await self._opening.opened(tx, row, shown, current)

        opened = await self._parts.uow.step(command, work) if step is not None else None
        if opened is None:
            await self._parts.audit.write(command, person, result=REFUSED)
            raise SignInRefused
        return opened

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
        check_open(locked, self._now())
        return await end_session(tx, self._parts, locked)

    def _now(self) -> datetime:
        return self._parts.wall.now()
