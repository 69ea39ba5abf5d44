"""What is decided of identity providers without I/O: what may become of them, and what their word is worth."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.errors import invalid_field, state_conflict
from services.identity.core.assurance_names import AssuranceName

FULL_NAME = "name"
"""The claim with the full name where nothing else is said (OpenID Connect Core, 5.1)."""

PROVEN = 2
"""From this level on name and number are proven: below it they were typed in."""
OLDEST_SECONDS = 11 * 3600
"""Who signed in there longer ago signs in again: a session here lasts from that moment on (``SESSION_LASTS``), and some of it is to be left."""


class UpstreamState(StrEnum):
    """The life of an identity provider (UpstreamState of the contract)."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Upstream:
    """An OpenID provider of somebody else's at which people may sign in.

    Attributes:
        issuer: as its tokens have it.
        client_id: what it calls this region.
        scopes: what is asked for beside `openid`.
        number_claim: where the number of the identity card stands; empty where its contract says nothing of one.
        full_name_claim: where the name stands.
        levels: what its `acr` means, as ``AssuranceNames.to_texts`` has it.
        max_assurance: the highest level that it is believed.
        backers: who stands behind it.
    """

    id: str
    display_name: str
    display_name_en: str
    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    number_claim: str
    full_name_claim: str
    levels: tuple[str, ...]
    max_assurance: int
    state: UpstreamState
    create_time: datetime
    update_time: datetime
    backers: tuple[str, ...] = ()
    end_reason: str = ""
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"upstreams/{self.id}"

    @property
    def words(self) -> tuple[AssuranceName, ...]:
        """What its `acr` means."""
        parts = (text.split(" ", 1) for text in self.levels)
        return tuple(AssuranceName(value, int(level)) for level, value in parts)


def believed(upstream: Upstream, acr: str) -> int:
    """Returns the level (0 to 4) that its `acr` is worth here: never more than it is believed, and 0 where the word is not known."""
    known = {each.value: each.assurance for each in upstream.words}
    return min(known.get(acr, 0), upstream.max_assurance)


def asked_words(upstream: Upstream, least: int) -> tuple[str, ...]:
    """Returns what is to be asked for (`acr_values`) so that ``least`` is reached, the lowest word first; none where none would do."""
    if least > upstream.max_assurance:
        return ()
    enough = [each for each in upstream.words if each.assurance >= least]
    return tuple(each.value for each in sorted(enough, key=lambda each: each.assurance))


def check_words(words: tuple[AssuranceName, ...]) -> None:
    """Raises InvalidArgument FIELD_INVALID for a word that stands twice: nobody could tell what it means."""
    seen: set[str] = set()
    for place, each in enumerate(words):
        if each.value in seen:
            field = f"upstream.assurance_names[{place}].value"
            raise invalid_field(field, "upstream.assurance_name", "stands twice")
        seen.add(each.value)


def check_issuer(issuer: str, own: str) -> None:
    """Raises InvalidArgument FIELD_INVALID for an issuer with a query (OpenID Connect Discovery 1.0, 3), and for our ``own``."""
    if "?" in issuer:
        raise invalid_field("upstream.issuer", "upstream.issuer", "has no query")
    if issuer.rstrip("/") == own.rstrip("/"):
        raise invalid_field("upstream.issuer", "upstream.issuer", "is another's, not this region's own")


def check_proposed(upstream: Upstream) -> None:
    """Raises FailedPrecondition STATE_CONFLICT unless it waits for somebody to stand behind it."""
    if upstream.state is not UpstreamState.PROPOSED:
        raise state_conflict(upstream.name, upstream.state, UpstreamState.PROPOSED)


def check_not_ended(upstream: Upstream) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where it has ended."""
    if upstream.state is UpstreamState.ENDED:
        raise state_conflict(upstream.name, upstream.state, UpstreamState.PROPOSED, UpstreamState.ACTIVE)
