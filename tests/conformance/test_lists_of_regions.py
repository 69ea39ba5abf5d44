"""Lists that other regions are asked for: each has what they need, and what comes of other regions can be called by its name."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.api import resource_pb2

from buf.validate import validate_pb2
from libs.lists.listing import FilteredList
from libs.lists.of_regions import names_a_thing
from services.cases.search.store import LISTED as CASES
from services.license.licenses.store import LISTED as LICENSES
from tests.support.contracts import methods
from tongban.cases.v1 import resources_pb2 as cases
from tongban.license.v1 import resources_pb2 as licenses

_LISTS: dict[str, tuple[FilteredList[Any], Any]] = {
    "ListCases": (CASES, cases.Case.DESCRIPTOR),
    "ListLicenses": (LICENSES, licenses.License.DESCRIPTOR),
}
_THERE = "//wanzhi-2/"


def _asking() -> dict[str, Any]:
    return {
        each.descriptor.name: each.descriptor
        for each in methods()
        if "regions" in each.descriptor.input_type.fields_by_name and each.descriptor.name.startswith("List")
    }


def _of(message: Any, seen: frozenset[str] = frozenset()) -> Iterator[Any]:
    for each in message.fields:
        yield each
        if each.message_type is not None and each.message_type.full_name not in seen:
            yield from _of(each.message_type, seen | {message.full_name})


def test_who_takes_regions_names_those_that_are_away() -> None:
    found = _asking()
    assert found.keys() == _LISTS.keys()
    for each in found.values():
        assert "unreachable" in each.output_type.fields_by_name, each.full_name
        assert "use_context" in each.input_type.fields_by_name, each.full_name


@pytest.mark.parametrize("name", _LISTS)
def test_what_names_a_thing_can_name_one_of_another_region(name: str) -> None:
    """An answer keeps the patterns that its fields promise, also where a row lies elsewhere."""
    _, row = _LISTS[name]
    for each in _of(row):
        options = each.GetOptions()
        pattern = options.Extensions[validate_pb2.field].string.pattern
        if pattern and options.HasExtension(resource_pb2.resource_reference):
            assert re.search(re.escape("(//"), pattern), f"{each.full_name} takes no {_THERE}…: {pattern}"


@pytest.mark.parametrize(
    ("name", "things"),
    [
        (
            "ListCases",
            {
                *("item", "results.license", "applicant.subject", "agent.subject"),
                *("received_by", "accepted_by", "reviewed_by"),
            },
        ),
        ("ListLicenses", {"license_type", "seal"}),
    ],
)
def test_fields_that_name_things_of_one_region_are_known(name: str, things: set[str]) -> None:
    listed, row = _LISTS[name]
    assert {each for each in listed.fields if names_a_thing(row, each)} == things
