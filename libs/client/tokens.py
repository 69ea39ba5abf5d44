"""Access tokens that renew themselves: fetched by one call however many wait, and shortly before they end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

_RENEW_SECONDS = 60.0
_RENEW_PART = 0.2
"""A token is renewed a minute before its end, or after four fifths of a short life."""
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token as it was given.

    Attributes:
        token: the token.
        seconds: how long it holds.
    """

    token: str
    seconds: float


class TokenSource(Protocol):
    """Where a client's access token comes from."""

    async def token(self) -> str:
        """Returns a token that holds; empty where none is sent."""

    def refused(self, token: str) -> bool:
        """Takes note that ``token`` was refused; tells whether another one can be had."""

    def expire(self) -> None:
        """Lets the next call ask for a new one."""


class GivenToken:
    """One token that somebody else made, or none."""

    def __init__(self, token: str = "") -> None:
        self._token = token

    async def token(self) -> str:
        """Returns it."""
        return self._token

    def refused(self, token: str) -> bool:  # noqa: ARG002 - there is but one
        """There is no other."""
        return False

    def expire(self) -> None:
        """There is no other."""


class RenewedTokens:
    """TokenSource that are asked for, kept, and renewed before they end."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[IssuedToken]],
        made_from: tuple[TokenSource, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._made_from = made_from
        self._clock = clock
        self._asking = asyncio.Lock()
        self._kept = ""
        self._renew = _NEVER

    async def token(self) -> str:
        """Returns the token that is kept, or a new one; who comes meanwhile waits for the same."""
        if self._clock() < self._renew:
            return self._kept
        async with self._asking:
            if self._clock() >= self._renew:
                begun, grant = self._clock(), await self._ask()
                self._kept = grant.token
                self._renew = begun + grant.seconds - min(_RENEW_SECONDS, _RENEW_PART * grant.seconds)
        return self._kept

    def refused(self, token: str) -> bool:
        """Drops ``token`` if it is the one kept, and what it was made from: whoever stood behind it may have changed."""
        if token == self._kept:
            self.expire()
        return True

    def expire(self) -> None:
        """Lets the next call ask for a new one, made of new ones."""
        self._renew = _NEVER
        for source in self._made_from:
            source.expire()
