"""Tokens renew themselves before they end, by one request however many wait."""

import asyncio

import pytest

from libs.client.tokens import GivenToken, IssuedToken, RenewedTokens


class Granting:
    """Gives numbered tokens, and shows what time it is."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.given = seconds, 0.0, 0

    async def ask(self) -> IssuedToken:
        self.given += 1
        await asyncio.sleep(0)
        return IssuedToken(f"token-{self.given}", self.seconds)

    def tokens(self, *made_from: RenewedTokens) -> RenewedTokens:
        return RenewedTokens(self.ask, made_from, lambda: self.now)


@pytest.mark.parametrize(("seconds", "until"), [(600.0, 540.0), (60.0, 48.0)])
async def test_renewed_before_the_end(seconds: float, until: float) -> None:
    granting = Granting(seconds)
    tokens = granting.tokens()
    assert await tokens.token() == "token-1"
    granting.now = until - 0.001
    assert await tokens.token() == "token-1"
    granting.now = until
    assert await tokens.token() == "token-2"


async def test_who_comes_meanwhile_waits_for_the_same() -> None:
    granting = Granting(600)
    tokens = granting.tokens()
    assert set(await asyncio.gather(*(tokens.token() for _ in range(50)))) == {"token-1"}
    assert granting.given == 1


async def test_a_refused_token_is_dropped_once_with_what_it_was_made_from() -> None:
    base, derived = Granting(600), Granting(600)
    own = base.tokens()
    tokens = derived.tokens(own)
    await own.token()
    first = await tokens.token()
    assert tokens.refused(first)
    assert await tokens.token() == "token-2"
    assert await own.token() == "token-2"
    assert tokens.refused(first)
    assert await tokens.token() == "token-2"


async def test_a_given_token_has_no_other() -> None:
    assert not GivenToken("t").refused("t")
