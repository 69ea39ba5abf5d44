"""Refresh tokens can be made again, and are read only where every part of them is ours."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.clock import FakeClock
from libs.crypto.keystore import KeyStore
from libs.crypto.tongsuo import TongsuoProvider
from services.identity.core.sign_in_grants import SignInGrant
from services.identity.openid.refresh_tokens import RefreshTokens

_NOW = datetime(2026, 11, 27, tzinfo=UTC)
_ID = "01a21a7e-3c27-7685-9152-c903f8846b0f"
_GRANT = SignInGrant(
    _ID, "rp", "persons/x", _ID, "openid", "https://x.test/", "", "c", b"", _NOW, ("pwd",), 2, _NOW, _NOW, _NOW
)


@pytest.fixture
def tokens(tmp_path: Path) -> RefreshTokens:
    return RefreshTokens(KeyStore(tmp_path, b"k" * 16, TongsuoProvider(), FakeClock(_NOW)), TongsuoProvider())


def test_one_is_made_again_as_it_was_and_tells_what_it_is(tokens: RefreshTokens) -> None:
    made = tokens.make(_GRANT, 7)
    assert made == tokens.make(_GRANT, 7)
    assert tokens.read(made) == (_ID, 7)
    assert made != tokens.make(_GRANT, 8)


def test_every_character_of_it_counts(tokens: RefreshTokens) -> None:
    made = tokens.make(_GRANT, 7)
    for place, character in enumerate(made):
        other = "1" if character != "1" else "2"
        changed = f"{made[:place]}{other}{made[place + 1 :]}"
        # The last character of base64url of 32 bytes has two bits that mean nothing; the text is compared all the same.
        assert tokens.read(changed) is None, place
    for wrong in ("", made + "x", made.upper(), made.replace(".7.", ".07."), made.replace(".7.", ".٧."), made + "\n"):
        assert tokens.read(wrong) is None


def test_those_of_another_region_mean_nothing_here(tokens: RefreshTokens, tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "other", b"k" * 16, TongsuoProvider(), FakeClock(_NOW))
    assert tokens.read(RefreshTokens(store, TongsuoProvider()).make(_GRANT, 7)) is None
