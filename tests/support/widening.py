"""What the contracts say that RPCs make of what others may do, for tests that go through all of them."""

from libs.rpc.contract import Method
from tests.support import contracts
from tongban.options.v1 import options_pb2


def widening(method: Method) -> int:
    """What the contract says of an RPC: 0 where it widens nothing."""
    return int(method.access.widening)


def takes_two() -> list[Method]:
    """The RPCs that have no effect without two human beings."""
    return [method for method in contracts.methods() if widening(method) == options_pb2.WIDENING_TWO]
