"""One name has one meaning, and no module keeps state: what a process holds hangs on an object that the process made."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_SAME_IN_EACH_SERVICE = {
    "Config": "the configuration of a service",
    "Parts": "what the features of a service share",
    "IdentityService": "what a service asks of identity",
    "OtherRegions": "what a service asks of the same service elsewhere",
}
"""What may have several homes, one a service: the same thing in each."""
_CONTAINERS = frozenset({"dict", "list", "set", "deque", "defaultdict", "Counter", "OrderedDict", "WeakKeyDictionary"})
_CHANGES = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "setdefault",
        "update",
    ]
)
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@cache
def _modules() -> dict[Path, ast.Module]:
    """All that we write by hand; migrations stand for themselves, and the client is made from the contracts."""
    files = (file for top in ("services", "libs", "deploy") for file in sorted(Path(top).rglob("*.py")))
    ours = (file for file in files if "migrations" not in file.parts and file.parent != Path("libs/client/made"))
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in ours}


@pytest.fixture(scope="module", autouse=True)
def _trees_are_let_go() -> Iterator[None]:
    """A million nodes that stay would be looked through by each full collection of garbage, for as long as the suite runs."""
    yield
    _modules.cache_clear()


def _homes() -> dict[str, list[Path]]:
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file, tree in _modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file)
    return {name: files for name, files in found.items() if len(files) > 1}


def test_no_class_name_has_two_homes() -> None:
    assert {name: files for name, files in _homes().items() if name not in _SAME_IN_EACH_SERVICE} == {}


@pytest.mark.parametrize("name", _SAME_IN_EACH_SERVICE)
def test_what_may_repeat_does_and_once_a_service(name: str) -> None:
    services = [file.parts[:2] for file in _homes()[name]]
    assert {top for top, _ in services} == {"services"}
    assert len(services) == len(set(services))


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign | ast.Delete):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []


def _bound(tree: ast.Module) -> set[str]:
    """The names that a module binds: what it imports, its classes, functions and values."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    names = {alias.asname or alias.name.partition(".")[0] for node in imports for alias in node.names}
    names |= {
        node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return names | {target.id for node in tree.body for target in _targets(node) if isinstance(target, ast.Name)}


def _containers(tree: ast.Module) -> set[str]:
    """The values of a module that can be changed in place."""
    found = set[str]()
    for node in tree.body:
        value = getattr(node, "value", None)
        makes = (
            isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2].partition("[")[0] in _CONTAINERS
        )
        if makes or isinstance(value, _DISPLAYS):
            found |= {target.id for target in _targets(node) if isinstance(target, ast.Name)}
    return found


def _base(target: ast.expr) -> str:
    """The name that an attribute or a subscript is assigned to; empty for what is not assigned to a plain name."""
    if isinstance(target, ast.Attribute | ast.Subscript) and isinstance(target.value, ast.Name):
        return target.value.id
    return ""


def _local(function: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _changes(tree: ast.Module) -> Iterator[ast.AST]:
    """What functions change that is not theirs: a global, an attribute or item of a module's name, a container of one."""
    bound, containers = _bound(tree), _containers(tree)
    for function in (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)):
        foreign = (bound | {"cls"}) - (_local(function) - {"cls"})
        for node in ast.walk(function):
            called = node.func if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
            in_place = (
                called is not None and called.attr in _CHANGES and ast.unparse(called.value) in containers & foreign
            )
            if isinstance(node, ast.Global) or in_place or any(_base(target) in foreign for target in _targets(node)):
                yield node


def test_no_function_changes_what_a_module_or_a_class_keeps() -> None:
    found = {
        f"{file}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for file, tree in _modules().items()
        for node in _changes(tree)
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "class State: on = None\ndef start(): State.on = 1",
        "from there import State\ndef start(): State.on = 1",
        "import there\ndef start(): there.on = 1",
        "n = 0\ndef start():\n    global n\n    n = 1",
        "seen: Counter[str] = Counter()\ndef start(): seen['a'] += 1",
        "seen = {}\ndef start(): seen.update(a=1)",
        "seen = {}\ndef start(): del seen['a']",
        "class State:\n    @classmethod\n    def start(cls): cls.on = 1",
    ],
)
def test_each_way_of_keeping_state_is_seen(source: str) -> None:
    assert list(_changes(ast.parse(source)))


def test_what_is_a_functions_own_is_let_be() -> None:
    source = "seen = {}\nADD = Insert(Row)\ndef own(seen, it):\n    seen['a'] = 1\n    it.on = 1\n    ADD.add(it)"
    assert list(_changes(ast.parse(source))) == []


def _written(tree: ast.Module) -> Iterator[str]:
    """The names in a module: of classes, functions, parameters, values, attributes, and of columns and keys."""
    for node in ast.walk(tree):
        yield from (str(getattr(node, part)) for part in ("name", "id", "arg", "attr") if hasattr(node, part))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _terms() -> dict[str, set[str]]:
    """By the term's row of the glossary, what it is called in code."""
    rows = (row.split("|") for row in Path("docs/glossary.md").read_text(encoding="utf-8").splitlines())
    four = (cells for cells in rows if len(cells) == 6)
    return {cells[1].strip(): set(re.findall(r"`(\w+)`", cells[2])) for cells in four}


def test_the_glossary_names_what_is_in_the_code() -> None:
    written = {name for tree in _modules().values() for name in _written(tree)}
    assert {term: missing for term, names in _terms().items() if (missing := names - written)} == {}
    assert len(_terms()) > 100
