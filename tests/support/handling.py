"""What the contracts say of RPCs that handle somebody's affair, for tests that go through all of them."""

from collections.abc import Collection

from libs.rpc.contract import Method
from libs.rpc.stages.permission import HUMAN
from tests.support import contracts
from tongban.options.v1 import options_pb2


def handling_methods(package: str) -> list[Method]:
    """The RPCs of a package, such as ``tongban.cases.v1``, whose contract declares a handling, by name."""
    return [
        method
        for method in contracts.methods()
        if method.name.startswith(f"{package}.") and method.access.handling != options_pb2.HANDLING_UNSPECIFIED
    ]


def human_only(method: Method) -> bool:
    """Whether no machine may take this step."""
    return method.access.handling in HUMAN


def undriven(package: str, driven: Collection[str]) -> set[str]:
    """The short names of a package's handling RPCs that no test drives, and of those driven that handle nothing."""
    return {method.descriptor.name for method in handling_methods(package)} ^ set(driven)
