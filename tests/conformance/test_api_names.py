"""One name for one thing: a collection is called alike in paths, resource names, permissions and events (decision 0043)."""

import re
from functools import cache

import pytest
from google.protobuf.descriptor import Descriptor

from libs.ids.region import REGION_ID
from libs.rpc.contract import Method
from tests.support import contracts
from tongban.common.v1 import common_pb2
from tongban.options.v1 import options_pb2

_SAYS_TOO_LITTLE = {
    *("resources", "requests", "grants", "mounts", "items", "tasks", "transfers", "deliveries", "messages", "records"),
    *("types", "uses", "data", "files", "objects", "entries", "events", "operations", "names", "things"),
}
"""Words that could stand for anything in the one namespace of names, paths and events."""
_WITHOUT_PATH = {"withdrawals"}
"""Collections that only the services of the region read: they have no path, and nothing of them a name."""
_SEGMENT = re.compile(r"[a-z][A-Za-z0-9]*")


def _messages() -> list[Descriptor]:
    return [message for module in contracts.files() for message in module.message_types_by_name.values()]


@cache
def _paths() -> dict[str, list[str]]:
    """The path templates of every RPC by its full name."""
    return {name: [template for _, template, _ in found] for name, found in contracts.http_mappings().items()}


def _literals(template: str) -> list[str]:
    """The collections and singletons of a path, in order: ``cases`` and ``clock`` of ``/v1/{name=cases/*/clock}:x``."""
    plain = re.sub(r"\{[a-z_.]+=([^}]*)\}", r"\1", template.removeprefix("/v1/").removeprefix("region/"))
    return [each for each in plain.split(":")[0].split("/") if _SEGMENT.fullmatch(each)]


@cache
def _collections() -> frozenset[str]:
    """Every collection of which a path names one member."""
    return frozenset(found for paths in _paths().values() for path in paths for found in re.findall(r"(\w+)/\*", path))


def _allowed(method: Method) -> set[str]:
    """What the permission of an RPC may call its collection."""
    known, found = set(_collections()), set[str]()
    for path in _paths()[method.name]:
        literals = _literals(path)
        found |= {literals[-1], *[each for each in literals if each in known][-1:]}
    return found or (known | _WITHOUT_PATH | {"tokens"})


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: str(method.name))
def test_a_permission_names_the_collection_of_the_path(method: Method) -> None:
    permission = contracts.access_of(method).permission
    if permission:
        service, collection, _ = permission.split(".")
        assert (service, collection) in {(method.name.split(".")[1], each) for each in _allowed(method)}


def test_a_collection_says_what_it_is() -> None:
    assert _collections() & _SAYS_TOO_LITTLE == set()


def _singular(collection: str) -> str:
    """``license_type`` of ``licenseTypes``."""
    words = re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), collection)
    return words.removesuffix("ies") + "y" if words.endswith("ies") else words.removesuffix("s")


def test_an_event_names_its_service_and_its_thing() -> None:
    ends = {_literals(path)[-1] for paths in _paths().values() for path in paths}
    nouns = {_singular(each) for each in _collections() | ends}
    declared = {
        str(message.GetOptions().Extensions[options_pb2.message].event): message.file.package.split(".")[1]
        for message in _messages()
    }
    for event, service in declared.items():
        if event:
            found = re.fullmatch(r"cn\.tongban\.([a-z]+)\.([a-z_]+)\.[a-z_]+\.v1", event)
            assert found and found[1] == service, event
            assert found[2] in nouns, f"{event}: no collection of {found[2]}"


def test_a_use_context_is_called_use_context() -> None:
    wanted = common_pb2.UseContext.DESCRIPTOR.full_name
    fields = [field for message in _messages() for field in message.fields]
    stating = [field for field in fields if field.message_type is not None and field.message_type.full_name == wanted]
    assert len(stating) > 20
    assert [str(field.full_name) for field in stating if field.name != "use_context"] == []


_NUMBER = 15686
"""The one option number of ours; options.proto says why."""


def test_options_have_one_number_of_ours() -> None:
    extensions = [each for module in contracts.files() for each in module.extensions_by_name.values()]
    assert {each.number for each in extensions} == {_NUMBER}
    assert all(each.message_type is not None for each in extensions), "room for what is to be said later"


_DIVISIONS = {
    "tongban.common.v1.Address.region_code",
    "tongban.common.v1.Address.postal_code",
    "tongban.identity.v1.Department.region_code",
    "tongban.identity.v1.RegionCode.code",
}
"""Fields of six digits: codes of GB/T 2260, which the state changes, and postal codes. None of them names a region."""


def _patterns() -> list[tuple[str, str]]:
    found = []
    for message in _messages():
        for field in message.fields:
            rules = contracts.rules_of(field)
            found += [(str(field.full_name), each.string.pattern) for each in (rules, rules.repeated.items)]
    return [(name, pattern) for name, pattern in found if pattern]


def test_a_region_is_named_by_its_id() -> None:
    assert [name for name, pattern in _patterns() if "[0-9]{6}" in pattern and name not in _DIVISIONS] == []
    naming = [(name, pattern) for name, pattern in _patterns() if "//" in pattern and "https?://" not in pattern]
    assert len(naming) > 30
    assert [name for name, pattern in naming if pattern.count("//") != pattern.count(f"//{REGION_ID}")] == []
