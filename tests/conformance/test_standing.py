"""Rules ask for whom a caller stands, never for the token's kind: at a window both are not the same (issue 5, B7)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.access.actor import Actor, Standing
from libs.access.owners import listed_owners, require_official, whose
from libs.errors import PermissionDenied
from services.cases.core.access import require_staff
from services.license.core.authorization import subjects_of
from services.sharing.core.participants import participant

HALL, FIRM = (f"{kind}/00000000-0000-7000-8000-000000000001" for kind in ("departments", "organizations"))
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
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in _TOLD
    }
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


NOBODIES = [
    Actor(subject, kind, frozenset({"*"}), 4, department=department, organization=organization, region=region)
    for subject in ("", "nobody", "persons/", "anonymous", "//320402/nobody")
    for kind in ("PERSON", "STAFF", "CLIENT", "SERVICE", "REGION", "")
    for department, organization, region in (("", "", ""), ("", "", "320402"), (HALL, FIRM, ""))
]
"""Callers who came past the door somehow, with every right and no subject: each rule must close by itself."""


@pytest.mark.parametrize("caller", NOBODIES)
def test_a_reader_without_a_subject_gets_nothing(caller: Actor) -> None:
    assert (caller.standing, caller.person, caller.office, caller.clerk) == (Standing.NOBODY, "", "", "")
    with pytest.raises(PermissionDenied):
        whose(caller)
    with pytest.raises(PermissionDenied):
        listed_owners(caller, "")
    with pytest.raises(PermissionDenied):
        listed_owners(caller, FIRM)
    assert subjects_of(caller) == frozenset()
    assert caller.speaks_for == frozenset()
    with pytest.raises(PermissionDenied):
        require_official(caller)
    with pytest.raises(PermissionDenied):
        require_staff(caller, caller.department, "cases/x")
    side = participant(caller, "341500")
    assert not (side.whole_region or side.audits or side.publishes)
    assert not any(side.provides(name) or side.consumes(side.region, [name]) for name in ("", HALL))
    for must in (side.must_provide, lambda name: side.must_consume(side.region, [name])):
        with pytest.raises(PermissionDenied):
            must("")
