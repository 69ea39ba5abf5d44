"""Signing in by a key that somebody holds, of whatever kind: nothing is typed, and what is signed is good once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.db.uow import Transaction
from services.identity.core.accounts import active_person
from services.identity.core.parts import Parts
from services.identity.core.sessions import SignInSession
from services.identity.signin import store
from services.identity.signin.opening import (
    NOBODY,
    REFUSED,
    OpenedSession,
    SessionOpening,
    Shown,
    SignInRefused,
    SignInTooSoon,
    page_command,
)
from services.identity.signin.rules import Authenticator, AuthenticatorState, is_copied
from services.identity.signin.throttling import OF_ADDRESS, Throttling
from tongban.identity.v1 import events_pb2 as events

_COMPROMISED = "AUTHENTICATOR_COMPROMISED"
"""The result of the record of a key of which there are two."""


@dataclass(frozen=True, slots=True)
class KeyAttempt:
    """What a browser answered, what was to be signed (empty where nothing is waited for), from where, and what it says of itself."""

    answer: str
    challenge: bytes
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What a key has proven.

    Attributes:
        methods: how somebody signed in by it (RFC 8176).
        believed: no more than this is it believed, whatever was thought when it was set.
        sign_count: how often it says it was used; 0 of what doesn't count.
        expire_time: the end of the certificate that was shown, which its authority may have renewed since it was set; None of others.
    """

    methods: tuple[str, ...]
    believed: int
    sign_count: int = 0
    expire_time: datetime | None = None


class KeyJudge(Protocol):
    """One kind of key."""

    called: str
    """What it is called in records and in the addresses of the pages."""

    @property
    def offered(self) -> bool:
        """Whether the region takes it."""
        ...

    def options(self, challenge: bytes) -> str:
        """Returns as JSON what the script of the page works by; raises SignInRefused where it is not offered."""
        ...

    async def judged(self, answer: str, challenge: bytes) -> tuple[Authenticator | None, KeyProof | None]:
        """Returns what is named, where it is there, and what it proves, where that is right.

        Raises:
            SignInNotJudged.
        """
        ...


class KeySignIns:
    """Signs people in by one kind of key."""

    def __init__(self, parts: Parts, judge: KeyJudge) -> None:
        self._parts = parts
        self._judge = judge
        self._opening = SessionOpening(parts)
        self._throttling = Throttling(parts)

    @property
    def offered(self) -> bool:
        """Whether the region takes it."""
        return self._judge.offered

    @property
    def called(self) -> str:
        """What the kind is called in the addresses of the pages."""
        return self._judge.called

    def options(self, challenge: bytes) -> str:
        """Returns as JSON what the script of the page works by; raises SignInRefused where it is not offered."""
        return self._judge.options(challenge)

    async def sign_in(self, attempt: KeyAttempt, current: SignInSession | None) -> OpenedSession:
        """Signs somebody in by what their key has signed; in their session ``current``, where they have one and it is theirs.

        The caller has used the challenge up before. There is nothing to guess; but each attempt leaves a record, so an address has only so many.

        Raises:
            SignInTooSoon, SignInNotJudged.
            SignInRefused: also where there are two of the key, which is told and is not taken any more.
        """
        address = self._throttling.key("address", attempt.address)
        if not await self._throttling.counted(address, OF_ADDRESS):
            raise SignInTooSoon
        held, proof = await self._judge.judged(attempt.answer, attempt.challenge)
        if held is None or proof is None:
            named = held.person if held else ""
            await self._parts.audit.write(page_command(self.called, named), named or NOBODY, result=REFUSED)
            raise SignInRefused

        async def work(tx: Transaction) -> OpenedSession | None:
            person = await active_person(tx.connection, held.person, lock=True)
            locked = await store.authenticator(tx.connection, held.name, held.person)
            if locked.state is not AuthenticatorState.ACTIVE:
                tx.record(locked.name, result=REFUSED)
                return None
            if is_copied(locked.sign_count, proof.sign_count):
                await self._told(tx, locked)
                return None
            await store.give_back(tx.connection, address)
            said = {"sign_count": proof.sign_count, "expire_time": proof.expire_time}
            await store.UPDATE_AUTHENTICATOR.one(tx.connection, locked.id, last_use_time=self._parts.wall.now(), **said)
            shown = Shown((min(locked.assurance, proof.believed),), proof.methods, attempt.agent)
            return await self._opening.opened(tx, person, shown, current)

        opened = await self._parts.uow.step(page_command(self.called, held.person), work)
        if opened is None:
            raise SignInRefused
        return opened

    async def _told(self, tx: Transaction, locked: Authenticator) -> None:
        """Takes a key out of use of which there are two: whichever of them this one was."""
        change = {"state": AuthenticatorState.COMPROMISED, "update_time": self._parts.wall.now()}
        await store.UPDATE_AUTHENTICATOR.one(tx.connection, locked.id, **change)
        tx.emit(locked.name, events.AuthenticatorCompromised(authenticator=locked.name, person=locked.person))
        tx.record(locked.name, result=_COMPROMISED)
