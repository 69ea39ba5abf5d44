"""Signing in by a passkey: nothing is typed that could be guessed, asked out of somebody, or taken to another site."""

from dataclasses import dataclass

from libs.crypto.sm3 import sm3
from libs.db.uow import Transaction
from services.identity.core.accounts import active_person
from services.identity.core.parts import Parts
from services.identity.core.sessions import SignInSession
from services.identity.signin import passkeys, store
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
from services.identity.signin.passkeys import PasskeyKey, PasskeyRefused, ShownPasskey, relying_party, user_handle
from services.identity.signin.rules import (
    BOUND_PASSKEY,
    KEPT_PASSKEY,
    Authenticator,
    AuthenticatorState,
    is_copied,
)
from services.identity.signin.throttling import OF_ADDRESS, Throttling
from tongban.identity.v1 import events_pb2 as events

_COMPROMISED = "AUTHENTICATOR_COMPROMISED"
"""The result of the record of a passkey of which there are two."""


@dataclass(frozen=True, slots=True)
class PasskeyAttempt:
    """What a browser answered, what it was to have signed (empty where nothing is waited for), from where, and what it says of itself."""

    answer: str
    challenge: bytes
    address: str
    agent: str


class PasskeySignIns:
    """Signs people in by their passkeys."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._opening = SessionOpening(parts)
        self._throttling = Throttling(parts)
        self._party = relying_party(parts.base_url)

    @property
    def offered(self) -> bool:
        """Whether the region has a name for which browsers make passkeys."""
        return self._party is not None

    def options(self, challenge: bytes) -> str:
        """Returns as JSON what a browser is to show; raises SignInRefused where no passkeys are offered."""
        if self._party is None:
            raise SignInRefused
        return passkeys.options_to_show(self._party, challenge)

    async def sign_in(self, attempt: PasskeyAttempt, current: SignInSession | None) -> OpenedSession:
        """Signs somebody in by what their passkey has signed; in their session ``current``, where they have one and it is theirs.

        The caller has used the challenge up before. There is nothing to guess; but each attempt leaves a record, so an address has only so many.

        Raises:
            SignInTooSoon.
            SignInRefused: also where there are two of the passkey, which is told and is not taken any more.
        """
        address = self._throttling.key("address", attempt.address)
        if not await self._throttling.counted(address, OF_ADDRESS):
            raise SignInTooSoon
        held, said = await self._judged(attempt.answer, attempt.challenge)
        if held is None or said is None:
            person = held.person if held else NOBODY
            await self._parts.audit.write(page_command("passkey", held.person if held else ""), person, result=REFUSED)
            raise SignInRefused

        async def work(tx: Transaction) -> OpenedSession | None:
            person = await active_person(tx.connection, held.person, lock=True)
            locked = await store.authenticator(tx.connection, held.name, held.person)
            if locked.state is not AuthenticatorState.ACTIVE:
                tx.record(locked.name, result=REFUSED)
                return None
            if is_copied(locked.sign_count, said.sign_count):
                await self._told(tx, locked)
                return None
            await store.give_back(tx.connection, address)
            change = {"sign_count": said.sign_count, "last_use_time": self._parts.wall.now()}
            await store.UPDATE_AUTHENTICATOR.one(tx.connection, locked.id, **change)
            methods = KEPT_PASSKEY if said.kept else BOUND_PASSKEY
            return await self._opening.opened(tx, person, Shown((locked.assurance,), methods, attempt.agent), current)

        opened = await self._parts.uow.step(page_command("passkey", held.person), work)
        if opened is None:
            raise SignInRefused
        return opened

    async def _judged(self, answer: str, challenge: bytes) -> tuple[Authenticator | None, ShownPasskey | None]:
        """Returns the passkey that is named, where there is one, and what it said, where that is right."""
        held: Authenticator | None = None
        try:
            named = passkeys.named(answer)
            async with self._parts.database.read() as connection:
                held = await store.passkey(connection, sm3(named.credential_id))
            # Without a challenge of ours whatever was once signed would do.
            if held is None or self._party is None or not challenge:
                return held, None
            key = PasskeyKey.of_text(self._parts.cipher.decrypt_text(store.VERIFIER, held.id, held.verifier))
            if named.user != user_handle(held.person):
                return held, None
            return held, passkeys.shown(answer, challenge, self._party, key)
        except PasskeyRefused:
            return held, None

    async def _told(self, tx: Transaction, locked: Authenticator) -> None:
        """Takes a passkey out of use of which there are two: whichever of them this one was."""
        change = {"state": AuthenticatorState.COMPROMISED, "update_time": self._parts.wall.now()}
        await store.UPDATE_AUTHENTICATOR.one(tx.connection, locked.id, **change)
        tx.emit(locked.name, events.AuthenticatorCompromised(authenticator=locked.name, person=locked.person))
        tx.record(locked.name, result=_COMPROMISED)
