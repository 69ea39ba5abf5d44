"""Stage 7: what the contract declares of the RPC must hold for the caller."""

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.errors import reasons
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method
from tongban.options.v1 import options_pb2

_ASSURED = frozenset({"PERSON", "STAFF"})


def check(method: Method, actor: Actor) -> None:
    """Raises PermissionDenied unless ``actor`` fits the method's declared access."""
    access = method.access
    if access.public:
        return
    if access.actors and actor.access_kind not in access.actors:
        kind = options_pb2.ActorKind.Name(actor.access_kind).removeprefix("ACTOR_KIND_")
        raise reasons.actor_not_allowed("this method is not for this kind of caller", actor_kind=kind)
    if access.handling == options_pb2.HANDLING_HUMAN:
        actor.require_human()
    if not actor.may(access.permission):
        raise reasons.permission_missing(f"the token does not hold {access.permission}", permission=access.permission)
    if actor.kind in _ASSURED and actor.assurance < access.min_assurance:
        raise reasons.assurance_too_low(
            "the person must be known better for this",
            required=str(access.min_assurance),
            actual=str(actor.assurance),
        )


def permission(method: Method, handler: Handler) -> Handler:
    """Refuses before the handler runs, and before anything is read: an outsider learns nothing of what exists."""

    async def with_permission(request: object, call: Call) -> Message:
        check(method, call.actor)
        return await handler(request, call)

    return with_permission
