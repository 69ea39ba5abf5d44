"""Stage 7: what the contract declares of the RPC must hold for the caller."""

from google.protobuf.message import Message

from libs.errors import PermissionDenied
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method
from libs.security.principal import Principal
from tongban.options.v1 import options_pb2

_ASSURED = frozenset({"PERSON", "STAFF"})


def check(method: Method, principal: Principal) -> None:
    """Raises PermissionDenied unless ``principal`` fits the method's declared access."""
    access = method.access
    if access.public:
        return
    if access.actors and principal.kind_value not in access.actors:
        raise PermissionDenied(
            "ACTOR_NOT_ALLOWED", "this method is not for this kind of caller", actor_kind=principal.kind
        )
    if access.handling == options_pb2.HANDLING_HUMAN:
        principal.require_human()
    if not principal.may(access.permission):
        raise PermissionDenied(
            "PERMISSION_MISSING", f"the token does not hold {access.permission}", permission=access.permission
        )
    if principal.kind in _ASSURED and principal.assurance < access.min_assurance:
        raise PermissionDenied(
            "ASSURANCE_TOO_LOW",
            "the person must be known better for this",
            required=str(access.min_assurance),
            actual=str(principal.assurance),
        )


def permission(method: Method, handler: Handler) -> Handler:
    """Refuses before the handler runs, and before anything is read: an outsider learns nothing of what exists."""

    async def with_permission(request: object, call: Call) -> Message:
        check(method, call.principal)
        return await handler(request, call)

    return with_permission
