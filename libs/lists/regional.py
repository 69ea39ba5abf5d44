"""One list of several regions: this one first, then the others, one after another, each in its own order.

A page asks as many regions as it needs to be full. One that can't be asked (away, too slow, refusing, answering what is no
page) is named, and the list goes on behind it: no region's rows are lost for another's sake, and no page waits long. The
token says in which region the list goes on, and where there.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from libs.db.paging import Listing, Pages
from libs.errors import TongbanError, reasons

PATIENCE_SECONDS = 2.0
"""So long a page waits for one region."""
PAGE_SECONDS = 5.0
"""So long a page goes on asking; then it ends early, with a token."""
MAX_INNER_TOKEN = 600
"""A longer token would not fit into ours."""
Row = TypeVar("Row")
Ask = Callable[[str, int], Awaitable[tuple[Sequence[Row], str]]]
"""Asks one region for the page of a token, of so many rows at most; gives its rows, and the token of the next."""


@dataclass(frozen=True, slots=True)
class RegionalPlace:
    """Where a page begins.

    Attributes:
        region: which region, 0 is this one.
        token: the page there; empty for its first.
        transaction: the id under which all regions record what is read of the list; empty before the first page.
    """

    region: int = 0
    token: str = ""
    transaction: str = ""


@dataclass(frozen=True, slots=True)
class RegionalPage(Generic[Row]):
    """A page: its rows, the regions that could not be asked for it, and where the next begins (None at the end)."""

    rows: list[Row]
    unreachable: list[str]
    following: RegionalPlace | None


def place_of(pages: Pages, request: Listing) -> RegionalPlace:
    """Returns where the page that is asked for begins; raises PAGE_TOKEN_INVALID."""
    match pages.position(request, request.page_token):
        case None:
            return RegionalPlace()
        case (int(region), str(token), str(transaction)) if 0 <= region <= len(request.regions):
            return RegionalPlace(region, token, transaction)
    raise reasons.page_token_invalid("the page token belongs to another list")


def token_of(pages: Pages, request: Listing, place: RegionalPlace | None, transaction: str) -> str:
    """Makes the token of a page; empty where there is none."""
    return pages.next_token(request, place.region, place.token, transaction) if place else ""


async def page(home: Ask[Row], others: Mapping[str, Ask[Row]], begin: RegionalPlace, size: int) -> RegionalPage[Row]:
    """Reads a page of at most ``size`` rows.

    Args:
        home: asks this region; what it refuses is refused.
        others: ask the other regions, by their ids, in their order.
        begin: where the page begins.
        size: how many rows.
    """
    asks = [("", home), *others.items()]
    found, unreachable = list[Row](), list[str]()
    at: RegionalPlace | None = begin
    until = time.monotonic() + PAGE_SECONDS
    while at is not None and len(found) < size and time.monotonic() < until:
        region, ask = asks[at.region]
        wanted = size - len(found)
        answer = await (_answer(ask, at.token, wanted) if region else ask(at.token, wanted))
        if answer is None:
            unreachable.append(region)
        rows, token = answer or ((), "")
        found.extend(rows)
        at = _behind(at, token, len(asks))
    return RegionalPage(found, unreachable, at)


def _behind(at: RegionalPlace, token: str, regions: int) -> RegionalPlace | None:
    if token:
        return RegionalPlace(at.region, token)
    return RegionalPlace(at.region + 1) if at.region + 1 < regions else None


def patience() -> asyncio.Timeout:
    """So long one region is waited for."""
    return asyncio.timeout(PATIENCE_SECONDS)


async def _answer(ask: Ask[Row], token: str, size: int) -> tuple[Sequence[Row], str] | None:
    """What another region answers; None where it does not, or with what is no page of its list."""
    try:
        async with patience():
            rows, following = await ask(token, size)
    except (TongbanError, TimeoutError):
        return None
    stands = following == token and bool(token)
    return None if len(rows) > size or len(following) > MAX_INNER_TOKEN or stands else (rows, following)
