"""What an identity provider's word is worth."""

from datetime import UTC, datetime

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.identity.core.assurance_names import AssuranceName
from services.identity.upstream import rules
from services.identity.upstream.rules import Upstream, UpstreamState

NOW = datetime(2024, 5, 6, tzinfo=UTC)


def _upstream(most: int = 2, state: UpstreamState = UpstreamState.ACTIVE, *levels: str) -> Upstream:
    said = levels or ("1 bronze", "2 silver", "3 gold")
    known = ("u1", "省平台", "Province", "https://idp.test", "us", ("profile",), "number", "name", said)
    return Upstream(*known, max_assurance=most, state=state, create_time=NOW, update_time=NOW)


@pytest.mark.parametrize(
    ("acr", "most", "worth"),
    [
        ("bronze", 2, 1),
        ("silver", 2, 2),
        ("gold", 2, 2),  # more than it is believed
        ("gold", 4, 3),
        ("platinum", 4, 0),  # a word that nobody explained
        ("", 4, 0),
        ("4", 4, 0),  # ours is not theirs
        ("gold", 0, 0),
    ],
)
def test_its_word_is_worth_what_was_agreed(acr: str, most: int, worth: int) -> None:
    assert rules.believed(_upstream(most), acr) == worth


def test_it_is_asked_for_whatever_would_do() -> None:
    mixed = _upstream(3, UpstreamState.ACTIVE, "3 gold", "1 bronze", "2 silver")
    assert rules.asked_words(mixed, 2) == ("silver", "gold")
    assert rules.asked_words(mixed, 0) == ("bronze", "silver", "gold")
    assert rules.asked_words(mixed, 4) == ()
    assert rules.asked_words(_upstream(2), 3) == ()


def test_a_word_stands_once() -> None:
    rules.check_words((AssuranceName("a", 1), AssuranceName("b", 1)))
    with pytest.raises(InvalidArgument) as refusal:
        rules.check_words((AssuranceName("a", 1), AssuranceName("a", 2)))
    assert refusal.value.violations[0].field == "upstream.assurance_names[1].value"


@pytest.mark.parametrize(
    "issuer", ["https://idp.test?a=b", "https://idp.test/?", "https://id.here.test", "https://id.here.test/"]
)
def test_an_issuer_has_no_query_and_is_not_ours(issuer: str) -> None:
    rules.check_issuer("https://idp.test/realms/here", "https://id.here.test")
    with pytest.raises(InvalidArgument) as refusal:
        rules.check_issuer(issuer, "https://id.here.test")
    assert refusal.value.violations[0].field == "upstream.issuer"


@pytest.mark.parametrize("state", UpstreamState)
def test_what_may_become_of_it(state: UpstreamState) -> None:
    found = _upstream(2, state)
    if state is UpstreamState.PROPOSED:
        rules.check_proposed(found)
    else:
        with pytest.raises(FailedPrecondition):
            rules.check_proposed(found)
    if state is UpstreamState.ENDED:
        with pytest.raises(FailedPrecondition):
            rules.check_not_ended(found)
    else:
        rules.check_not_ended(found)
