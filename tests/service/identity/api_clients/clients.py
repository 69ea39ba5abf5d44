"""Clients of a region, made and changed by administrators; calls from where somebody sits."""

from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import TongbanError
from libs.rpc import status
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.patience import PATIENCE
from tests.support.town import JWT_BEARER, Town, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2
from tongban.options.v1 import options_pb2

BY_KEY = resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT
PARTNER, SYSTEM, CHANNEL = (
    resources_pb2.CLIENT_KIND_PARTNER,
    resources_pb2.CLIENT_KIND_SYSTEM,
    resources_pb2.CLIENT_KIND_CHANNEL,
)
RIGHT = resources_pb2.AssertionRight(
    actor_kinds=[options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF], max_assurance=4
)


def keys_of(machine: Machine) -> resources_pb2.JsonWebKeySet:
    """A machine's public keys."""
    return resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)])


def a_machine(prefix: str = "m") -> Machine:
    """A machine of a fresh name."""
    name = f"{prefix}{request_id()[:8]}"
    return Machine(name, new_key(f"{name}-1"))


async def make(home: Town, machine: Machine, token: str = "", **fields: Any) -> resources_pb2.Client:
    """Makes a partner that signs by its key; of a channel it waits for two."""
    given = {"display_name": "系统", "kind": PARTNER, "auth_method": BY_KEY, "jwks": keys_of(machine), **fields}
    request = pb.CreateClientRequest(
        client=resources_pb2.Client(**given), client_id=machine.client_id, request_id=request_id()
    )
    return await home.call(home.clients.CreateClient, request, resources_pb2.Client, token or await home.admin_token())


async def make_channel(home: Town, machine: Machine, **fields: Any) -> resources_pb2.Client:
    """Makes a channel that two people stand behind."""
    made = await make(home, machine, kind=CHANNEL, **{"assertion_right": RIGHT, **fields})
    return await home.approve(made.name)


async def get(home: Town, name: str, token: str = "") -> resources_pb2.Client:
    """Reads a client."""
    request = pb.GetClientRequest(name=name)
    return await home.call(home.clients.GetClient, request, resources_pb2.Client, token or await home.admin_token())


async def update(home: Town, client: resources_pb2.Client, token: str = "", **fields: Any) -> resources_pb2.Client:
    """Changes fields of a client as it was read."""
    named = resources_pb2.Client(name=client.name, **{k: v for k, v in fields.items() if v is not None})
    request = pb.UpdateClientRequest(
        client=named, update_mask=FieldMask(paths=sorted(fields)), etag=client.etag, request_id=request_id()
    )
    return await home.call(home.clients.UpdateClient, request, resources_pb2.Client, token or await home.admin_token())


async def approve(home: Town, client: resources_pb2.Client, token: str) -> resources_pb2.Client:
    """Stands behind what waits of a client as it was read."""
    request = pb.ApproveClientRequest(name=client.name, etag=client.etag, request_id=request_id())
    return await home.call(home.clients.ApproveClient, request, resources_pb2.Client, token)


async def suspend(home: Town, name: str) -> resources_pb2.Client:
    """Shuts a client out."""
    request = pb.SuspendClientRequest(name=name, reason="失窃", request_id=request_id())
    return await home.call(home.clients.SuspendClient, request, resources_pb2.Client, await home.admin_token())


async def asked_from(home: Town, address: str | None, **form: str) -> tuple[str, str]:
    """Asks the token endpoint from an address: the token, or an empty string and why not."""
    headers = {} if address is None else {"x-forwarded-for": address}
    answer = await home.http.post("/oauth/token", data=form, headers=headers)
    said = answer.json()
    return said.get("access_token", ""), said.get("reason", "")


def own(home: Town, machine: Machine) -> dict[str, str]:
    """The form by which a machine asks for its own token."""
    return {"grant_type": "client_credentials", **home.client_form(machine)}


def speaking(home: Town, machine: Machine, subject: str) -> dict[str, str]:
    """The form by which a channel says who sits before it."""
    return {"grant_type": JWT_BEARER, "assertion": machine.sign(subject, home.base, acr="4")}


async def called(method: Any, request: Any, token: str, address: str | None = None) -> str:
    """OK, or the reason why a call through the gateway is refused that comes from an address."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    metadata += [("x-forwarded-for", address)] if address is not None else []
    try:
        await method(request, metadata=metadata, timeout=PATIENCE)
    except grpc.aio.AioRpcError as error:
        refusal = status.from_rpc_error(error, "identity")
        assert isinstance(refusal, TongbanError)
        return refusal.reason
    return "OK"
