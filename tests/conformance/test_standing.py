"""Rules ask for whom a caller stands, never for the token's kind: at a window both are not the same (issue 5, B7)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted(Path("services").rglob("*.py"))
_TOLD = {"actor_kind"}
"""Keywords that only tell the kind, in an error's metadata."""


def _is_principal(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return False
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ("principal", "caller")


def _asked(tree: ast.AST) -> Iterator[int]:
    """The lines that read a principal's kind for anything but telling it."""
    told = {
        id(keyword.value)
        for node in ast.walk(tree) if isinstance(node, ast.Call)
        for keyword in node.keywords if keyword.arg in _TOLD
    }  # fmt: skip
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr == "kind"
            and _is_principal(node.value)
            and id(node) not in told
        ):
            yield node.lineno


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_no_rule_asks_for_the_kind_of_a_token(source: Path) -> None:
    assert list(_asked(ast.parse(source.read_text(encoding="utf-8")))) == []


def test_what_is_looked_for_would_be_found() -> None:
    code = (
        'if principal.kind == "STAFF" or asked.principal.kind in KINDS:\n    raise Refused(actor_kind=principal.kind)'
    )
    assert list(_asked(ast.parse(code))) == [1, 1]
