"""Sessions (登录会话): browsers in which people are signed in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

SESSION_LASTS = timedelta(hours=12)
"""A session ends so long after it began, whatever is done in it (NIST SP 800-63B, 7.2)."""


class SessionState(StrEnum):
    """The life of a session (SessionState of the contract); EXPIRED is never stored, it follows from the time."""

    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class SignInSession:
    """A browser in which a person is signed in.

    Attributes:
        cookie: the digest of what the browser shows.
        methods: how they signed in, in the words of RFC 8176.
        assurance: what the session stands for: the least of the account and of the method.
        user_agent: what the browser said of itself, encrypted.
        auth_time: when they last gave a password in it.
    """

    id: str
    person: str
    cookie: bytes
    methods: tuple[str, ...]
    assurance: int
    user_agent: bytes
    auth_time: datetime
    expire_time: datetime
    create_time: datetime
    update_time: datetime
    state: SessionState = SessionState.ACTIVE
    finish_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name, by which tokens name it."""
        return f"sessions/{self.id}"

    def state_at(self, now: datetime) -> SessionState:
        """Returns the state at ``now``."""
        over = self.state is SessionState.ACTIVE and self.expire_time <= now
        return SessionState.EXPIRED if over else self.state
