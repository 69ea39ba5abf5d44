"""Patterns that texts must match, as authors of forms write them: no text takes long, whatever the pattern.

Python's own matcher goes back and forth: a repetition within another can take longer than anybody waits. So a pattern is made
of characters, classes, groups and alternatives, a repetition holds neither another nor alternatives, at most three
have no fixed number, and what is matched has at most 200 characters: some million steps at the worst.
"""

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from re import _constants, _parser
from typing import Any

LONGEST_MATCHED = 200
"""Characters of a text that a pattern is held against."""
_MOST_REPEATS = 3
_PLAIN = (
    _constants.LITERAL,
    _constants.NOT_LITERAL,
    _constants.ANY,
    _constants.IN,
    _constants.AT,
)
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def fault_of(pattern: str) -> str:
    """Returns why a pattern is not taken; empty where it is."""
    try:
        with warnings.catch_warnings():
            # What a later Python will read in another way, such as a set within a set.
            warnings.simplefilter("error")
            parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError, Warning):
        return "is no regular expression"
    kinds = list(_kinds(parsed, within=False))
    if "other" in kinds:
        return "may hold characters, classes, groups, alternatives and repetitions only"
    if "nested" in kinds:
        return "may hold no repetition or alternatives within a repetition"
    return "may hold three repetitions of no fixed number" if kinds.count("repeat") > _MOST_REPEATS else ""


def matches(pattern: str, text: str) -> bool:
    """Whether all of a text matches a pattern in which :func:`fault_of` found no fault."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _kinds(parsed: Any, *, within: bool) -> Iterator[str]:
    for operator, argument in parsed:
        if operator in _PLAIN:
            continue
        if operator is _constants.SUBPATTERN:
            yield "other" if argument[1] or argument[2] else ""  # flags of its own
            yield from _kinds(argument[3], within=within)
        elif operator in _REPEATS:
            yield "nested" if within else ""
            yield "repeat" if argument[0] != argument[1] else ""
            yield from _kinds(argument[2], within=True)
        elif operator is _constants.BRANCH:
            yield "nested" if within else ""
            for each in argument[1]:
                yield from _kinds(each, within=within)
        else:
            yield "other"
