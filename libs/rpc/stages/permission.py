"""Stage 7: what the contract declares of the RPC must hold for the caller."""

from datetime import datetime

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.clock import Clock
from libs.errors import reasons
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from tongban.options.v1 import options_pb2

ASSURED = frozenset({"PERSON", "STAFF"})
"""Whose assurance counts; machines have none."""
HUMAN = frozenset({options_pb2.HANDLING_HUMAN, options_pb2.HANDLING_IMPARTIAL_HUMAN})
"""What a human being must do."""
LEEWAY_SECONDS = 60
"""How far the clocks of those who make a token and those who check it may differ."""


def check(method: Method, actor: Actor, now: datetime) -> None:
    """Refuses ``actor`` unless they fit the method's declared access.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED, PERMISSION_MISSING, ASSURANCE_TOO_LOW, MANDATE_OUT_OF_SCOPE.
        Unauthenticated: AUTHENTICATION_TOO_OLD.
    """
    access = method.access
    if access.public:
        return
    check_kind(access, actor)
    check_human(access, actor)
    check_permission(access, actor)
    check_assurance(access, actor)
    check_power(access, actor)
    _check_age(access, actor, now)


def check_kind(access: options_pb2.Access, actor: Actor) -> None:
    """Raises PermissionDenied ACTOR_NOT_ALLOWED where the RPC is for other kinds of caller."""
    if access.actors and actor.access_kind not in access.actors:
        kind = options_pb2.ActorKind.Name(actor.access_kind).removeprefix("ACTOR_KIND_")
        raise reasons.actor_not_allowed("this method is not for this kind of caller", actor_kind=kind)


def check_human(access: options_pb2.Access, actor: Actor) -> None:
    """Raises PermissionDenied ACTOR_NOT_ALLOWED where a machine calls what a human being must do."""
    if access.handling in HUMAN:
        actor.require_human()


def check_permission(access: options_pb2.Access, actor: Actor) -> None:
    """Raises PermissionDenied PERMISSION_MISSING where the token does not hold what the RPC asks for."""
    if not actor.may(access.permission):
        raise reasons.permission_missing(f"the token does not hold {access.permission}", permission=access.permission)


def check_assurance(access: options_pb2.Access, actor: Actor) -> None:
    """Raises PermissionDenied ASSURANCE_TOO_LOW where a person's real name is not known well enough."""
    if actor.kind in ASSURED and actor.assurance < access.min_assurance:
        raise reasons.assurance_too_low(
            "the person must be known better for this",
            required=str(access.min_assurance),
            actual=str(actor.assurance),
        )


def check_power(access: options_pb2.Access, actor: Actor) -> None:
    """Raises PermissionDenied MANDATE_OUT_OF_SCOPE where the mandate does not let whoever acts under it do this.

    The item, which the token can't tell, is the handler's.
    """
    if not access.power or not actor.mandate:
        return
    power = options_pb2.MandatePower.Name(access.power).removeprefix("MANDATE_POWER_")
    if power not in actor.powers:
        raise reasons.mandate_out_of_scope(f"the mandate holds no power {power}", mandate=actor.mandate)


def _check_age(access: options_pb2.Access, actor: Actor, now: datetime) -> None:
    """Machines have nothing to sign in by again."""
    if actor.kind in ASSURED:
        require_recent(actor, access.max_auth_age_seconds, now.timestamp())


def require_recent(actor: Actor, most: int, asked: float) -> None:
    """Whoever signed in too long ago signs in again (RFC 9470).

    Args:
        actor: who signed in; at a window the token tells the older sign-in of both, the person's and the clerk's.
        most: for how many seconds a sign-in is good; 0 for as long as its token.
        asked: when the person asked for what it must be good for, in seconds since the epoch.

    Raises:
        Unauthenticated: AUTHENTICATION_TOO_OLD, also where the token does not tell when.
    """
    if most and (not actor.auth_time or asked - actor.auth_time > most + LEEWAY_SECONDS):
        raise reasons.authentication_too_old("the sign-in is too old for this", max_auth_age=str(most))


def permission(clock: Clock) -> Stage:
    """Builds the stage; ``clock`` is that of tokens.

    It refuses before the handler runs, and before anything is read: an outsider learns nothing of what exists.
    """

    def stage(method: Method, handler: Handler) -> Handler:
        async def with_permission(request: object, call: Call) -> Message:
            check(method, call.actor, clock.now())
            return await handler(request, call)

        return with_permission

    return stage
