"""What partners call the levels of assurance."""

import pytest

from libs.errors import InvalidArgument
from services.identity.core.assurance_names import AssuranceName, AssuranceNames, check_names, of_texts

# eIDAS (910/2014, article 8) has three levels, and none for a telephone alone.
EIDAS = AssuranceNames((AssuranceName("low", 2), AssuranceName("substantial", 3), AssuranceName("high", 4)))


@pytest.mark.parametrize(
    ("value", "level"), [("low", 2), ("high", 4), ("3", 3), ("0", 0), ("highest", None), ("", None)]
)
def test_a_word_stands_for_a_level_beside_ours(value: str, level: int | None) -> None:
    assert EIDAS.level(value) == level


@pytest.mark.parametrize(("level", "word"), [(4, "high"), (3, "substantial"), (2, "low"), (1, "1"), (0, "0")])
def test_a_level_is_told_by_the_highest_word_that_is_reached(level: int, word: str) -> None:
    assert EIDAS.named(level) == word


def test_no_word_says_more_than_was_reached() -> None:
    gaps = AssuranceNames((AssuranceName("RC03", 4), AssuranceName("RC02", 2)))
    assert [gaps.named(level) for level in range(5)] == ["0", "1", "RC02", "RC02", "RC03"]


def test_it_is_read_as_it_was_written() -> None:
    odd = AssuranceNames((AssuranceName("a=b:c", 0), AssuranceName("urn:x:2", 4)))
    assert of_texts(odd.to_texts()) == odd


@pytest.mark.parametrize("words", [("high", "high"), ("2", "high"), ("high", "4")])
def test_ours_and_what_stands_twice_are_no_words(words: tuple[str, str]) -> None:
    place = 0 if words[0].isdigit() else 1
    with pytest.raises(InvalidArgument) as refused:
        check_names(AssuranceNames(tuple(AssuranceName(word, 3) for word in words)))
    (violation,) = refused.value.violations
    assert violation.field == f"client.assurance_names[{place}].value"
