"""No path means two RPCs: of two HTTP mappings with one verb, none can match what the other matches."""

import itertools
import re

from tests.support.contracts import http_mappings

_VARIABLE = re.compile(r"\{[^=}]+(?:=([^}]*))?\}")


def _pattern(template: str) -> tuple[list[str], str]:
    """The segments of a template, variables opened, and its custom verb."""
    opened = _VARIABLE.sub(lambda found: found.group(1) or "*", template)
    path, _, verb = opened.partition(":")
    return path.strip("/").split("/"), verb


def _overlap(first: str, second: str) -> bool:
    (one, verb), (other, other_verb) = _pattern(first), _pattern(second)
    if verb != other_verb or len(one) != len(other):
        return False
    return all(a == b or "*" in (a, b) for a, b in zip(one, other, strict=True))


def test_overlaps_are_found() -> None:
    assert _overlap("/v1/{name=*/auditHead}", "/v1/{name=cases/*}")
    assert not _overlap("/v1/{name=cases/*}", "/v1/{name=cases/*}:submit")
    assert not _overlap("/v1/licenses:get", "/v1/{name=licenses/*}")


def test_no_two_rpcs_share_a_path() -> None:
    mappings = [(rpc, verb, path) for rpc, found in http_mappings().items() for verb, path, _ in found]
    shared = [
        (first[0], second[0], first[2], second[2])
        for first, second in itertools.combinations(mappings, 2)
        if first[1] == second[1] and _overlap(first[2], second[2])
    ]
    assert shared == []
