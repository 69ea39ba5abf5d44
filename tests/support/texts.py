"""Texts that a pattern takes, made from the pattern itself."""

import re
import re._constants as kinds  # the parser has no public name
import re._parser as parser
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

_REPEATS_WITHOUT_END = 2
_OTHERS: Final = "甲a0 "


@cache
def text_of(pattern: str, *, longest: bool = False) -> str:
    """Returns a text that ``pattern`` takes: a short one, or one with every optional part.

    Of a class of characters the last one is taken, which in our patterns is the one least like the others (``-`` in
    ``[0-9a-f-]``): a pattern that lets nonsense through shows itself.
    """
    made = _sequence(parser.parse(pattern), longest)
    assert re.search(pattern, made), f"{pattern} does not take {made}"
    return made


def _sequence(items: Iterable[Any], longest: bool) -> str:
    return "".join(_item(kind, value, longest) for kind, value in items)


def _item(kind: Any, value: Any, longest: bool) -> str:
    if kind is kinds.LITERAL:
        return chr(value)
    if kind is kinds.IN:
        return _of_class(value)
    if kind is kinds.MAX_REPEAT:
        low, high, inner = value
        times = int(min(high, low + _REPEATS_WITHOUT_END) if longest else low)
        return _sequence(inner, longest) * times
    if kind is kinds.SUBPATTERN:
        return _sequence(value[-1], longest)
    if kind is kinds.BRANCH:
        return _sequence(value[1][-1 if longest else 0], longest)
    assert kind is kinds.AT, f"{kind} is not in our patterns"
    return ""


def _of_class(members: list[Any]) -> str:
    if members[0][0] is kinds.NEGATE:
        excluded: list[tuple[int, int]] = [_span(kind, value) for kind, value in members[1:]]
        return next(each for each in _OTHERS if not any(low <= ord(each) <= high for low, high in excluded))
    return chr(_span(*members[-1])[1])


def _span(kind: Any, value: Any) -> tuple[int, int]:
    return (value, value) if kind is kinds.LITERAL else value
