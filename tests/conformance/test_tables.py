"""Tables are declared and made with the same columns everywhere: what many tables have stands in ``libs.db.columns`` alone."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from libs.db import columns

_SHARED = {name for name, each in inspect.getmembers(columns, inspect.isfunction)}


def _makes_a_column_of_any_name(function: ast.FunctionDef) -> bool:
    """Whether it is a helper for columns: the column's name is one of its parameters."""
    parameters = {each.arg for each in [*function.args.args, function.args.vararg] if each}
    for call in ast.walk(function):
        if isinstance(call, ast.comprehension) and isinstance(call.iter, ast.Name) and call.iter.id in parameters:
            parameters |= {each.id for each in ast.walk(call.target) if isinstance(each, ast.Name)}
    return any(
        isinstance(call, ast.Call)
        and ast.unparse(call.func) == "sa.Column"
        and isinstance(call.args[0], ast.Name)
        and call.args[0].id in parameters
        for call in ast.walk(function)
    )


def _helpers(text: str) -> Iterator[str]:
    for each in ast.walk(ast.parse(text)):
        if isinstance(each, ast.FunctionDef):
            name = each.name.lstrip("_")
            if name in _SHARED or _makes_a_column_of_any_name(each):
                yield each.name


def test_no_service_has_helpers_of_its_own_for_what_all_have() -> None:
    files = [*Path("services").glob("*/core/schema.py"), *Path("services").glob("*/migrations/versions/*.py")]
    assert len(files) >= 10
    found = {str(file): names for file in files if (names := list(_helpers(file.read_text(encoding="utf-8"))))}
    assert found == {}


def test_a_helper_is_known_by_what_it_does() -> None:
    assert list(_helpers("def _word(name):\n    return sa.Column(name, sa.Text())")) == ["_word"]
    assert list(_helpers("def words(*names):\n    return tuple(sa.Column(n, sa.Text()) for n in names)")) == ["words"]
    assert list(_helpers("def _life():\n    return ()")) == ["_life"]
    assert list(_helpers("def sides():\n    return (sa.Column('a', sa.Text),)")) == []
