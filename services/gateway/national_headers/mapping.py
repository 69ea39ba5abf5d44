"""Which RPC an interface of a national platform is."""

from google.protobuf import descriptor_pool, message_factory

from libs import client as _contracts  # noqa: F401 - brings all contracts into the pool
from libs.rpc.contract import Method
from services.gateway.national_headers.adapter import MappedRpc


def mapped(name: str) -> MappedRpc:
    """Returns the RPC of this full name; raises ValueError where partners can't call one so: it is none, or streams."""
    try:
        method = Method(descriptor_pool.Default().FindMethodByName(name))
    except KeyError as error:
        raise ValueError(f"{name} is no RPC") from error
    if method.streams or not (method.for_fronts or method.for_regions):
        raise ValueError(f"{name} streams, or is not called from outside")
    inner = method.descriptor
    request, answer = map(message_factory.GetMessageClass, (inner.input_type, inner.output_type))
    return MappedRpc(name, request, answer)
