"""The client knows every RPC that clients can reach: async and blocking alike, each request's fields by name."""

import importlib
import inspect
import re

import pytest

from libs.client.made import Api, AsyncApi
from libs.rpc.contract import Method
from tests.support import contracts

FRONT = [method for method in contracts.methods() if method.for_fronts]


def _function(method: Method, *, waits: bool) -> inspect.Signature:
    package = method.service.split(".")[1]
    module = importlib.import_module(f"libs.client.made.{package}")
    kind = getattr(module, f"{'' if waits else 'Async'}{package.title()}Client")
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", method.descriptor.name).lower()
    return inspect.signature(getattr(kind, name))


@pytest.mark.parametrize("method", FRONT, ids=lambda method: method.name)
def test_it_has_a_method_with_the_fields_of_the_request(method: Method) -> None:
    signature = _function(method, waits=False)
    assert list(signature.parameters) == list(_function(method, waits=True).parameters)
    if not method.descriptor.client_streaming:
        # A field that is called as something else here has a line behind (PEP 8).
        named = {name.removesuffix("_") for name in signature.parameters.keys() - {"self", "timeout"}}
        assert named == set(method.descriptor.input_type.fields_by_name)


def test_both_offer_the_same_packages() -> None:
    assert list(inspect.signature(Api).parameters) == list(inspect.signature(AsyncApi).parameters)
    packages = {method.service.split(".")[1] for method in FRONT}
    assert packages == set(_members(Api)) == set(_members(AsyncApi))


def _members(kind: type) -> list[str]:
    return re.findall(r"self\.(\w+) =", inspect.getsource(kind))
