"""Judging a passkey: nothing that could be guessed, asked out of somebody, or taken to another site."""

from libs.crypto.sm3 import sm3
from services.identity.core.parts import Parts
from services.identity.signin import passkeys, store
from services.identity.signin.by_key import KeyProof
from services.identity.signin.opening import SignInRefused
from services.identity.signin.passkeys import PasskeyKey, PasskeyRefused, relying_party, user_handle
from services.identity.signin.rules import (
    BOUND_PASSKEY,
    KEPT_PASSKEY,
    MOST_ASSURANCE,
    Authenticator,
    AuthenticatorKind,
)


class PasskeyJudge:
    """Passkeys, as a kind of key that one signs in by."""

    called = "passkey"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
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

    async def judged(self, answer: str, challenge: bytes) -> tuple[Authenticator | None, KeyProof | None]:
        """Returns the passkey that is named, where there is one, and what it said, where that is right."""
        held: Authenticator | None = None
        try:
            named = passkeys.named(answer)
            async with self._parts.database.read() as connection:
                held = await store.key_in_use(connection, AuthenticatorKind.PASSKEY, sm3(named.credential_id))
            # Without a challenge of ours whatever was once signed would do.
            if held is None or self._party is None or not challenge:
                return held, None
            key = PasskeyKey.of_text(self._parts.cipher.decrypt_text(store.VERIFIER, held.id, held.verifier))
            if named.user != user_handle(held.person):
                return held, None
            said = passkeys.shown(answer, challenge, self._party, key)
        except PasskeyRefused:
            return held, None
        return held, KeyProof(KEPT_PASSKEY if said.kept else BOUND_PASSKEY, MOST_ASSURANCE, said.sign_count)
