"""A handler is the use case: it takes the contract's request and the call, and answers the contract's answer."""

import importlib
import inspect
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor

from libs.rpc.call import Call
from libs.rpc.contract import Method, methods_of
from libs.rpc.refusals import refusals
from libs.rpc.server import method_name

_NEVER = frozenset({"gateway"})
"""It serves no gRPC of its own."""
SERVICES = sorted(file.parent.name for file in Path("services").glob("*/__main__.py") if file.parent.name not in _NEVER)
_LIBS = {
    "libs.audit.api": ("AuditApi", "tongban.audit.v1.AuditService"),
    "libs.events.change_api": ("ChangeApi", "tongban.events.v1.ChangeService"),
    "libs.events.api": ("ParkedEventApi", "tongban.events.v1.ParkedEventService"),
    "libs.operations.api": ("OperationApi", "tongban.operations.v1.OperationService"),
    "libs.uploads.api": ("UploadApi", "tongban.uploads.v1.UploadService"),
}


def _classes(service: str) -> Iterator[type]:
    """The classes of the service's features, by the files in which they stand."""
    for file in sorted(Path("services", service).rglob("*.py")):
        if "migrations" in file.parts or file.name == "__main__.py":
            continue
        module = importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))
        yield from (each for each in vars(module).values() if _is_of(each, module.__name__))


def _is_of(each: Any, module: str) -> bool:
    return inspect.isclass(each) and each.__module__ == module


def _contracts(service: str) -> list[MethodDescriptor]:
    importlib.import_module(f"services.{service}.app")
    folder = Path("proto/tongban", service, "v1")
    pool = descriptor_pool.Default()
    found = []
    for proto in sorted(folder.glob("*.proto")):
        importlib.import_module(f"tongban.{service}.v1.{proto.stem}_pb2")
        file = pool.FindFileByName(f"tongban/{service}/v1/{proto.name}")
        found += [method.descriptor for each in file.services_by_name.values() for method in methods_of(each)]
    return found


def _annotations(method: MethodDescriptor) -> dict[str, Any]:
    """What a handler's annotations must be."""
    request = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)
    return {
        "request": AsyncIterator[request] if method.client_streaming else request,  # type: ignore[valid-type]
        "call": Call,
        "return": AsyncIterator[answer] if method.server_streaming else answer,  # type: ignore[valid-type]
    }


def _check(handler: Any, method: MethodDescriptor) -> None:
    where = f"{handler.__qualname__} for {method.full_name}"
    assert list(inspect.signature(handler).parameters) == ["self", "request", "call"], where
    assert get_type_hints(handler) == _annotations(method), where
    runs = inspect.isasyncgenfunction if method.server_streaming else inspect.iscoroutinefunction
    assert runs(handler), where


@pytest.mark.parametrize("service", SERVICES)
def test_every_rpc_has_one_handler_of_its_contracts_types(service: str) -> None:
    classes = [each for each in _classes(service) if each.__module__.endswith(".api")]
    methods = _contracts(service)
    assert methods
    for method in methods:
        name = method_name(Method(method))
        (handler,) = (getattr(each, name) for each in classes if hasattr(each, name))
        _check(handler, method)


@pytest.mark.parametrize("service", SERVICES)
def test_an_api_serves_nothing_that_no_contract_names(service: str) -> None:
    known = {method_name(Method(each)) for each in _contracts(service)}
    for api in (each for each in _classes(service) if each.__module__.endswith(".api")):
        takes_call = {
            name
            for name, each in vars(api).items()
            if inspect.isfunction(each) and not name.startswith("_") and "call" in inspect.signature(each).parameters
        }
        assert takes_call <= known, api


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_derives_from_a_generated_servicer(service: str) -> None:
    for each in _classes(service):
        assert not [base for base in each.__mro__ if base.__module__.endswith("_pb2_grpc")], each


@pytest.mark.parametrize("module", sorted(_LIBS))
def test_what_all_services_serve_keeps_the_same_form(module: str) -> None:
    name, contract = _LIBS[module]
    api = getattr(importlib.import_module(module), name)
    for method in methods_of(descriptor_pool.Default().FindServiceByName(contract)):
        _check(getattr(api, method_name(method)), method.descriptor)


def test_every_service_is_made_of_features() -> None:
    assert {file.parent.name for file in Path("services").glob("*/app.py")} == set(SERVICES)


_RECORDS = re.compile(r"audit\.write\(|record_read\(|recorder\.record\(|leaving\.(?:recorded|noted)\(")
_OWN_STEP = re.compile(r"self\.(_\w+)")


def _sources(handler: Any) -> str:
    """The text of a handler, and of the steps of its class that it takes."""
    api, found, waiting = inspect.getmodule(handler), dict[str, str](), [handler.__name__]
    of = getattr(api, handler.__qualname__.partition(".")[0])
    while waiting:
        name = waiting.pop()
        if name not in found and inspect.isfunction(step := getattr(of, name, None)):
            found[name] = inspect.getsource(step)
            waiting += _OWN_STEP.findall(found[name])
    return "".join(found.values())


def _records(handler: Any) -> bool:
    return _RECORDS.search(_sources(handler)) is not None


def _all_handlers() -> Iterator[tuple[MethodDescriptor, Any]]:
    pool = descriptor_pool.Default()
    for service in SERVICES:
        classes = [each for each in _classes(service) if each.__module__.endswith(".api")]
        for method in _contracts(service):
            name = method_name(Method(method))
            yield from ((method, getattr(each, name)) for each in classes if hasattr(each, name))
    for module, (name, full_name) in _LIBS.items():
        api = getattr(importlib.import_module(module), name)
        contract = pool.FindServiceByName(full_name)
        yield from ((each, getattr(api, method_name(Method(each)))) for each in contract.methods)


def test_a_read_that_is_recorded_does_not_say_that_it_leaves_nothing() -> None:
    """api-style C0: recorded twice, it is there twice."""
    level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    handlers = list(_all_handlers())
    assert sum(_records(handler) for _, handler in handlers) > 10
    assert [
        m.full_name for m, handler in handlers if _records(handler) and m.GetOptions().idempotency_level == level
    ] == []


def _says_it(method: Method) -> bool:
    """What is answered message by message (a stream both ways) is refused so, too."""
    return method.exchanges or "AUDIT_UNAVAILABLE" in refusals(method)


def test_a_handler_that_records_says_that_it_may_find_that_it_can_not() -> None:
    assert [
        method.full_name for method, handler in _all_handlers() if _records(handler) and not _says_it(Method(method))
    ] == []
