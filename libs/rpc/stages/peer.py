"""Stage 5: the peer's certificate must stand on the allowlist of the gRPC service (closed by default)."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import Message

from libs.errors import PermissionDenied
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method


def _first_labels(names: Iterable[bytes]) -> frozenset[str]:
    """``cases.341500.tongban.internal`` is the process ``cases``."""
    return frozenset(name.decode("ascii", "replace").split(".", 1)[0] for name in names)


def peer(allow: Mapping[str, list[str]]) -> Stage:
    """Builds the stage for a server's allowlist: full gRPC service name to mTLS names."""

    def stage(method: Method, handler: Handler) -> Handler:
        allowed = frozenset(allow.get(method.service, ()))

        async def with_peer(request: object, call: Call) -> Message:
            names = call.context.auth_context().get("x509_subject_alternative_name", ())
            call.peers = _first_labels(names)
            if allowed.isdisjoint(call.peers):
                raise PermissionDenied("PEER_NOT_ALLOWED", "this system may not call this service directly")
            return await handler(request, call)

        return with_peer

    return stage
