"""What the code raises is what ``ErrorReason`` documents: reason, code and metadata keys, read from the source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import libs.errors
from libs.errors import TongbanError
from tongban.common.v1 import error_reason_pb2
from tongban.options.v1 import options_pb2

_ROOT = Path(libs.errors.__file__).parents[2]
_CLASSES = {
    name: found.code.name
    for name, found in vars(libs.errors).items()
    if isinstance(found, type) and issubclass(found, TongbanError) and found is not TongbanError
}
_OWN_ARGUMENTS = {"violations", "retry_after"}
_ADDED_BY_STAGES = {"INTERNAL": {"correlation_id"}}
_PREFIX = "ERROR_REASON_"


@dataclass(frozen=True)
class Raised:
    """One place in the source that builds an error of the family with a reason written out."""

    place: str
    kind: str
    reason: str
    keys: frozenset[str]
    complete: bool


def _documented() -> dict[str, options_pb2.ErrorInfo]:
    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values[1:]
    return {value.name.removeprefix(_PREFIX): value.GetOptions().Extensions[options_pb2.error] for value in values}


def _sources() -> list[Path]:
    return sorted(path for folder in ("libs", "services") for path in (_ROOT / folder).rglob("*.py"))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _texts(node: ast.expr | None) -> list[str]:
    """The texts that an expression can be, where the source writes them out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return []


def _calls(path: Path) -> Iterator[Raised]:
    place = str(path.relative_to(_ROOT))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or _name(node.func) not in _CLASSES:
            continue
        given = [word.arg for word in node.keywords]
        first = node.args[0] if node.args else next((w.value for w in node.keywords if w.arg == "reason"), None)
        keys = frozenset(key for key in given if key) - _OWN_ARGUMENTS - {"reason", "message"}
        for reason in _texts(first):
            yield Raised(f"{place}:{node.lineno}", _name(node.func), reason, keys, None not in given)


@cache
def raised() -> tuple[Raised, ...]:
    """Every such place in libs and services."""
    return tuple(each for path in _sources() for each in _calls(path))


def test_the_source_was_read() -> None:
    assert {"FIELD_INVALID", "RESOURCE_NOT_FOUND", "TOKEN_MISSING", "STATE_CONFLICT"} <= {
        each.reason for each in raised()
    }


def test_every_reason_raised_is_documented() -> None:
    known = _documented()
    assert [f"{each.place} {each.reason}" for each in raised() if each.reason not in known] == []


def test_every_reason_is_raised_with_its_code() -> None:
    known = _documented()
    assert [
        f"{each.place} {each.reason}: {each.kind} is not {known[each.reason].code}"
        for each in raised()
        if each.reason in known and _CLASSES[each.kind] != known[each.reason].code
    ] == []


def test_metadata_keys_are_those_documented() -> None:
    """Exactly those, unless the source hands on a mapping that can't be read here: then at most those."""
    known = _documented()
    offenders = []
    for each in raised():
        documented = set(known[each.reason].metadata) if each.reason in known else set(each.keys)
        given = each.keys | _ADDED_BY_STAGES.get(each.reason, set())
        if not given <= documented or (each.complete and given != documented):
            offenders.append(f"{each.place} {each.reason}: {sorted(given)}, documented {sorted(documented)}")
    assert offenders == []


def test_every_documented_reason_is_used() -> None:
    """A reason that nothing raises is one that a client prepares for in vain."""
    written = {
        node.value
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(_documented().keys() - written) == []
