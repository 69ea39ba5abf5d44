"""Signing in (登录): what one signs in with, where one is signed in, and for how long."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from libs.errors import reasons, state_conflict
from services.identity.core.sessions import SessionState, SignInSession

ENROLLMENT_LASTS = timedelta(minutes=10)
"""For so long the page at which one sets up one's sign-in can be opened."""
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 128
MOST_PASSKEYS = 20
"""So many a person may have."""
LONGEST_NAME = 50
"""So many characters the name of a passkey has at most."""
PASSWORD, ONE_TIME_CODE = "pwd", "otp"
ELSEWHERE = "fed"
"""Somebody signed in at an identity provider of others; RFC 8176 has no word for it."""
BOUND_KEY, KEPT_KEY, PRESENT, SEVERAL_FACTORS = "hwk", "swk", "user", "mfa"
"""The words of RFC 8176 for how one signs in: a key that stays on its device, one that is kept elsewhere too, somebody was there."""
HELD_KEY = "pop"
"""RFC 8176 of a certificate's key: that its holder had it, and not where it lies, which the authority answers for."""
BOUND_PASSKEY, KEPT_PASSKEY = (BOUND_KEY, PRESENT, SEVERAL_FACTORS), (KEPT_KEY, PRESENT, SEVERAL_FACTORS)
"""How one signed in by a passkey whose device saw who its user is: what one has, and what one knows or is."""
ALONE = 2
"""The assurance that a password reaches with nothing behind it."""
MOST_ASSURANCE = 4
_CEILINGS = MappingProxyType(
    {
        frozenset({PASSWORD}): ALONE,
        frozenset({PASSWORD, ONE_TIME_CODE}): 3,
        frozenset(BOUND_PASSKEY): 3,
        frozenset(KEPT_PASSKEY): 3,
        frozenset({HELD_KEY}): 4,
        frozenset({ELSEWHERE}): 4,
    }
)
"""The assurance that a session reaches by these methods together, whatever the account has (docs/decisions/0069, 0070)."""
CODE_SECONDS = 30
"""For so long an application shows a code (RFC 6238, 5.2); the one before and the one behind are taken too."""
_AGENT_LENGTH = 200
_FEWEST_CHARACTERS = 5


class AuthenticatorKind(StrEnum):
    """What one signs in with (AuthenticatorKind of the contract)."""

    PASSWORD = "PASSWORD"  # noqa: S105 - the name of a kind, no secret
    ONE_TIME_CODE = "ONE_TIME_CODE"
    PASSKEY = "PASSKEY"
    CERTIFICATE = "CERTIFICATE"


class AuthenticatorState(StrEnum):
    """The life of what one signs in with (AuthenticatorState of the contract)."""

    ACTIVE = "ACTIVE"
    REMOVED = "REMOVED"
    SUPERSEDED = "SUPERSEDED"
    COMPROMISED = "COMPROMISED"


class PasswordFault(StrEnum):
    """Why a password is not taken."""

    DIFFERENT = "different"
    """The two that were typed are not the same."""
    SHORT = "short"
    LONG = "long"
    SIMPLE = "simple"
    """It repeats few characters, or holds what others know of the person."""
    BREACHED = "breached"
    """It stands in the list of those that were lost elsewhere."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Something that a person signs in with.

    Attributes:
        verifier: what it is checked by, encrypted: argon2id of a password, the secret of one-time codes, a passkey's public key, a certificate.
        assurance: of the session in which it was set: it vouches for no more; or what a certificate's authority is believed.
        used_step: the number of the last one-time code that was taken; no earlier one is (RFC 6238, 5.2).
        credential: by which a passkey is found, SM3 of its credential id, and a certificate, SM3 of its public key; empty of others.
        sign_count: how often a passkey said it was used, when it was used last; 0 where it doesn't count (WebAuthn, 6.1.1).
        display_name: what its owner calls a passkey, or a certificate's authority, encrypted.
        expire_time: the end of a certificate; None of others.
    """

    id: str
    person: str
    kind: AuthenticatorKind
    verifier: bytes
    assurance: int
    create_time: datetime
    update_time: datetime
    state: AuthenticatorState = AuthenticatorState.ACTIVE
    last_use_time: datetime | None = None
    used_step: int = 0
    credential: bytes = b""
    sign_count: int = 0
    display_name: bytes = b""
    expire_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"authenticators/{self.id}"


@dataclass(frozen=True, slots=True)
class EnrollmentRow:
    """An opened page at which a person sets up their sign-in: known by a digest of the secret in its address.

    ``assurance`` is that of the session that opened it. ``secret``, encrypted, is what an application with one-time codes is to hold,
    or what a new passkey or a certificate has to sign; of a password there is none.
    """

    id: str
    person: str
    ticket: bytes
    assurance: int
    expire_time: datetime
    create_time: datetime
    kind: AuthenticatorKind = AuthenticatorKind.PASSWORD
    secret: bytes = b""
    used_time: datetime | None = None


def check_open(session: SignInSession, now: datetime) -> None:
    """Raises FailedPrecondition STATE_CONFLICT unless a session is ACTIVE: only then can it be ended."""
    state = session.state_at(now)
    if state is not SessionState.ACTIVE:
        raise state_conflict(session.name, state, SessionState.ACTIVE)


def remove(authenticator: Authenticator) -> AuthenticatorState:
    """Returns the state after it was taken away; raises FailedPrecondition STATE_CONFLICT unless it is ACTIVE."""
    if authenticator.state is not AuthenticatorState.ACTIVE:
        raise state_conflict(authenticator.name, authenticator.state, AuthenticatorState.ACTIVE)
    return AuthenticatorState.REMOVED


def is_copied(known: int, said: int) -> bool:
    """Says whether there are two of a passkey, by its counter: it has to go up, unless it never counts (WebAuthn, 6.1.1)."""
    return (known > 0 or said > 0) and said <= known


def vouched(believed: int, session: int, *, named: bool) -> int:
    """Returns how far a certificate vouches for who set it.

    Args:
        believed: how far the region believes authorities.
        session: the level of the session in which it is set.
        named: whether the authority put the number of the account into it.
    """
    return believed if named else min(believed, session)


def check_passkeys(held: int) -> None:
    """Checks that a person may have one more; raises FailedPrecondition PASSKEY_LIMIT_REACHED."""
    if held >= MOST_PASSKEYS:
        raise reasons.passkey_limit_reached("a person may have no more passkeys", limit=str(MOST_PASSKEYS))


def passkey_name(typed: str) -> str:
    """Returns what a passkey is called, of what was typed: on one line, and short."""
    return " ".join("".join(each if each.isprintable() else " " for each in typed).split())[:LONGEST_NAME].strip()


def session_level(account: int, methods: Sequence[str], set_at: Collection[int]) -> int:
    """Returns the assurance of a session: how far the person is known, and how surely it is they who sit there.

    Args:
        account: the level of the account.
        methods: how they signed in.
        set_at: the level of the sessions in which what they signed in with was set.
    """
    return min(account, _CEILINGS[frozenset(methods)], *set_at)


def normal_password(typed: str) -> str:
    """Returns a password as it is compared: the same characters however a keyboard composes them (RFC 8265, 4.2.1)."""
    return unicodedata.normalize("NFC", typed)


def password_fault(password: str, known: Collection[str]) -> PasswordFault | None:
    """Returns why a password is not taken, or None (NIST SP 800-63B, 5.1.1.2: no rules of composition).

    Args:
        password: as it is compared.
        known: what others know of the person: name, phone, the document's number.
    """
    if len(password) < SHORTEST_PASSWORD:
        return PasswordFault.SHORT
    if len(password) > LONGEST_PASSWORD:
        return PasswordFault.LONG
    lowered = password.casefold()
    if len(set(lowered)) < _FEWEST_CHARACTERS or any(each.casefold() in lowered for each in known if len(each) > 1):
        return PasswordFault.SIMPLE
    return None


def short_agent(said: str) -> str:
    """Returns what is kept of a browser's words about itself."""
    return "".join(character for character in said if character.isprintable())[:_AGENT_LENGTH]
