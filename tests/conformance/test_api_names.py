"""One name for one thing: a collection is called alike in paths, resource names, permissions and events (decision 0043)."""

import re
from functools import cache

import pytest
from google.api import resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from libs.ids.region import REGION_ID
from libs.rpc.contract import Method
from tests.support import contracts
from tongban.common.v1 import common_pb2
from tongban.options.v1 import options_pb2

_SAYS_TOO_LITTLE = {
    *("resources", "requests", "grants", "mounts", "items", "tasks", "transfers", "deliveries", "messages", "records"),
    *("types", "uses", "data", "files", "objects", "entries", "events", "names", "things"),
}
"""Words that could stand for anything in the one namespace of names, paths and events. That of ``operations/…`` is AIP-151's."""
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
        str(message.GetOptions().Extensions[options_pb2.message].event.type): message.file.package.split(".")[1]
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
    "tongban.identity.v1.ConfirmContactVerificationRequest.code",
    "tongban.identity.v1.Department.region_code",
    "tongban.identity.v1.RegionCode.code",
}
"""Fields of six digits: codes of GB/T 2260, which the state changes, postal codes, and codes that are sent. None of them names a region."""


def _patterns() -> list[tuple[str, str]]:
    found = []
    for message in _messages():
        for field in message.fields:
            rules = contracts.rules_of(field)
            found += [(str(field.full_name), each.string.pattern) for each in (rules, rules.repeated.items)]
    return [(name, pattern) for name, pattern in found if pattern]


def test_a_region_is_named_by_its_id() -> None:
    assert [name for name, pattern in _patterns() if "[0-9]{6}" in pattern and name not in _DIVISIONS] == []
    naming = [(name, pattern) for name, pattern in _patterns() if "//" in pattern and "http" not in pattern]
    assert len(naming) > 30
    assert [name for name, pattern in naming if pattern.count("//") != pattern.count(f"//{REGION_ID}")] == []


@cache
def _resources() -> dict[str, resource_pb2.ResourceDescriptor]:
    """What each message that is a resource says of itself, by the message's full name."""
    said = {str(each.full_name): each.GetOptions().Extensions[resource_pb2.resource] for each in _messages()}
    return {name: resource for name, resource in said.items() if resource.type}


def test_a_resource_has_a_type_of_its_messages_name() -> None:
    types = [(name.rpartition(".")[2], resource.type) for name, resource in _resources().items()]
    assert [each for each in types if each[1] != f"tongban.cn/{each[0]}"] == []
    assert len({kind for _, kind in types}) == len(types) > 30


def test_what_is_got_by_name_is_a_resource_and_its_pattern_is_the_path() -> None:
    wrong = []
    for method in contracts.methods():
        for path in _paths()[method.name]:
            named = re.fullmatch(r"/v1/(?:[a-z]+/)?\{name=([^}]+)\}", path)
            ours = contracts.is_ours(method.descriptor.output_type)
            if named and ours and method.name.rpartition(".")[2].startswith("Get"):
                resource = _resources().get(str(method.descriptor.output_type.full_name))
                shapes = [re.sub(r"\{[a-z_]+\}", "*", each) for each in resource.pattern] if resource else []
                wrong += [] if named[1] in shapes else [f"{method.name}: {named[1]} is none of {shapes}"]
    assert wrong == []


def test_a_collection_is_the_plural_of_its_resource() -> None:
    for name, resource in _resources().items():
        *_, collection, last = resource.pattern[0].split("/")
        if last.startswith("{"):
            assert (collection, last) == (resource.plural, f"{{{_singular(collection)}}}"), name


def _named_collections(field: FieldDescriptor) -> set[str]:
    """The collections, and the singletons, of which the rule of a field takes names."""
    rules = contracts.rules_of(field)
    text = f"{rules.string.pattern} {rules.repeated.items.string.pattern}"
    ends = re.findall(r"/([A-Za-z]+)\$", text)
    return {word for group in re.findall(r"((?:[A-Za-z]+\|)*[A-Za-z]+)\)?/", text) for word in group.split("|")} | {
        *ends
    }


def test_a_field_that_takes_a_name_says_of_what() -> None:
    types = {resource.plural: resource.type for resource in _resources().values()}
    types |= {resource.singular: resource.type for resource in _resources().values()}
    unsaid, seen = [], 0
    for message in _messages():
        for field in message.fields:
            kinds = {types[each] for each in _named_collections(field) if each in types}
            said = field.GetOptions().Extensions[resource_pb2.resource_reference].type
            own = field.name == "name" and str(message.full_name) in _resources()
            seen += bool(kinds)
            if kinds and not own and said not in {"*", *kinds}:
                unsaid.append(f"{field.full_name}: {said or 'nothing'} where it takes {sorted(kinds)}")
    assert unsaid == []
    assert seen > 100


def test_a_reference_is_to_a_known_type() -> None:
    known = {resource.type for resource in _resources().values()} | {"", "*"}
    fields = [field for message in _messages() for field in message.fields]
    said = {str(each.full_name): each.GetOptions().Extensions[resource_pb2.resource_reference].type for each in fields}
    assert {name: kind for name, kind in said.items() if kind not in known} == {}
