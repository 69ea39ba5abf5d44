"""No file reads the clock when it is imported: what it read is old by the time a service uses it, or the last test runs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_FILES = sorted(path for top in ("libs", "services", "deploy", "demo", "tests") for path in Path(top).rglob("*.py"))
_CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "now", "utcnow", "today"}


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the file is imported: of a function its decorators and defaults, of all else everything."""
    if isinstance(node, ast.Lambda):
        parts: list[ast.AST] = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    else:
        yield node
        parts = list(ast.iter_child_nodes(node))
    for part in parts:
        yield from _run_at_import(part)


def _reads_the_clock(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    # PostgreSQL reads its own clock for each row.
    return node.func.attr in _CLOCKS and ast.unparse(node.func) != "sa.func.now"


def _readings(text: str) -> list[int]:
    return [
        node.lineno for node in _run_at_import(ast.parse(text)) if isinstance(node, ast.expr) and _reads_the_clock(node)
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("NOW = int(time.time())", [1]),
        ("@mark([time.time() + 1])\ndef f(): return time.time()", [1]),
        ("def f(at=clock.now()): ...", [1]),
        ("class C:\n    day = date.today()", [2]),
        ("def f():\n    return datetime.now(UTC)", []),
        ("f = lambda: time.time()", []),
        ("column = Column(server_default=sa.func.now())", []),
    ],
)
def test_what_counts(text: str, lines: list[int]) -> None:
    assert _readings(text) == lines


def test_no_file_reads_the_clock_at_import() -> None:
    assert [f"{path}:{line}" for path in _FILES for line in _readings(path.read_text())] == []
