"""What the code raises is what ``ErrorReason`` documents: its constructors are made from the contract, and nothing else is."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import libs.errors
from libs.errors import TongbanError, reasons
from tongban.errors.v1 import error_reason_pb2

_ROOT = Path(libs.errors.__file__).parents[2]
_CLASSES = {
    name
    for name, found in vars(libs.errors).items()
    if isinstance(found, type) and issubclass(found, TongbanError) and found is not TongbanError
}
_ADDED_BY_STAGES = {"INTERNAL": {"correlation_id"}}
_OF_THE_FAMILY = {"libs/errors/__init__.py", "libs/errors/reasons.py", "libs/rpc/stages/errors.py"}
_OWN_ARGUMENTS = {"message", "violations", "retry_after"}


def _documented() -> dict[str, error_reason_pb2.ErrorInfo]:
    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values[1:]
    return {
        value.name.removeprefix("ERROR_REASON_"): value.GetOptions().Extensions[error_reason_pb2.error]
        for value in values
    }


@cache
def _sources() -> dict[str, ast.Module]:
    paths = [path for folder in ("libs", "services", "deploy") for path in (_ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(_ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(paths)}


@pytest.fixture(scope="module", autouse=True)
def _trees_are_let_go() -> Iterator[None]:
    """A million nodes that stay would be looked through by each full collection of garbage, for as long as the suite runs."""
    yield
    _sources.cache_clear()


def test_every_documented_reason_has_its_constructor() -> None:
    for reason, meaning in _documented().items():
        made = getattr(reasons, reason.lower())
        keys = set(inspect.signature(made).parameters) - _OWN_ARGUMENTS
        assert keys == set(meaning.metadata) - _ADDED_BY_STAGES.get(reason, set()), reason
        error = made("what happened", **dict.fromkeys(keys, "x"))
        assert (error.reason, error.code.name, set(error.metadata)) == (reason, meaning.code, keys)


def test_no_error_is_built_but_by_its_constructor() -> None:
    """A reason that the source writes out beside a class could differ from the contract."""
    offenders = [
        f"{place}:{node.lineno}"
        for place, tree in _sources().items()
        if place not in _OF_THE_FAMILY
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CLASSES
    ]
    assert offenders == []


def test_every_documented_reason_is_used() -> None:
    """A reason that nothing raises is one that a client prepares for in vain."""
    named = {
        node.attr
        for place, tree in _sources().items()
        if place != "libs/errors/reasons.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "reasons"
    }
    written = {
        node.value.lower()
        for place, tree in _sources().items()
        if place != "libs/errors/reasons.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted({reason.lower() for reason in _documented()} - named - written) == []
