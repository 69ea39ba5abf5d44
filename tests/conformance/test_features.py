"""A service is made of features that do not know each other's insides; what all need lies below them, and runs nothing back up."""

from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

SERVICES = sorted(file.parent.name for file in Path("services").glob("*/app.py"))
_BELOW = ("core", "integrations")
_NO_FEATURE = frozenset({*_BELOW, "migrations"})
_PUBLIC = frozenset({"api", "service"})
"""The modules of a feature that others may call."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("services", cache_dir=None)


def _features(service: str) -> set[str]:
    folders = (each.parent.name for each in Path("services", service).glob("*/__init__.py"))
    return {name for name in folders if name not in _NO_FEATURE}


def _imports(graph: grimp.ImportGraph, service: str) -> Iterator[tuple[list[str], list[str]]]:
    """The imports within a service, each module by its parts after the service's name."""
    root = f"services.{service}."
    for module in graph.find_descendants(root[:-1]):
        for imported in graph.find_modules_directly_imported_by(module):
            if imported.startswith(root):
                yield module.removeprefix(root).split("."), imported.removeprefix(root).split(".")


@pytest.mark.parametrize("service", SERVICES)
def test_features_do_not_know_each_others_insides(graph: grimp.ImportGraph, service: str) -> None:
    features = _features(service)
    assert features
    wrong = [
        (module, imported)
        for module, imported in _imports(graph, service)
        if module[0] in features and imported[0] in features - {module[0]} and not _PUBLIC.issuperset(imported[1:2])
    ]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_below_knows_what_stands_on_it(graph: grimp.ImportGraph, service: str) -> None:
    above = {"core": _features(service), "integrations": _features(service) | {"core"}}
    wrong = [
        (module, imported)
        for module, imported in _imports(graph, service)
        if (module[0] in _BELOW and imported[0] in above[module[0]])
        or (imported[0] == "app" and module != ["__main__"])
    ]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_no_layer_of_the_old_shape(service: str) -> None:
    old = {
        "servicers",
        "usecases",
        "store",
        "domain",
        "clients",
        "consumers",
        "convert",
        "tables",
        "sweeper",
        "sweepers",
    }
    assert {each.stem for each in Path("services", service).iterdir()} & old == set()


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_names_the_tables_of_evidence_or_the_ambient_call(service: str) -> None:
    banned = (
        *("INTO audit_", "INTO outbox", "INTO retries", "INTO idempotency", "current_call", "served()"),
        *("sa.select(", "sa.insert(", "sa.update(", ".driver()", "libs.db.rows"),
    )
    for file in Path("services", service).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert [each for each in banned if each in text] == [], file
