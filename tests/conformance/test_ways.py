"""A request's way: at most ten files from its handler to its last statement, and none that calls back up."""

from itertools import combinations

import grimp
import pytest

_MOST = 10
WAYS = {
    "IssueLicense": [
        "services.license.issuing.api",
        "services.license.issuing.steps",
        "services.license.issuing.drafting",
        "services.license.rendering.service",
        "services.license.core.license_types",
        "services.license.integrations.identity",
        "services.license.integrations.seal",
        "libs.db.uow",
        "libs.db.evidence",
        "libs.db.statement",
    ],
    "SubmitCase": [
        "services.cases.applications.api",
        "services.cases.applications.service",
        "services.cases.core.license_checks",
        "services.cases.core.workflow",
        "services.cases.core.steps",
        "services.cases.core.items",
        "services.cases.core.cases",
        "libs.db.uow",
        "libs.db.evidence",
        "libs.db.statement",
    ],
    "DecideCase": [
        "services.cases.decisions.api",
        "services.cases.decisions.parties",
        "services.cases.core.license_checks",
        "services.cases.core.workflow",
        "services.cases.core.steps",
        "services.cases.core.cases",
        "services.cases.integrations.identity",
        "libs.db.uow",
        "libs.db.evidence",
        "libs.db.statement",
    ],
    "Query": [
        "services.sharing.data.api",
        "services.sharing.data.uses",
        "services.sharing.data.consumers",
        "services.sharing.data.pages",
        "services.sharing.data.holdings",
        "services.sharing.data.statements",
        "services.sharing.data.values",
        "services.sharing.integrations.data_sources",
        "services.sharing.grants.service",
        "libs.db.evidence",
    ],
    "SealDocument": [
        "services.seal.sealing.api",
        "services.seal.sealing.documents",
        "services.seal.sealing.ofd",
        "services.seal.sealing.steps",
        "services.seal.sealing.store",
        "services.seal.sealing.opened",
        "services.seal.core.seal_rules",
        "libs.db.uow",
        "libs.db.evidence",
        "libs.db.statement",
    ],
}
"""By RPC, the files that act, from above; what only computes or is data stands beside them (README of the service)."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("services", "libs", cache_dir=None)


@pytest.mark.parametrize("rpc", sorted(WAYS))
def test_no_file_of_a_way_reaches_one_above_it(graph: grimp.ImportGraph, rpc: str) -> None:
    way = WAYS[rpc]
    assert len(way) <= _MOST
    wrong = [
        (below, above)
        for above, below in combinations(way, 2)
        if graph.find_shortest_chain(importer=below, imported=above) is not None
    ]
    assert wrong == []


@pytest.mark.parametrize("rpc", sorted(WAYS))
def test_every_file_of_a_way_is_reached_from_its_handler(graph: grimp.ImportGraph, rpc: str) -> None:
    handler, *rest = WAYS[rpc]
    unreached = [each for each in rest if graph.find_shortest_chain(importer=handler, imported=each) is None]
    assert unreached == []
