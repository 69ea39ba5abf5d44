"""Stage 5: the peer's certificate must stand on the allowlist of the gRPC service (closed by default)."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import Message

from libs.errors import reasons
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method


def _processes(names: Iterable[bytes], region: str) -> frozenset[str]:
    """``cases.341500.tongban.internal`` is the process ``cases`` of the region 341500.

    The whole name counts: the authority that signs for a region's processes may sign for others too, and a certificate of
    ``cases.elsewhere`` is good for something else.
    """
    suffix = f".{region}"
    whole = (name.decode("ascii", "replace") for name in names)
    return frozenset(
        process for name in whole if name.endswith(suffix) and "." not in (process := name.removesuffix(suffix))
    )


def peer(allow: Mapping[str, list[str]], region: str) -> Stage:
    """Builds the stage for a server's allowlist: full gRPC service name to mTLS names.

    ``region`` is what follows the process in such a name: the region's code and the domain.
    """

    def stage(method: Method, handler: Handler) -> Handler:
        allowed = frozenset(allow.get(method.service, ()))

        async def with_peer(request: object, call: Call) -> Message:
            names = call.context.auth_context().get("x509_subject_alternative_name", ())
            call.peers = _processes(names, region)
            if allowed.isdisjoint(call.peers):
                raise reasons.peer_not_allowed("this system may not call this service directly")
            return await handler(request, call)

        return with_peer

    return stage
