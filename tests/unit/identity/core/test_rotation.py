"""Token keys over time: which signs, which is published, which is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from libs.clock import FakeClock
from libs.crypto.errors import DecryptionFailed, KeyNotFound
from libs.crypto.keystore import KeyStore
from libs.crypto.tongsuo import TongsuoProvider
from libs.db.engine import Database
from services.identity.core.claims import ActorKind, Claims, TokenType
from services.identity.core.codec import TokenCodec
from services.identity.core.rotation import KEPT, KeyTime, plan
from services.identity.core.signing_keys import TokenKeys
from services.identity.keys.worker import KeyKeeper

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = timedelta(days=180)


def test_the_first_key_signs_at_once_and_the_next_a_period_later() -> None:
    keys = [KeyTime(1, T0), KeyTime(2, T0)]
    before = plan(keys, T0 + PERIOD - timedelta(seconds=1), PERIOD)
    assert (before.current, before.upcoming, before.retired) == (1, (2,), ())
    assert before.change_time == T0 + PERIOD
    after = plan(keys, T0 + PERIOD, PERIOD)
    assert (after.current, after.upcoming, after.retired) == (2, (), (1,))
    assert after.change_time is None


def test_a_retired_key_is_kept_as_long_as_a_delegation_may_live() -> None:
    keys = [KeyTime(1, T0), KeyTime(2, T0)]
    last = plan(keys, T0 + PERIOD + KEPT - timedelta(seconds=1), PERIOD)
    assert last.retired == (1,)
    over = plan(keys, T0 + PERIOD + KEPT, PERIOD)
    assert (over.current, over.upcoming, over.retired) == (2, (), ())


def test_destroying_a_key_that_leaked_brings_up_the_next_at_once() -> None:
    assert plan([KeyTime(2, T0), KeyTime(3, T0)], T0, PERIOD).current == 2


def test_a_key_that_was_ordered_to_signs_ahead_of_its_time_and_the_last_is_kept_from_then_on() -> None:
    ordered = T0 + timedelta(days=3)
    keys = [KeyTime(1, T0), KeyTime(2, T0, ordered), KeyTime(3, T0)]
    before = plan(keys, ordered - timedelta(seconds=1), PERIOD)
    assert (before.current, before.upcoming, before.change_time) == (1, (2, 3), ordered)
    after = plan(keys, ordered, PERIOD)
    assert (after.current, after.upcoming, after.retired, after.change_time) == (2, (3,), (1,), T0 + PERIOD)
    assert plan(keys, ordered + KEPT - timedelta(seconds=1), PERIOD).retired == (1,)
    assert plan(keys, ordered + KEPT, PERIOD).retired == ()
    late = KeyTime(2, T0, T0 + PERIOD + timedelta(days=1))
    assert plan([KeyTime(1, T0), late], T0 + PERIOD, PERIOD).current == 2, "an order delays nothing"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> KeyStore:
    return KeyStore(tmp_path, b"k" * 16, TongsuoProvider(), clock)


async def test_tokens_outlive_the_key_that_signed_them(store: KeyStore, clock: FakeClock) -> None:
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    keys.rotate()
    first, second = (key["kid"] for key in keys.public())
    codec = TokenCodec(keys, clock, region="341500", issuer="http://gateway.test")
    clock.advance(PERIOD - timedelta(seconds=10))
    issue = codec.issue()
    token = codec.encode(
        Claims(
            type=TokenType.ACCESS,
            iss=issue.issuer,
            sub="persons/x",
            aud=issue.home,
            iat=issue.iat,
            exp=issue.iat + 600,
            jti=issue.jti,
            actor_kind=ActorKind.PERSON,
        )
    )
    clock.advance(timedelta(seconds=60))
    assert keys.current.kid == second
    assert (await codec.own(token, TokenType.ACCESS)).sub == "persons/x"
    keys.rotate()
    third = keys.public()[1]["kid"]
    assert [key["kid"] for key in keys.public()] == [second, third, first]
    clock.advance(KEPT)
    keys.rotate()
    assert [key["kid"] for key in keys.public()] == [second, third]
    # It is kept, and only not published: nothing is destroyed on the word of one clock.
    assert await keys.key(first) is not None


@pytest.mark.parametrize("days", [400, 5_000, -400])
async def test_a_clock_that_is_wrong_once_destroys_nothing(store: KeyStore, clock: FakeClock, days: int) -> None:
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    keys.rotate()
    pinned = [key["kid"] for key in keys.public()]
    clock.move_to(T0 + timedelta(days=days))
    for _ in range(3):
        keys.rotate()
    clock.move_to(T0)
    keys.rotate()
    assert [key["kid"] for key in keys.public()][:2] == pinned
    assert keys.current.kid == pinned[0]
    assert {1, 2} <= set(store.versions("token"))
    clock.advance(PERIOD)
    assert keys.current.kid == pinned[1]


async def test_another_replica_finds_a_key_that_it_does_not_know_yet(store: KeyStore, clock: FakeClock) -> None:
    mine, theirs = TokenKeys(store, clock, PERIOD), TokenKeys(store, clock, PERIOD)
    mine.open()
    theirs.open()
    theirs.rotate()
    kid = str(theirs.public()[1]["kid"])
    mine._loaded = -10.0
    found = await mine.key(kid)
    assert found is not None
    assert found.thumbprint() == kid


async def test_a_key_that_was_destroyed_is_taken_by_nobody_who_verifies(
    store: KeyStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Identity verifies by an object of its own, which never meets an unknown key while the leaked one is used."""
    seconds = 1000.0
    monkeypatch.setattr("services.identity.core.signing_keys.time.monotonic", lambda: seconds)
    signing, verifying = TokenKeys(store, clock, PERIOD), TokenKeys(store, clock, PERIOD)
    for keys in (signing, verifying):
        keys.open()
    signing.rotate()
    leaked = signing.current.kid
    store.destroy("token", 1)
    assert await verifying.key(leaked) is not None
    seconds += 5.1
    assert await verifying.key(leaked) is None


async def test_keys_that_cannot_be_looked_at_stay_good(
    store: KeyStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    keys._loaded = -10.0

    def broken(_name: str) -> list[int]:
        raise OSError("the disk does not answer")

    monkeypatch.setattr(store, "versions", broken)
    assert await keys.key(keys.current.kid) is not None


async def test_a_key_that_was_destroyed_stops_signing_while_the_database_is_away(
    store: KeyStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor signs as soon as the key store was looked at again, which waits for nothing."""

    class Frozen:
        def transaction(self) -> AbstractAsyncContextManager[None]:
            return self._never()

        def read(self) -> AbstractAsyncContextManager[None]:
            return self._never()

        @asynccontextmanager
        async def _never(self) -> AsyncIterator[None]:
            await asyncio.Event().wait()
            yield

    rested = asyncio.Event()

    async def rest(_seconds: float) -> None:
        rested.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("libs.background.rest", rest)
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    keys.rotate()
    leaked, following = (str(key["kid"]) for key in keys.public())
    keeping = asyncio.ensure_future(KeyKeeper(keys, cast("Database", Frozen())).run())
    store.destroy("token", 1)
    async with asyncio.timeout(30):
        await rested.wait()
    keeping.cancel()
    assert keys.current.kid == following
    assert await keys.key(leaked) is None
    assert leaked not in {key["kid"] for key in keys.public()}


def test_a_key_that_begins_does_so_in_every_process_and_once(store: KeyStore, clock: FakeClock) -> None:
    mine, theirs = TokenKeys(store, clock, PERIOD), TokenKeys(store, clock, PERIOD)
    mine.open()
    mine.rotate()
    theirs.open()
    first, second = (str(key["kid"]) for key in mine.public())
    assert mine.following(()) == second
    assert mine.following({second}) not in {first, second}, "one more is made where the next one is given up"
    mine.begin(second)
    mine.begin("nobody's")
    clock.advance(timedelta(days=1))
    mine.begin(second)
    theirs.load()
    assert mine.current.kid == theirs.current.kid == second
    assert theirs.current.begin_time == T0
    assert first in {key["kid"] for key in theirs.public()}
    with pytest.raises(KeyNotFound):
        store.begin("token", 9)


def test_the_last_key_is_not_destroyed(store: KeyStore, clock: FakeClock) -> None:
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    only = keys.current.kid
    keys.destroy(only)
    assert keys.current.kid == only
    keys.rotate()
    keys.destroy(only)
    keys.destroy(only)
    assert not keys.has(only)
    assert keys.current.kid != only


def test_the_published_keys_hold_no_private_half(store: KeyStore, clock: FakeClock) -> None:
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    (key,) = keys.public()
    assert set(key) == {"kid", "kty", "alg", "use", "crv", "x", "y"}
    assert key["kid"] == keys.current.key.thumbprint()


@pytest.mark.parametrize("broken", [b'"secret": "AAAA', b""], ids=["another secret", "half a file"])
def test_a_key_that_cannot_be_opened_holds_up_no_other(store: KeyStore, clock: FakeClock, broken: bytes) -> None:
    """The broken one is the next to sign, or an old one: what can be opened signs, is published, and has its successor."""
    keys = TokenKeys(store, clock, PERIOD)
    keys.open()
    keys.rotate()
    first = keys.current.kid
    file = store._folder / "token" / "2.json"
    whole = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(whole.replace(b'"secret": "', broken) if broken else whole[:100])
    again = TokenKeys(store, clock, PERIOD)
    again.open()
    assert again.current.kid == first
    again.rotate()
    assert [key["kid"] for key in again.public()] == [first, again._by_version[3].kid]
    file.write_bytes(whole)
    again.load()
    assert len(again.public()) == 3


def test_without_a_key_that_can_be_opened_nothing_signs(store: KeyStore, clock: FakeClock) -> None:
    TokenKeys(store, clock, PERIOD).open()
    file = store._folder / "token" / "1.json"
    file.chmod(0o600)
    file.write_bytes(b"nothing")
    with pytest.raises(DecryptionFailed):
        TokenKeys(store, clock, PERIOD).open()
