"""Reads a filter: the part of AIP-160 that means the same to everybody.

Comparisons of fields with values, ``AND``, ``OR``, ``NOT`` (or ``-``), parentheses. Left out: words without a field,
functions, wildcards within a value. ``a AND b OR c`` is refused: AIP-160 reads it as ``a AND (b OR c)``, SQL and most people
as ``(a AND b) OR c``; parentheses say which.
"""

import re
from dataclasses import dataclass
from typing import Any

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

from libs.errors import InvalidArgument, invalid_field

MAX_LENGTH = 2000
MAX_COMPARISONS = 40
MAX_DEPTH = 8

# Values may hold ":" (times, names), so the lexer must know whether a field or a value comes: LALR's does.
_GRAMMAR = r"""
start: expression
expression: term (CONNECTIVE term)*
?term: negation | comparison | "(" expression ")"
negation: NEGATION (comparison | "(" expression ")")
comparison: FIELD OPERATOR (BARE | QUOTED)
CONNECTIVE: /(AND|OR)(?![A-Za-z0-9_])/
NEGATION: /NOT(?![A-Za-z0-9_])|-/
FIELD: /[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*/
OPERATOR: "<=" | ">=" | "!=" | "=" | "<" | ">" | ":"
QUOTED: /"([^"\\\x00-\x1f\x7f]|\\["\\])*"|'([^'\\\x00-\x1f\x7f]|\\['\\])*'/
BARE: /[^\s()"'=<>!\\\x00-\x1f\x7f]+/
%ignore /[ \t\r\n]+/
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field beside a value.

    Attributes:
        field: the field's name in the contract.
        operator: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``:``.
        value: the value's text, without quotes.
        present: whether the value is the bare ``*``, which asks with ``:`` whether anything is there.
        position: where it stands in the filter, counted from 1.
    """

    field: str
    operator: str
    value: str
    present: bool
    position: int


@dataclass(frozen=True, slots=True)
class Negation:
    """What must not hold."""

    of: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    """Several conditions: all must hold, or ``either`` of them."""

    of: tuple["Condition", ...]
    either: bool


Condition = Comparison | Negation | Junction


def refused(rule: str, position: int, description: str) -> InvalidArgument:
    """Builds the error for a filter that can't be taken: FIELD_INVALID of ``filter``, with the rule and the place."""
    return invalid_field("filter", f"filter.{rule}", f"at character {position}: {description}")


# Made when a process starts: the first caller with a filter would wait 18 ms for it.
_PARSER = Lark(_GRAMMAR, parser="lalr", lexer="contextual")


def parse(text: str) -> Condition | None:
    """Reads a filter; None where it is empty.

    Raises:
        InvalidArgument: FIELD_INVALID, rules ``filter.length``, ``filter.syntax``, ``filter.parentheses`` (AND beside OR),
            ``filter.depth``, ``filter.comparisons`` (too many).
    """
    if len(text) > MAX_LENGTH:
        raise refused("length", MAX_LENGTH + 1, f"a filter has at most {MAX_LENGTH} characters")
    if not text.strip(" \t\r\n"):
        return None
    try:
        tree = _PARSER.parse(text)
    except UnexpectedInput as error:
        raise refused("syntax", _fault(error, text) + 1, "this can't be read as a filter") from None
    return _FilterReading().expression(_inner(tree), 1)


def _fault(error: UnexpectedInput, text: str) -> int:
    # A text that stops too early fails at its end, and not at the last word that could be read.
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return len(text)
    place: Any = error.pos_in_stream
    return int(place)


def _inner(tree: "Tree[Token]") -> "Tree[Token]":
    child = tree.children[0]
    assert isinstance(child, Tree)
    return child


class _FilterReading:
    """Makes conditions of a tree, and counts them."""

    def __init__(self) -> None:
        self._comparisons = 0

    def expression(self, tree: "Tree[Token]", depth: int) -> Condition:
        """Reads terms with one kind of connective between them."""
        connectives = [each for each in tree.children if isinstance(each, Token)]
        for each in connectives[1:]:
            if each != connectives[0]:
                raise refused("parentheses", _place(each), "AND beside OR needs parentheses")
        terms = tuple(self._term(each, depth) for each in tree.children if isinstance(each, Tree))
        return terms[0] if len(terms) == 1 else Junction(terms, either=connectives[0] == "OR")

    def _term(self, tree: "Tree[Token]", depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise refused("depth", _first_place(tree), f"a filter is at most {MAX_DEPTH} parentheses deep")
        if tree.data == "comparison":
            return self._comparison(tree)
        if tree.data == "negation":
            inner = tree.children[1]
            assert isinstance(inner, Tree)
            return Negation(self._term(inner, depth + 1))
        return self.expression(tree, depth + 1)

    def _comparison(self, tree: "Tree[Token]") -> Comparison:
        field, operator, value = (each for each in tree.children if isinstance(each, Token))
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise refused("comparisons", _place(field), f"a filter has at most {MAX_COMPARISONS} comparisons")
        text = _unquoted(value) if value.type == "QUOTED" else str(value)
        return Comparison(str(field), str(operator), text, value.type == "BARE" and value == "*", _place(field))


def _unquoted(value: Token) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1])


def _place(token: Token) -> int:
    assert token.start_pos is not None
    return token.start_pos + 1


def _first_place(tree: "Tree[Token]") -> int:
    return _place(next(tree.scan_values(lambda _: True)))
