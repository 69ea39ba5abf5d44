"""A partner of a region that runs, seen through its gateway: its token, and what its receiver got."""

import asyncio
import uuid

from joserfc.jwk import ECKey

from deploy.local.demo.gateway import CLIENT_ASSERTION
from deploy.local.demo.office import Office
from tests.support.client_keys import Machine, public_jwk
from tests.support.webhooks import Receiver
from tongban.identity.v1 import client_service_pb2, resources_pb2

RECEIVERS_HERE = """
[services.identity.webhooks]
allow_http = true
private_ranges = ["127.0.0.0/8"]
"""
"""Settings by which webhooks reach receivers of tests."""
_WITHIN = 60.0


async def webhook_partner(office: Office, *scopes: str) -> str:
    """A partner's token; it may see licence types, and what else it is given."""
    key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    machine = Machine(f"m{uuid.uuid4().hex[:8]}", key)
    client = resources_pb2.Client(
        display_name="合作方",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=[
            "events.changes.list",
            "license.licenseTypes.get",
            "identity.webhooks.*",
            "identity.webhookDeliveries.*",
            *scopes,
        ],
    )
    create = client_service_pb2.CreateClientRequest(
        client=client, client_id=machine.client_id, request_id=str(uuid.uuid4())
    )
    await office.gateway.call(None, create, resources_pb2.Client, await office.admin_token())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION,
        "client_assertion": machine.sign(machine.client_id, f"{office.gateway.url}/oauth/token"),
    }
    answer = await office.gateway.http.post("/oauth/token", data=form)
    return str(answer.json()["access_token"])


async def received(receiver: Receiver, *kinds: str) -> None:
    """Waits until an event of each type has come."""
    while missing := set(kinds) - {each.told["type"] for each in receiver.got}:
        receiver.came.clear()
        try:
            await asyncio.wait_for(receiver.came.wait(), _WITHIN)
        except TimeoutError as error:
            raise AssertionError(f"did not come: {sorted(missing)}") from error
