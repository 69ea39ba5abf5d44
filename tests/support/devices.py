"""Devices without a keyboard, at which people sign in by a code (RFC 8628)."""

import secrets
from typing import Any

import httpx

from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import Town, request_id
from tongban.identity.v1 import client_service_pb2, resources_pb2

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
NAME = "政务服务中心一楼3号机"


async def kiosk(
    town: Town, kind: "resources_pb2.ClientKind.ValueType" = resources_pb2.CLIENT_KIND_PARTNER, *scopes: str
) -> Machine:
    """Makes a client to which people sign in at devices, and in no browser."""
    machine = Machine(f"kiosk-{secrets.token_hex(6)}", new_key("kiosk-1"))
    client = resources_pb2.Client(
        display_name="自助办事",
        kind=kind,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
        scopes=scopes,
        device_sign_in=True,
    )
    request = client_service_pb2.CreateClientRequest(
        client=client, client_id=machine.client_id, request_id=request_id()
    )
    made = await town.call(town.clients.CreateClient, request, resources_pb2.Client, await town.admin_token())
    assert made.device_sign_in
    return machine


async def device_asks(town: Town, machine: Machine, **changes: str) -> httpx.Response:
    """A device asks for codes."""
    form = {"scope": "openid profile offline_access", "device_name": NAME, **changes}
    form = {name: value for name, value in form.items() if value}
    return await town.http.post(
        "/oauth/device_authorization",
        data={**form, **town.client_form(machine)},
        headers={"x-forwarded-for": "198.51.100.77"},
    )


async def codes_of(town: Town, machine: Machine, **changes: str) -> dict[str, Any]:
    """What a device shows and asks with."""
    answer = await device_asks(town, machine, **changes)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def poll(town: Town, machine: Machine, device_code: str) -> httpx.Response:
    """A device asks for its tokens."""
    return await town.post(grant_type=DEVICE_CODE, device_code=device_code, **town.client_form(machine))
