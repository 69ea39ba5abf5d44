"""A request's way: at most ten files from its handler to its last statement, and none that calls back up."""

from itertools import combinations

import grimp
import pytest

_MOST = 10
WAYS = {
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
    return grimp.build_graph("services", "libs")


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
