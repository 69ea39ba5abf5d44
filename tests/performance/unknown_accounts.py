"""Whether time tells who has an account: two lines of ``./run bench``, and alone python -m tests.performance.unknown_accounts

Wrong passwords are sent one after another for accounts that there are and for numbers that nobody has, in turn, from an address of
their own each. Told are the two medians, and how often an observer who sees one time of each guesses right which was which: 0.5 is
a toss of a coin, and what noise alone would give lies within the error that stands beside it. Clients with a wrong secret likewise.
"""

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop

from deploy.local.regions import HOST
from libs.ids.synthetic import SyntheticPopulation
from libs.rpc.call import FORWARDED
from tests.performance.ground import Ground, opened
from tests.performance.sign_in import REDIRECT, people, registered, ticket_of

_ROUNDS = 100
STANDARD_ERRORS = 3.0
"""So far from a coin's toss time may lie, in standard errors: beyond it, it tells."""
Ask = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Guessed:
    """How well an observer tells two sorts apart by the time that an answer takes.

    Attributes:
        what: of what there are known ones and unknown ones.
        known_ms, unknown_ms: the medians.
        right: how often the observer is right.
        error: the standard error that chance alone gives.
    """

    what: str
    known_ms: float
    unknown_ms: float
    right: float
    error: float

    @property
    def from_chance(self) -> float:
        """How far from a coin's toss, in standard errors."""
        return abs(self.right - 0.5) / self.error

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.known_ms:.2f} ms known, {self.unknown_ms:.2f} ms unknown;"
            f" guessed right {self.right:.3f} ± {self.error:.3f}"
        )


def _advantage(known: list[float], unknown: list[float]) -> tuple[float, float]:
    """How often the known one took longer (Mann-Whitney), and the standard error that chance alone gives."""
    wins = sum((a > b) + 0.5 * (a == b) for a in known for b in unknown)
    pairs = len(known) * len(unknown)
    error = ((len(known) + len(unknown) + 1) / (12 * pairs)) ** 0.5
    return wins / pairs, error


async def _timed(ask: Ask, number: int) -> float:
    began = time.perf_counter()
    await ask(number)
    return (time.perf_counter() - began) * 1000


async def _guessed(what: str, known: Ask, unknown: Ask) -> Guessed:
    """Measures."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-5, _ROUNDS):
        # In turn, each first as often as the other: a machine that drifts drifts for both.
        for which in (0, 1) if number % 2 else (1, 0):
            taken = await _timed((known, unknown)[which], number)
            if number >= 0:
                times[which].append(taken)
    right, error = _advantage(*times)
    return Guessed(what, statistics.median(times[0]), statistics.median(times[1]), right, error)


async def told_apart(ground: Ground) -> list[Guessed]:
    """Measures accounts, and clients."""
    party, numbers = await registered(ground, "times-rp"), [number async for number in people(ground, "times")]
    nobody = SyntheticPopulation("nobody", province="34")
    asked = {"response_type": "code", "client_id": party, "redirect_uri": REDIRECT, "scope": "openid"}
    asked |= {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{ground.identity_http}", trust_env=False) as http:
        ticket = ticket_of(await http.get("/oauth/authorize", params=asked))

        async def sign_in(login: str, number: int) -> None:
            form = {"ticket": ticket, "login": login, "password": "不是这个口令不是这个口令"}
            address = {FORWARDED: f",10.9.{number % 250}.7"}
            answer = await http.post("/oauth/sign-in", data=form, headers=address)
            assert answer.status_code == 400, answer.status_code

        async def grant(client: str) -> None:
            form = {"grant_type": "client_credentials", "client_id": client, "client_secret": "y" * 43}
            answer = await http.post("/oauth/token", data=form)
            assert answer.status_code == 401, answer.text

        return [
            await _guessed(
                "accounts",
                lambda number: sign_in(numbers[number % len(numbers)], number),
                lambda number: sign_in(nobody.person().citizen_id, number),
            ),
            await _guessed("clients", lambda _: grant(party), lambda number: grant(f"nobody-{number + 9}")),
        ]


async def _in_a_region(state: Path) -> bool:
    async with opened(state) as ground:
        found = await told_apart(ground)
    print(*found, sep="\n")
    return any(each.from_chance > STANDARD_ERRORS for each in found)


def main() -> None:
    """Measures; ends with 1 where time tells."""
    with tempfile.TemporaryDirectory(prefix="tongban-times-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        raise SystemExit(uvloop.run(_in_a_region(Path(folder) / "state")))


if __name__ == "__main__":
    main()
