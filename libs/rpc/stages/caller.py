"""Stage 6: turns the access token into a Actor, and has who brings a bound one prove that its key, or its certificate, is theirs."""

from typing import Any

from google.protobuf.message import Message

from libs.access import addresses, rights, signing
from libs.access.actor import Actor, service_actor
from libs.access.bound_keys import brought, not_proven
from libs.errors import reasons
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from libs.rpc.streams import asked_again
from libs.security.possession import ProofsOfPossession, RequestSeen
from libs.security.tokens import TokenVerifier
from tongban.options.v1 import options_pb2

GATEWAY = "gateway"


def caller(verifier: TokenVerifier, proofs: ProofsOfPossession | None = None) -> Stage:
    """Builds the stage.

    A service of ours that brings no token speaks for itself, by its mTLS name, where the contract names it. Without ``proofs`` no
    bound token is taken.
    """

    async def identify(call: Call, access: options_pb2.Access) -> Actor:
        scheme, token = _brought(call)
        if scheme:
            actor = await verifier.verify(token)
            if GATEWAY in call.peers:
                # A neighbour passes on a token that was looked at when it came in, and tells no address.
                addresses.require(actor.ip_ranges, actor.client, call.address)
                signing.require(actor.client, call.signer, signs=actor.signs)
            return actor
        own = call.peers & rights.SERVICES
        if own and GATEWAY not in call.peers:
            name = min(own)
            return service_actor(name, *((access.permission,) if name in access.services else ()))
        if access.public:
            return call.actor
        raise reasons.token_missing("this method needs an access token")

    def stage(method: Method, handler: Handler) -> Handler:
        access = method.access

        async def with_caller(request: Any, call: Call) -> Message:
            call.actor = await identify(call, access)
            # Once: what streams goes on by the same proof.
            await _require_possession(call, proofs)
            if method.descriptor.client_streaming:
                # What was withdrawn while a stream went on ends it.
                request = asked_again(request, lambda: identify(call, access))
            return await handler(request, call)

        return with_caller

    return stage


def _brought(call: Call) -> tuple[str, str]:
    return brought(call.metadata.get("authorization", ""))


async def _require_possession(call: Call, proofs: ProofsOfPossession | None) -> None:
    """Asks for the proof where the token comes in: a neighbour passes on what was looked at then, and has no key."""
    if GATEWAY not in call.peers or not call.actor.token:
        return
    if proofs is not None:
        await proofs.require(call.actor, _brought(call)[0], RequestSeen.of_call(call.metadata, call.method.path))
    elif call.actor.bound_key:
        raise not_proven("missing", "no proofs are taken here")
