"""What a password must be, what a session stands for, and how refresh tokens are told from others."""

import hashlib
import random
from pathlib import Path

import pytest

from services.identity.signin.passwords import BreachedPasswords
from services.identity.signin.rules import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    PasswordFault,
    normal_password,
    password_fault,
    session_level,
    short_agent,
)


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("correct horse battery", None),
        ("白日依山尽黄河入海流", None),
        ("x" * (SHORTEST_PASSWORD - 1), PasswordFault.SHORT),
        ("abcde" * 30, PasswordFault.LONG),
        ("abababababab", PasswordFault.SIMPLE),
        ("AbAbAbAbABAB", PasswordFault.SIMPLE),
        ("mein 张三丰 steht darin", PasswordFault.SIMPLE),
        ("xx11010519491231002x!", PasswordFault.SIMPLE),
    ],
)
def test_a_password_is_judged_by_length_and_by_what_others_know(password: str, fault: PasswordFault | None) -> None:
    assert password_fault(password, ("张三丰", "11010519491231002X", "")) is fault


def test_the_longest_password_is_taken_and_one_more_is_not() -> None:
    password = ("abcdefgh" * LONGEST_PASSWORD)[:LONGEST_PASSWORD]
    assert password_fault(password, ()) is None
    assert password_fault(password + "x", ()) is PasswordFault.LONG


def test_the_same_characters_are_the_same_password_however_they_are_composed() -> None:
    assert normal_password("Zu\u0308rich") == normal_password("Z\u00fcrich")
    assert normal_password("\u212bngstr\u00f6m") == "\u00c5ngstr\u00f6m"
    assert normal_password("Ａ") != normal_password("A"), "RFC 8265, 4.2.1: no compatibility mapping but of spaces"


@pytest.mark.parametrize(("account", "level"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 2)])
def test_a_password_alone_stands_for_level_two_at_most(account: int, level: int) -> None:
    assert session_level(account, ("pwd",), (4,)) == level


def test_what_a_browser_says_of_itself_is_short_and_printable() -> None:
    assert short_agent("Mozilla\n/5.0\x00" + "x" * 500) == ("Mozilla/5.0" + "x" * 500)[:200]


@pytest.mark.parametrize("many", [0, 1, 2, 3, 1000])
async def test_a_lost_password_is_found_wherever_it_stands_in_the_list(tmp_path: Path, many: int) -> None:
    chance = random.Random(4711)
    lost = sorted(hashlib.sha1(f"p{each}".encode(), usedforsecurity=False).hexdigest().upper() for each in range(many))
    path = tmp_path / "lost.txt"
    path.write_text("".join(f"{each}:{chance.randrange(1, 10**7)}\n" for each in lost), encoding="ascii")
    held = BreachedPasswords(path)
    assert all([await held.hold(f"p{each}") for each in range(many)])
    assert not any([await held.hold(f"q{each}") for each in range(50)])


async def test_the_known_digest_of_password_is_the_one_that_is_looked_for(tmp_path: Path) -> None:
    """SHA-1 of `password` as published by Have I Been Pwned's documentation of its list."""
    path = tmp_path / "lost.txt"
    path.write_text("5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493\n", encoding="ascii")
    assert await BreachedPasswords(path).hold("password")
    assert not await BreachedPasswords(None).hold("password")
